"""GitLab's deliveries, by samples and by the odd cases."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firehose import source
from firehose.errors import Refused, UnknownKind
from firehose.event import SEVERITIES, Event, encode
from firehose.source import Delivery, Ignored, Verdict
from firehose.sources.gitlab.gitlab import READERS

SAMPLES = Path(__file__).parent / "samples"
GITLAB = source.load("gitlab")
NOW = datetime(2026, 1, 2, tzinfo=UTC)
HEAD = "3f1d6c0e5f0b4e0e8a7a2f6f5f7f0b1a2c3d4e5f"

TABLE = [
    ("access_token__expiring", "ignored", "access_token"),
    ("build__canceling", "ignored", "job.canceling"),
    ("build__created", "taskrun.queued queued", "lumen/atlas: job unit was created on parallel-tiles"),
    ("build__failed-allowed", "taskrun.finished failure", "lumen/atlas: job unit failed (allowed) on parallel-tiles"),
    ("build__failed", "taskrun.finished failure", "lumen/atlas: job unit failed on parallel-tiles"),
    (
        "build__manual",
        "taskrun.queued queued",
        "lumen/atlas: job unit waits for somebody to start it on parallel-tiles",
    ),
    ("build__running", "taskrun.started running", "lumen/atlas: job unit started on parallel-tiles"),
    (
        "build__success-of-older-version",
        "taskrun.finished success",
        "lumen/atlas: job unit succeeded on parallel-tiles",
    ),
    ("deployment__failed", "taskrun.finished failure", "lumen/atlas: deployment of v2.4.0 to production failed"),
    ("deployment__running", "taskrun.started running", "lumen/atlas: deployment of v2.4.0 to production started"),
    ("deployment__success", "service.deployed success", "lumen/atlas: deployment of v2.4.0 to production succeeded"),
    ("emoji__award", "ignored", "emoji"),
    ("feature_flag__off", "featureflag.updated", "mira turned off the feature flag parallel-tiles of lumen/atlas"),
    ("issue.close", "ticket.closed success", "tomas closed lumen/atlas#17: Tiles are drawn one after another"),
    ("issue.open", "ticket.created", "tomas opened lumen/atlas#17: Tiles are drawn one after another"),
    ("issue.open__confidential", "ignored", "confidential"),
    ("issue.open__incident", "ticket.created", "tomas opened lumen/atlas#17: The tile server is down"),
    ("issue.reopen", "ticket.updated", "tomas reopened lumen/atlas#17: Tiles are drawn one after another"),
    ("issue.update", "ticket.updated", "tomas updated lumen/atlas#17: Tiles are drawn one after another"),
    ("key_create", "ignored", "key_create"),
    ("merge_request.approval", "change.reviewed success", "tomas approved lumen/atlas!41: Draw tiles in parallel"),
    (
        "merge_request.approved",
        "change.reviewed success",
        "tomas approved lumen/atlas!41, the last approval it needed: Draw tiles in parallel",
    ),
    ("merge_request.close", "change.abandoned cancel", "mira closed lumen/atlas!41: Draw tiles in parallel"),
    ("merge_request.merge", "change.merged success", "tomas merged lumen/atlas!41: Draw tiles in parallel"),
    ("merge_request.open", "change.created", "mira opened lumen/atlas!41: Draw tiles in parallel"),
    ("merge_request.open__from-private-fork", "ignored", "private-repository"),
    ("merge_request.reopen", "change.restored", "mira reopened lumen/atlas!41: Draw tiles in parallel"),
    (
        "merge_request.unapproved",
        "change.reviewed cancel",
        "tomas took back the approval of lumen/atlas!41: Draw tiles in parallel",
    ),
    ("merge_request.update__new-commits", "change.updated", "mira pushed to lumen/atlas!41: Draw tiles in parallel"),
    ("merge_request.update__title", "change.updated", "mira updated lumen/atlas!41: Draw tiles in parallel"),
    ("milestone.close", "milestone.closed", "somebody closed the milestone 2.4 of lumen/atlas"),
    (
        "note.create__commit",
        "comment.added",
        "mira commented on commit 3f1d6c0e5f of lumen/atlas: Draw tiles in parallel",
    ),
    ("note.create__internal", "ignored", "confidential"),
    ("note.create__issue", "comment.added", "mira commented on lumen/atlas#17: Tiles are drawn one after another"),
    ("note.create__merge-request", "comment.added", "mira commented on lumen/atlas!41: Draw tiles in parallel"),
    ("note.create__on-confidential-issue", "ignored", "confidential"),
    ("note.create__snippet", "comment.added", "mira commented on snippet 6 of lumen/atlas: How to reproduce"),
    ("note.create__system", "ignored", "note.system"),
    ("note.create__wiki-page", "comment.added", "mira commented on wikipage 3 of lumen/atlas: Home"),
    (
        "note.update__issue",
        "comment.updated",
        "mira edited a comment on lumen/atlas#17: Tiles are drawn one after another",
    ),
    ("pipeline__canceling", "ignored", "pipeline.canceling"),
    (
        "pipeline__failed",
        "pipelinerun.finished failure",
        "lumen/atlas: pipeline 3100 failed on refs/merge-requests/41/head",
    ),
    ("pipeline__fork", "pipelinerun.finished success", "mira/atlas: pipeline 3100 succeeded on parallel-tiles"),
    ("pipeline__pending", "pipelinerun.queued queued", "lumen/atlas: pipeline 3100 is queued on parallel-tiles"),
    ("pipeline__running", "pipelinerun.started running", "lumen/atlas: pipeline 3100 started on parallel-tiles"),
    ("pipeline__skipped", "pipelinerun.finished skipped", "lumen/atlas: pipeline 3100 was skipped on parallel-tiles"),
    ("pipeline__success", "pipelinerun.finished success", "lumen/atlas: pipeline 3100 succeeded on parallel-tiles"),
    ("project_create", "repository.created", "lumen/harbor was created"),
    ("project_create__private", "ignored", "private-repository"),
    ("project_destroy", "repository.deleted", "lumen/harbor was deleted"),
    ("project_rename", "repository.modified", "lumen/harbor was renamed from lumen/port"),
    ("push__deleted-branch", "branch.deleted", "mira deleted branch parallel tiles of lumen/atlas"),
    ("push__many", "branch.updated", "mira pushed 812 commits to branch main of lumen/atlas: Import the atlas of 1905"),
    (
        "push__merge",
        "branch.updated",
        "mira pushed 2 commits to branch main of lumen/atlas: Merge branch 'parallel-tiles' into 'main'",
    ),
    ("push__new-branch", "branch.created", "mira created branch parallel-tiles of lumen/atlas"),
    ("push__system-hook", "branch.updated", "somebody moved branch main of lumen/atlas"),
    ("release.create", "artifact.published", "lumen/atlas v2.4.0 (Fast tiles) was released"),
    ("release.delete", "artifact.deleted", "lumen/atlas v2.4.0 (Fast tiles) was deleted"),
    ("release.update", "artifact.updated", "lumen/atlas v2.4.0 (Fast tiles) was changed"),
    ("repository_update", "ignored", "repository_update"),
    ("subgroup_create", "ignored", "subgroup_create"),
    ("tag_push__deleted", "tag.deleted", "mira deleted tag v2.4.0 of lumen/atlas"),
    ("tag_push__new", "tag.created", "mira created tag v2.4.0 of lumen/atlas: Raise the version"),
    ("user_add_to_group", "ignored", "user_add_to_group"),
    ("vulnerability__detected", "ignored", "security-finding"),
    ("wiki_page.create", "wikipage.created", "mira created the wiki page How to draw of lumen/atlas"),
    ("work_item.open__task", "ticket.created", "tomas opened lumen/atlas#19: Lock the cache"),
]


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    return found


def deliver(found: dict[str, Any], **own: object) -> Verdict:
    delivery = Delivery(
        source="gitlab", body=json.dumps(found["body"]).encode(), received=NOW, headers=found["headers"]
    )
    return GITLAB.read(delivery, GITLAB.settings(kind="gitlab", **own))


def only(verdict: Verdict) -> Event:
    assert not isinstance(verdict, Ignored)
    (event,) = verdict
    return event


def read(name: str, **own: object) -> Event:
    return only(deliver(sample(name), **own))


def expected() -> dict[str, list[tuple[str, str]]]:
    rows: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, kind, words in TABLE:
        rows[name].append((kind, words))
    return rows


@pytest.mark.parametrize("name", sorted(expected()))
def test_a_sample_becomes(name: str) -> None:
    verdict = deliver(sample(name))
    if isinstance(verdict, Ignored):
        assert [("ignored", verdict.kind)] == expected()[name]
        assert verdict.kind in GITLAB.ignored
    else:
        assert [(f"{e.kind} {e.outcome}".strip(), e.summary) for e in verdict] == expected()[name]


def test_every_sample_is_in_the_table_and_every_reader_has_a_sample() -> None:
    names = {path.stem for path in SAMPLES.glob("*.json")}
    assert names == set(expected())
    kinds = {name.split("__")[0].split(".")[0] for name in names}
    assert set(READERS) - kinds == {"project_transfer", "project_update"}


def test_the_tables_agree_with_the_readers() -> None:
    assert set(READERS) == set(GITLAB.kinds)
    assert all(reason for reason in GITLAB.ignored.values())


@pytest.mark.parametrize("name", sorted(expected()))
def test_every_event_fits_the_envelope(name: str) -> None:
    found = sample(name)
    verdict = deliver(found)
    for event in () if isinstance(verdict, Ignored) else verdict:
        assert encode("gitlab", event)
        assert event.id == found["headers"]["idempotency-key"]
        assert event.type.startswith("com.gitlab.")
        assert event.source == "https://gitlab.lumen.example"
        assert event.kind in GITLAB.kinds[found["body"].get("object_kind") or found["body"]["event_name"]]
        assert event.severity in SEVERITIES
        assert event.project in ("lumen/atlas", "lumen/harbor", "mira/atlas")
        assert "@" not in event.actor
        assert not any(character.isspace() for ref in (event.subject, *event.refs) for character in ref)


@pytest.mark.parametrize(
    ("name", "type_", "subject"),
    [
        ("push__merge", "com.gitlab.push", "lumen/atlas@refs/heads/main"),
        ("tag_push__new", "com.gitlab.tag_push", "lumen/atlas@refs/tags/v2.4.0"),
        ("issue.open", "com.gitlab.issue.opened", "lumen/atlas#17"),
        ("note.create__merge-request", "com.gitlab.note.merge_request", "lumen/atlas!41"),
        ("note.create__commit", "com.gitlab.note.commit", f"commit/{HEAD}"),
        ("note.create__snippet", "com.gitlab.note.snippet", "snippet/lumen/atlas/6"),
        ("merge_request.merge", "com.gitlab.merge_request.merge", "lumen/atlas!41"),
        ("wiki_page.create", "com.gitlab.wiki_page.create", "wikipage/lumen/atlas/how%20to%20draw"),
        ("pipeline__success", "com.gitlab.pipeline.success", "pipeline/lumen/atlas/3100"),
        ("build__failed", "com.gitlab.job.failed", "job/lumen/atlas/3801"),
    ],
)
def test_types_are_those_of_the_cloudevents_adapter(name: str, type_: str, subject: str) -> None:
    event = read(name)
    assert (event.type, event.subject) == (type_, subject)


def test_a_build_joins_its_change_by_refs() -> None:
    change, pipeline, job = read("merge_request.open"), read("pipeline__success"), read("build__failed")
    assert change.subject in pipeline.refs
    assert pipeline.subject in job.refs
    assert job.subject in pipeline.refs
    assert set(change.refs) & set(pipeline.refs) & set(job.refs) == {f"commit/{HEAD}"}


def test_a_forks_pipeline_joins_the_change_where_it_goes() -> None:
    assert "lumen/atlas!41" in read("pipeline__fork").refs
    assert "lumen/atlas!41" in read("pipeline__failed").refs


def test_a_merge_ties_the_push_the_change_and_the_issue() -> None:
    merged, push = read("merge_request.merge"), read("push__merge")
    assert merged.subject in push.refs
    assert "lumen/atlas#17" in merged.refs
    assert push.refs[0] in merged.refs


@pytest.mark.parametrize(
    "name", ["issue.open__confidential", "note.create__internal", "note.create__on-confidential-issue"]
)
def test_what_is_confidential_never_becomes_public(name: str) -> None:
    assert deliver(sample(name), private_repositories=True) == Ignored("confidential")
    assert read(name, audience="lumen").audience == "lumen"


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("headers.x-gitlab-event", "Confidential Issue Hook"),
        ("body.event_type", "confidential_issue"),
        ("body.object_attributes.confidential", True),
    ],
)
def test_one_sign_of_confidentiality_is_enough(place: str, value: object) -> None:
    found = sample("issue.open")
    *path, last = place.split(".")
    at = found
    for key in path:
        at = at[key]
    at[last] = value
    assert deliver(found) == Ignored("confidential")


@pytest.mark.parametrize("level", [0, 10])
def test_private_and_internal_projects_stay_private(level: int) -> None:
    found = sample("issue.open")
    found["body"]["project"]["visibility_level"] = level
    assert deliver(found) == Ignored("private-repository")
    assert only(deliver(found, private_repositories=True)).audience == ""
    assert only(deliver(found, audience="lumen")).audience == "lumen"


def test_a_project_that_is_not_said_to_be_public_is_not_public() -> None:
    found = sample("issue.open")
    for place in ("project", "repository"):
        found["body"].get(place, {}).pop("visibility_level", None)
    assert deliver(found) == Ignored("visibility-unknown")
    assert only(deliver(found, private_repositories=True)).audience == ""
    assert only(deliver(found, audience="lumen")).audience == "lumen"


def test_findings_only_reach_an_audience() -> None:
    assert deliver(sample("vulnerability__detected"), private_repositories=True) == Ignored("security-finding")
    event = read("vulnerability__detected", audience="security")
    assert (event.kind, event.severity, event.subject) == (
        "incident.detected", "error", "vulnerability/lumen/atlas/12",
    )  # fmt: skip
    note = sample("note.create__issue")
    note["body"]["object_attributes"]["noteable_type"] = "Vulnerability"
    assert deliver(note) == Ignored("security-finding")


def test_without_an_idempotency_key_the_body_is_the_id() -> None:
    found = sample("push__merge")
    del found["headers"]["idempotency-key"]
    first, again = only(deliver(found)), only(deliver(found))
    # GitLab gives events that one webhook's receiver caused the same event UUID, so it alone tells nothing apart.
    found["body"]["after"] = HEAD
    assert first.id == again.id != only(deliver(found)).id


def test_the_source_is_the_settings_address_then_the_senders() -> None:
    assert read("push__merge", url="https://git.lumen.example/").source == "https://git.lumen.example"
    found = sample("push__merge")
    del found["headers"]["x-gitlab-instance"]
    assert only(deliver(found)).source == "https://gitlab.com"


@pytest.mark.parametrize(
    ("name", "path", "kind"),
    [
        ("merge_request.open", "object_attributes.action", "merge_request.danced"),
        ("issue.open", "object_attributes.action", "issue.danced"),
        ("pipeline__success", "object_attributes.status", "pipeline.danced"),
        ("build__failed", "build_status", "job.danced"),
        ("deployment__failed", "status", "deployment.danced"),
        ("release.create", "action", "release.danced"),
        ("note.create__issue", "object_attributes.noteable_type", "note.danced"),
        ("push__merge", "object_kind", "danced"),
    ],
)
def test_an_unknown_word_is_unknown_and_not_dropped(name: str, path: str, kind: str) -> None:
    found = sample(name)
    *keys, last = path.split(".")
    at = found["body"]
    for key in keys:
        at = at[key]
    at[last] = "danced"
    with pytest.raises(UnknownKind) as error:
        deliver(found)
    assert error.value.kind == kind


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"object_attributes": None}, "object_attributes.iid"),
        ({"object_kind": 7}, "object_kind"),
        ({"object_kind": None}, "object_kind"),
        ({"project": {"path_with_namespace": 7}}, "project.path_with_namespace"),
        ({"project": {}, "repository": {}, "object_attributes": {"iid": 1}}, "project.path_with_namespace"),
    ],
)
def test_a_bad_field_is_named(change: dict[str, object], field: str) -> None:
    found = sample("merge_request.open")
    found["body"].update(change)
    with pytest.raises(Refused) as refusal:
        deliver(found)
    assert (refusal.value.field, refusal.value.status) == (field, 422)


def test_a_merge_request_without_an_action_is_an_update() -> None:
    found = sample("merge_request.open")
    del found["body"]["object_attributes"]["action"]
    event = only(deliver(found))
    assert (event.kind, event.type) == ("change.updated", "com.gitlab.merge_request")


def test_native_kind_is_gitlabs_word() -> None:
    assert GITLAB.native_kind is not None
    body = json.dumps(sample("merge_request.open")["body"]).encode()
    assert GITLAB.native_kind(Delivery(source="x", body=body, received=NOW)) == "merge_request.open"
    assert GITLAB.native_kind(Delivery(source="x", body=b"[]", received=NOW)) == ""


def test_a_pipeline_began_when_its_first_job_did_or_when_it_had_waited() -> None:
    found = sample("pipeline__running")
    found["body"]["object_attributes"] |= {"created_at": "2025-10-09 10:00:00 UTC", "queued_duration": 900}
    found["body"]["builds"] = [{"id": 1, "started_at": "2025-10-09 10:20:00 UTC"}, {"id": 2, "started_at": None}]
    (event,) = deliver(found)  # type: ignore[misc]
    assert event.time == datetime(2025, 10, 9, 10, 20, tzinfo=UTC)
    found["body"]["builds"] = []
    (event,) = deliver(found)  # type: ignore[misc]
    assert event.time == datetime(2025, 10, 9, 10, 15, tzinfo=UTC)
