"""Deliveries of Forgejo and Gitea, by samples and by the odd cases."""

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
from firehose.sources.forgejo.forgejo import READERS
from firehose.wild import Wild

SAMPLES = Path(__file__).parent / "samples"
FORGEJO = source.load("forgejo")
GITEA = source.load("gitea")
NOW = datetime(2026, 1, 2, tzinfo=UTC)
HEAD = "3f1d6c0e5f0b4e0e8a7a2f6f5f7f0b1a2c3d4e5f"

TABLE = [
    ("action_run_failure__on-a-branch", "pipelinerun.finished failure", "lumen/atlas: tests.yml #812 failed on main"),
    ("action_run_recover", "ignored", "action_run_recover"),
    ("action_run_success", "pipelinerun.finished success", "lumen/atlas: tests.yml #812 succeeded on #41"),
    ("create__branch", "branch.created", "mira created branch parallel-tiles of lumen/atlas"),
    ("create__tag", "tag.created", "mira created tag v2.4.0 of lumen/atlas"),
    ("delete__branch", "branch.deleted", "mira deleted branch parallel-tiles of lumen/atlas"),
    ("fork", "repository.forked", "tomas forked lumen/atlas as tomas/atlas"),
    (
        "issue_assign.assigned",
        "ticket.updated",
        "tomas assigned somebody to lumen/atlas#17: Tiles are drawn one after another",
    ),
    ("issue_comment.created", "comment.added", "mira commented on lumen/atlas#17: Tiles are drawn one after another"),
    (
        "issue_comment.deleted",
        "comment.deleted",
        "mira deleted a comment on lumen/atlas#17: Tiles are drawn one after another",
    ),
    (
        "issue_label.label_cleared",
        "ticket.updated",
        "tomas removed the labels of lumen/atlas#17: Tiles are drawn one after another",
    ),
    (
        "issue_milestone.milestoned",
        "ticket.updated",
        "tomas put lumen/atlas#17 on a milestone: Tiles are drawn one after another",
    ),
    (
        "issues.closed__by-commit",
        "ticket.closed success",
        "mira closed lumen/atlas#17: Tiles are drawn one after another",
    ),
    ("issues.deleted", "ticket.deleted", "tomas deleted lumen/atlas#17: Tiles are drawn one after another"),
    ("issues.opened", "ticket.created", "tomas opened lumen/atlas#17: Tiles are drawn one after another"),
    ("package.created", "artifact.published", "mira published the container package atlas 2.4.0 of lumen/atlas"),
    (
        "package.created__without-repository",
        "artifact.published",
        "mira published the container package atlas 2.4.0 of lumen",
    ),
    ("package.deleted", "artifact.deleted", "mira deleted the container package atlas 2.4.0 of lumen/atlas"),
    ("pull_request.closed__abandoned", "change.abandoned cancel", "mira closed lumen/atlas#41: Draw tiles in parallel"),
    ("pull_request.closed__merged", "change.merged success", "tomas merged lumen/atlas#41: Draw tiles in parallel"),
    ("pull_request.opened", "change.created", "mira opened lumen/atlas#41: Draw tiles in parallel"),
    ("pull_request.opened__from-private-fork", "ignored", "private-repository"),
    ("pull_request.reopened", "change.restored", "mira reopened lumen/atlas#41: Draw tiles in parallel"),
    (
        "pull_request_assign.assigned",
        "change.updated",
        "mira assigned somebody to lumen/atlas#41: Draw tiles in parallel",
    ),
    ("pull_request_comment.created", "comment.added", "mira commented on lumen/atlas#41: Draw tiles in parallel"),
    (
        "pull_request_label.label_updated",
        "change.updated",
        "mira changed the labels of lumen/atlas#41: Draw tiles in parallel",
    ),
    (
        "pull_request_milestone.milestoned",
        "change.updated",
        "mira put lumen/atlas#41 on a milestone: Draw tiles in parallel",
    ),
    (
        "pull_request_review_approved.reviewed",
        "change.reviewed success",
        "tomas approved lumen/atlas#41: Draw tiles in parallel",
    ),
    ("pull_request_review_comment.reviewed", "comment.added", "tomas reviewed lumen/atlas#41: Draw tiles in parallel"),
    (
        "pull_request_review_rejected.reviewed",
        "change.reviewed failure",
        "tomas requested changes to lumen/atlas#41: Draw tiles in parallel",
    ),
    (
        "pull_request_review_request.review_requested",
        "change.updated",
        "mira asked tomas to review lumen/atlas#41: Draw tiles in parallel",
    ),
    ("pull_request_sync.synchronized", "change.updated", "mira pushed to lumen/atlas#41: Draw tiles in parallel"),
    ("push__deleted-tag", "ignored", "push.ref"),
    (
        "push__merge",
        "branch.updated",
        "mira pushed 2 commits to branch main of lumen/atlas: Merge pull request 'Tiles' (#41) from tiles into main",
    ),
    ("push__new-branch-without-commits", "ignored", "push.ref"),
    (
        "push__new-branch",
        "branch.updated",
        "mira pushed 1 commit to branch parallel-tiles of lumen/atlas: Draw tiles in parallel",
    ),
    ("push__new-tag", "ignored", "push.ref"),
    (
        "push__with-secret",
        "branch.updated",
        "mira pushed 1 commit to branch main of lumen/atlas: Draw tiles in parallel (#41)",
    ),
    ("release.deleted", "artifact.deleted", "mira deleted the release lumen/atlas v2.4.0 (Fast tiles)"),
    ("release.published", "artifact.published", "mira released lumen/atlas v2.4.0 (Fast tiles)"),
    ("release.published__draft", "ignored", "release.draft"),
    ("release.updated", "artifact.updated", "mira edited the release lumen/atlas v2.4.0 (Fast tiles)"),
    ("repository.created", "repository.created", "mira created lumen/harbor"),
    ("repository.created__of-a-limited-owner", "ignored", "private-repository"),
    ("repository.created__private", "ignored", "private-repository"),
    ("repository.deleted", "repository.deleted", "mira deleted lumen/harbor"),
    ("status__failure", "taskrun.finished failure", "lumen/atlas: ci/woodpecker failed for commit 3f1d6c0e5f"),
    ("status__pending", "taskrun.started running", "lumen/atlas: ci/woodpecker started for commit 3f1d6c0e5f"),
    ("wiki.edited", "wikipage.updated", "mira edited the wiki page How to draw of lumen/atlas"),
    ("workflow_job.completed__failure", "taskrun.finished failure", "lumen/atlas: job unit failed"),
    ("workflow_job.completed__skipped", "taskrun.finished skipped", "lumen/atlas: job unit was skipped"),
    ("workflow_job.in_progress", "taskrun.started running", "lumen/atlas: job unit started"),
    ("workflow_job.queued", "taskrun.queued queued", "lumen/atlas: job unit is queued"),
    ("workflow_job_blocked", "taskrun.queued queued", "lumen/atlas: job unit waits for other jobs on #41"),
    ("workflow_job_cancelled", "taskrun.finished cancel", "lumen/atlas: job unit was cancelled on #41"),
    ("workflow_job_failure", "taskrun.finished failure", "lumen/atlas: job unit failed on #41"),
    ("workflow_job_running", "taskrun.started running", "lumen/atlas: job unit started on #41"),
    ("workflow_job_skipped", "taskrun.finished skipped", "lumen/atlas: job unit was skipped on #41"),
    ("workflow_job_success", "taskrun.finished success", "lumen/atlas: job unit succeeded on #41"),
    ("workflow_job_waiting", "taskrun.queued queued", "lumen/atlas: job unit waits for a runner on #41"),
    (
        "workflow_run.completed",
        "pipelinerun.finished success",
        "lumen/atlas: tests #812 succeeded on refs/pull/41/head",
    ),
    (
        "workflow_run.completed__cancelled",
        "pipelinerun.finished cancel",
        "lumen/atlas: tests #812 was cancelled on refs/pull/41/head",
    ),
    ("workflow_run.in_progress", "pipelinerun.started running", "lumen/atlas: tests #812 started on refs/pull/41/head"),
    ("workflow_run.requested", "pipelinerun.queued queued", "lumen/atlas: tests #812 is queued on refs/pull/41/head"),
]


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    return found


def deliver(found: dict[str, Any], kind: str = "forgejo", **own: object) -> Verdict:
    delivery = Delivery(source="forge", body=json.dumps(found["body"]).encode(), received=NOW, headers=found["headers"])
    return FORGEJO.read(delivery, FORGEJO.settings(kind=kind, **own))


def only(verdict: Verdict) -> Event:
    assert not isinstance(verdict, Ignored)
    (event,) = verdict
    return event


def read(name: str, **own: object) -> Event:
    return only(deliver(sample(name), **own))  # type: ignore[arg-type]


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
        assert verdict.kind in FORGEJO.ignored
    else:
        assert [(f"{e.kind} {e.outcome}".strip(), e.summary) for e in verdict] == expected()[name]


def test_every_sample_is_in_the_table_and_every_reader_has_a_sample() -> None:
    names = {path.stem for path in SAMPLES.glob("*.json")}
    assert names == set(expected())
    assert set(READERS) <= {name.split("__")[0].split(".")[0] for name in names}
    assert set(READERS) == set(FORGEJO.kinds)


@pytest.mark.parametrize("name", sorted(expected()))
def test_every_event_fits_the_envelope(name: str) -> None:
    found = sample(name)
    verdict = deliver(found)
    for event in () if isinstance(verdict, Ignored) else verdict:
        assert encode("forge", event)
        assert event.id == found["headers"]["x-gitea-delivery"]
        assert event.kind in FORGEJO.kinds[name.split("__")[0].split(".")[0]]
        assert event.severity in SEVERITIES
        assert event.actor in ("mira", "tomas")
        assert event.project in ("lumen/atlas", "lumen/harbor", "")
        assert event.time.year > 2024
        assert event.source == ("https://forge.lumen.example" if event.project else "urn:firehose:forge")
        assert not any(character.isspace() for ref in (event.subject, *event.refs) for character in ref)


def test_one_folder_serves_both_words() -> None:
    assert (FORGEJO.name, FORGEJO.title, GITEA.name, GITEA.title) == ("forgejo", "Forgejo", "gitea", "Gitea")
    assert GITEA.read is FORGEJO.read
    assert {"forgejo", "gitea"} <= set(source.kinds())
    found = sample("pull_request.opened")
    assert only(deliver(found)).type == "org.forgejo.pull_request.opened"
    assert only(deliver(found, "gitea")).type == "io.gitea.pull_request.opened"
    assert GITEA.settings(kind="gitea", refs_from="push").refs_from == "push"


def test_giteas_headers_are_read_like_forgejos() -> None:
    found = sample("pull_request_label.label_updated")
    for name in [name for name in found["headers"] if "forgejo" in name]:
        del found["headers"][name]
    assert only(deliver(found, "gitea")).type == "io.gitea.pull_request_label.label_updated"


@pytest.mark.parametrize(
    "name",
    ["pull_request_review_approved", "pull_request_review_rejected", "pull_request_review_comment"],
)
def test_a_review_is_known_without_the_event_type_header(name: str) -> None:
    found = sample(f"{name}.reviewed")
    kind = only(deliver(found)).kind
    found["headers"] = {key: value for key, value in found["headers"].items() if not key.endswith("-type")}
    assert only(deliver(found)).kind == kind


def test_a_build_joins_its_change_by_refs() -> None:
    change, status = read("pull_request.opened"), read("status__failure")
    for run, job in (("workflow_run.completed", "workflow_job.completed__failure"),
                     ("action_run_success", "workflow_job_failure")):  # fmt: skip
        assert change.subject in read(run).refs
        assert read(run).subject in read(job).refs
        assert set(change.refs) & set(read(run).refs) & set(read(job).refs) == {f"commit/{HEAD}"}
    assert f"commit/{HEAD}" in status.refs


def test_a_merge_ties_the_push_the_change_and_the_issue() -> None:
    merged, push = read("pull_request.closed__merged"), read("push__merge")
    assert merged.subject in push.refs
    assert "lumen/atlas#17" in merged.refs
    assert push.refs[0] in merged.refs
    assert "lumen/atlas#41" in read("push__with-secret").refs


def test_refs_from_push_turns_the_reports_on_refs_around() -> None:
    own = {"refs_from": "push"}
    assert [read(f"push__{case}", **own).kind for case in ("new-branch", "new-tag", "deleted-tag")] == [
        "branch.created", "tag.created", "tag.deleted",
    ]  # fmt: skip
    assert deliver(sample("create__branch"), **own) == Ignored("create")
    # No push tells of a deleted branch.
    assert read("delete__branch", **own).kind == "branch.deleted"


def test_a_repository_that_is_not_said_to_be_public_is_not_public() -> None:
    found = sample("issues.opened")
    found["body"]["repository"].pop("private")
    found["body"]["repository"]["owner"].pop("visibility", None)
    found["body"].pop("organization", None)
    assert deliver(found) == Ignored("visibility-unknown")
    assert only(deliver(found, private_repositories=True)).audience == ""
    assert only(deliver(found, audience="lumen")).audience == "lumen"


def test_private_repositories_stay_private() -> None:
    found = sample("repository.created__private")
    assert deliver(found) == Ignored("private-repository")
    assert only(deliver(found, private_repositories=True)).kind == "repository.created"
    assert only(deliver(found, audience="lumen")).audience == "lumen"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("fork", "repository.private"),
        ("fork", "forkee.private"),
        ("issues.opened", "repository.internal"),
        ("action_run_success", "run.repository.private"),
        ("package.created", "package.repository.private"),
    ],
)
def test_a_private_repository_anywhere_in_the_payload_counts(name: str, path: str) -> None:
    found = sample(name)
    *keys, last = path.split(".")
    at = found["body"]
    for key in keys:
        at = at[key]
    at[last] = True
    assert deliver(found) == Ignored("private-repository")


def test_times_that_mean_never_are_no_times() -> None:
    assert read("workflow_run.requested").time == NOW
    assert read("status__pending").time == datetime(2025, 10, 9, 9, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("pull_request.opened", "action"),
        ("issues.opened", "action"),
        ("issue_comment.created", "action"),
        ("create__branch", "ref_type"),
        ("repository.created", "action"),
        ("release.published", "action"),
        ("package.created", "action"),
        ("wiki.edited", "action"),
        ("status__failure", "state"),
        ("workflow_run.completed", "action"),
    ],
)
def test_an_unknown_word_is_unknown_and_not_dropped(name: str, path: str) -> None:
    found = sample(name)
    found["body"][path] = "danced"
    with pytest.raises(UnknownKind, match="danced"):
        deliver(found)


def test_an_unknown_event_is_unknown_and_no_event_is_refused_with_the_next_step() -> None:
    found = sample("wiki.edited")
    found["headers"] = {"x-forgejo-event": "telepathy"}
    with pytest.raises(UnknownKind, match="telepathy"):
        deliver(found)
    found["headers"] = {}
    with pytest.raises(Refused, match="--header 'X-Forgejo-Event: ") as refusal:
        deliver(found)
    assert refusal.value.field == "x-forgejo-event"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"pull_request": None}, "pull_request.number"),
        ({"repository": None}, "repository.full_name"),
        ({"repository": {"full_name": 7}}, "repository.full_name"),
        ({"sender": {"login": []}}, "sender.login"),
    ],
)
def test_a_bad_field_is_named(change: dict[str, object], field: str) -> None:
    found = sample("pull_request.opened")
    found["body"].update(change)
    with pytest.raises(Refused) as refusal:
        deliver(found)
    assert (refusal.value.field, refusal.value.status) == (field, 422)


def test_the_event_of_a_body_without_headers_is_found_by_name_or_shape() -> None:
    assert FORGEJO.guess is not None
    for path in sorted(SAMPLES.glob("*.json")):
        found = json.loads(path.read_text())
        event = path.stem.split("__")[0].split(".")[0]
        assert FORGEJO.guess(Wild(found["body"]), path.name) == {"x-forgejo-event": event}
        headers = FORGEJO.guess(Wild(found["body"]), "unnamed.json")
        if headers:
            # `issue_label` looks like `issues` and is read alike; so do the other narrower words.
            guessed = deliver({"headers": headers, "body": found["body"]})
            known = deliver(found)
            assert isinstance(guessed, Ignored) == isinstance(known, Ignored), path.name


def test_native_kind_is_the_senders_word() -> None:
    assert FORGEJO.native_kind is not None
    found = sample("pull_request.opened")
    delivery = Delivery(source="x", body=json.dumps(found["body"]).encode(), received=NOW, headers=found["headers"])
    assert FORGEJO.native_kind(delivery) == "pull_request.opened"
    assert FORGEJO.native_kind(Delivery(source="x", body=b"{}", received=NOW)) == ""
