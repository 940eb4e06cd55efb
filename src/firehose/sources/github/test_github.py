"""GitHub's deliveries, by samples and by the odd cases."""

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
from firehose.sources.github.github import READERS
from firehose.wild import Wild

SAMPLES = Path(__file__).parent / "samples"
GITHUB = source.load("github")
NOW = datetime(2026, 1, 2, tzinfo=UTC)
HEAD = "3f1d6c0e5f0b4e0e8a7a2f6f5f7f0b1a2c3d4e5f"

TABLE = [
    (
        "branch_protection_rule.edited",
        "repository.modified",
        "mira edited the branch protection rule stable/* of lumen/atlas",
    ),
    ("check_run.completed", "taskrun.finished success", "lumen/atlas: check lint ended (neutral)"),
    ("check_run.completed__actions", "ignored", "check_run.actions"),
    ("check_run.created", "taskrun.started running", "lumen/atlas: check lint started"),
    (
        "check_run.created__already-completed",
        "taskrun.finished failure",
        "lumen/atlas: check lint needs somebody to act",
    ),
    ("check_run.rerequested", "ignored", "check_run.rerequested"),
    ("check_suite.completed", "pipelinerun.finished failure", "lumen/atlas: checks of Lumen Lint failed"),
    ("check_suite.requested__actions", "ignored", "check_suite.actions"),
    ("commit_comment.created", "comment.added", "mira commented on commit 3f1d6c0e5f of lumen/atlas"),
    ("create__tag", "ignored", "create"),
    ("delete__branch", "ignored", "delete"),
    ("dependabot_alert.created", "ignored", "security-finding"),
    ("deployment.created", "taskrun.queued queued", "lumen/atlas: deployment of v2.4.0 to production was asked for"),
    ("deployment_review.approved", "approval.closed success", "lumen/atlas: deployment to production was approved"),
    (
        "deployment_status.created__failure",
        "taskrun.finished failure",
        "lumen/atlas: deployment of v2.4.0 to production failed",
    ),
    (
        "deployment_status.created__in-progress",
        "taskrun.started running",
        "lumen/atlas: deployment of v2.4.0 to production started",
    ),
    (
        "deployment_status.created__inactive",
        "environment.modified",
        "lumen/atlas: deployment of v2.4.0 to production was replaced",
    ),
    (
        "deployment_status.created__success",
        "service.deployed success",
        "lumen/atlas: deployment of v2.4.0 to production succeeded",
    ),
    (
        "discussion.answered",
        "discussion.updated",
        "mira marked an answer to the discussion lumen/atlas#44: Which projection next?",
    ),
    ("discussion.created", "discussion.created", "mira started the discussion lumen/atlas#44: Which projection next?"),
    (
        "discussion_comment.created",
        "comment.added",
        "mira commented on the discussion lumen/atlas#44: Which projection next?",
    ),
    ("fork", "repository.forked", "tomas forked lumen/atlas as tomas/atlas"),
    ("gollum__two-pages", "wikipage.updated", "mira edited the wiki page Home of lumen/atlas"),
    ("gollum__two-pages", "wikipage.created", "mira created the wiki page How to draw of lumen/atlas"),
    ("issue_comment.created", "comment.added", "mira commented on lumen/atlas#17: Tiles are drawn one after another"),
    (
        "issue_comment.created__on-pull-request",
        "comment.added",
        "mira commented on lumen/atlas#41: Draw tiles in parallel",
    ),
    (
        "issue_comment.deleted",
        "comment.deleted",
        "mira deleted a comment on lumen/atlas#17: Tiles are drawn one after another",
    ),
    (
        "issue_dependencies.blocked_by_added",
        "ticket.updated",
        "lumen/atlas#17 is blocked by lumen/atlas#19: Tiles are drawn one after another",
    ),
    ("issues.assigned", "ticket.updated", "tomas assigned mira to lumen/atlas#17: Tiles are drawn one after another"),
    (
        "issues.closed",
        "ticket.closed success",
        "tomas closed lumen/atlas#17 as completed: Tiles are drawn one after another",
    ),
    (
        "issues.closed__not-planned",
        "ticket.closed cancel",
        "tomas closed lumen/atlas#17 as not planned: Tiles are drawn one after another",
    ),
    ("issues.deleted", "ticket.deleted", "tomas deleted lumen/atlas#17: Tiles are drawn one after another"),
    ("issues.opened", "ticket.created", "tomas opened lumen/atlas#17: Tiles are drawn one after another"),
    ("issues.opened__empty-body", "ticket.created", "tomas opened lumen/atlas#18: Ünïcode 🗺 titles"),
    ("issues.opened__private-repository", "ignored", "private-repository"),
    (
        "issues.transferred",
        "ticket.updated",
        "tomas moved lumen/atlas#17 to lumen/harbor#3: Tiles are drawn one after another",
    ),
    ("label.created", "repository.modified", "mira created the label performance of lumen/atlas"),
    ("merge_group.checks_requested", "change.updated", "The merge queue asks for checks of lumen/atlas#41"),
    ("meta.deleted", "incident.detected", "mira deleted the webhook 411000111 of lumen/atlas: GitHub is silent now"),
    ("milestone.closed", "milestone.closed", "mira closed the milestone 2.4 of lumen/atlas"),
    (
        "package.published",
        "artifact.published",
        "mira published the container package atlas sha256:1234 of lumen/atlas",
    ),
    ("page_build", "taskrun.finished failure", "lumen/atlas: building its pages failed"),
    ("ping", "ignored", "ping"),
    ("public", "repository.modified", "mira made lumen/atlas public"),
    ("pull_request.closed__abandoned", "change.abandoned cancel", "mira closed lumen/atlas#41: Draw tiles in parallel"),
    ("pull_request.closed__merged", "change.merged success", "mira merged lumen/atlas#41: Draw tiles in parallel"),
    ("pull_request.converted_to_draft", "change.updated", "mira made lumen/atlas#41 a draft: Draw tiles in parallel"),
    ("pull_request.enqueued", "change.updated", "mira put lumen/atlas#41 into the merge queue: Draw tiles in parallel"),
    (
        "pull_request.labeled",
        "change.updated",
        "mira put the label performance on lumen/atlas#41: Draw tiles in parallel",
    ),
    ("pull_request.opened", "change.created", "mira opened lumen/atlas#41: Draw tiles in parallel"),
    (
        "pull_request.opened__no-body-by-bot",
        "change.created",
        "mira opened lumen/atlas#42: Raise the version of pillow",
    ),
    ("pull_request.reopened", "change.restored", "mira reopened lumen/atlas#41: Draw tiles in parallel"),
    (
        "pull_request.review_requested",
        "change.updated",
        "mira asked tomas to review lumen/atlas#41: Draw tiles in parallel",
    ),
    (
        "pull_request.review_requested__team",
        "change.updated",
        "mira asked the team renderers to review lumen/atlas#41: Draw tiles in parallel",
    ),
    ("pull_request.synchronize", "change.updated", "mira pushed to lumen/atlas#41: Draw tiles in parallel"),
    (
        "pull_request_review.dismissed",
        "change.reviewed",
        "mira dismissed a review of lumen/atlas#41: Draw tiles in parallel",
    ),
    (
        "pull_request_review.submitted__approved",
        "change.reviewed success",
        "tomas approved lumen/atlas#41: Draw tiles in parallel",
    ),
    (
        "pull_request_review.submitted__changes-requested",
        "change.reviewed failure",
        "tomas requested changes to lumen/atlas#41: Draw tiles in parallel",
    ),
    (
        "pull_request_review.submitted__comment",
        "comment.added",
        "tomas reviewed lumen/atlas#41: Draw tiles in parallel",
    ),
    ("pull_request_review.submitted__wrapper", "ignored", "pull_request_review.empty"),
    (
        "pull_request_review_comment.created",
        "comment.added",
        "tomas commented on lumen/atlas#41 (atlas/tiles.py): Draw tiles in parallel",
    ),
    (
        "pull_request_review_thread.resolved",
        "change.updated",
        "mira resolved a discussion of lumen/atlas#41: Draw tiles in parallel",
    ),
    ("push__deleted-branch", "branch.deleted", "mira deleted branch parallel-tiles of lumen/atlas"),
    (
        "push__forced",
        "branch.updated",
        'mira force-pushed 1 commit to branch stable/2025 "x" of lumen/atlas: Draw tiles in parallel',
    ),
    (
        "push__merge",
        "branch.updated",
        "mira pushed 2 commits to branch main of lumen/atlas: Merge pull request #41 from mira/parallel-tiles",
    ),
    (
        "push__new-branch",
        "branch.created",
        "mira created branch parallel-tiles of lumen/atlas with 1 commit: Draw tiles in parallel",
    ),
    ("push__new-tag", "tag.created", "mira created tag v2.4.0 of lumen/atlas"),
    (
        "push__squash",
        "branch.updated",
        "mira pushed 1 commit to branch main of lumen/atlas: Draw tiles in parallel (#41)",
    ),
    ("release.created__draft", "ignored", "release.draft"),
    ("release.deleted", "artifact.deleted", "mira deleted the release lumen/atlas v2.4.0 (Fast tiles)"),
    ("release.prereleased", "artifact.updated", "mira marked lumen/atlas v2.4.0-rc1 as a pre-release"),
    ("release.published", "artifact.published", "mira released lumen/atlas v2.4.0 (Fast tiles)"),
    ("repository.archived", "repository.modified", "mira archived lumen/harbor"),
    ("repository.created", "repository.created", "mira created lumen/harbor"),
    ("repository.privatized", "ignored", "private-repository"),
    ("repository.renamed", "repository.modified", "mira renamed lumen/mapper to lumen/atlas"),
    (
        "repository_advisory.published",
        "incident.reported",
        "lumen/atlas published GHSA-2x4c-9vjq-7m3p: Tiles of other tenants can be read",
    ),
    ("repository_ruleset.created", "repository.modified", "mira created the ruleset signed commits of lumen/atlas"),
    ("secret_scanning_alert.resolved", "ignored", "security-finding"),
    ("star.created", "ignored", "star"),
    ("status__error", "taskrun.finished error", "lumen/atlas: docs/preview broke off for commit 3f1d6c0e5f"),
    ("status__pending", "taskrun.started running", "lumen/atlas: docs/preview started for commit 3f1d6c0e5f"),
    (
        "sub_issues.sub_issue_added",
        "ticket.updated",
        "lumen/atlas#17 got the part lumen/harbor#19: Tiles are drawn one after another",
    ),
    ("workflow_job.completed__failure", "taskrun.finished failure", "lumen/atlas: job unit (3.12) (tests) failed"),
    ("workflow_job.completed__skipped", "taskrun.finished skipped", "lumen/atlas: job unit (3.12) was skipped"),
    ("workflow_job.in_progress", "taskrun.started running", "lumen/atlas: job unit (3.12) (tests) started"),
    ("workflow_job.queued", "taskrun.queued queued", "lumen/atlas: job unit (3.12) (tests) is queued"),
    ("workflow_run.completed", "pipelinerun.finished success", "lumen/atlas: tests #812 succeeded on parallel-tiles"),
    (
        "workflow_run.completed__cancelled",
        "pipelinerun.finished cancel",
        "lumen/atlas: tests #812 was cancelled on parallel-tiles",
    ),
    (
        "workflow_run.completed__timed-out",
        "pipelinerun.finished failure",
        "lumen/atlas: tests #812 timed out on parallel-tiles",
    ),
    ("workflow_run.in_progress", "pipelinerun.started running", "lumen/atlas: tests #812 started on parallel-tiles"),
    ("workflow_run.requested", "pipelinerun.queued queued", "lumen/atlas: tests #812 is queued on parallel-tiles"),
]


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    return found


def deliver(found: dict[str, Any], **own: object) -> Verdict:
    delivery = Delivery(
        source="github", body=json.dumps(found["body"]).encode(), received=NOW, headers=found["headers"]
    )
    return GITHUB.read(delivery, GITHUB.settings(kind="github", **own))


def read(name: str, **own: object) -> Event:
    verdict = deliver(sample(name), **own)
    assert not isinstance(verdict, Ignored)
    return verdict[0]


def changed(name: str, **members: object) -> dict[str, Any]:
    found = sample(name)
    found["body"].update(members)
    return found


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
    else:
        assert [(f"{e.kind} {e.outcome}".strip(), e.summary) for e in verdict] == expected()[name]


def test_every_sample_is_in_the_table_and_every_reader_has_a_sample() -> None:
    names = {path.stem for path in SAMPLES.glob("*.json")}
    assert names == set(expected())
    without = {name for name in READERS if not any(stem.split("__")[0].split(".")[0] == name for stem in names)}
    assert without == {
        "branch_protection_configuration", "code_scanning_alert", "repository_import", "repository_vulnerability_alert",
        "secret_scanning_alert_location",
    }  # fmt: skip


def test_the_tables_agree_with_the_readers() -> None:
    assert set(READERS) == set(GITHUB.kinds)
    assert all(reason for reason in GITHUB.ignored.values())


@pytest.mark.parametrize("name", sorted(expected()))
def test_every_event_fits_the_envelope(name: str) -> None:
    found = sample(name)
    verdict = deliver(found)
    for event in () if isinstance(verdict, Ignored) else verdict:
        assert encode("github", event)
        assert event.id.startswith(found["headers"]["x-github-delivery"])
        assert event.type.startswith("com.github.")
        assert event.source == "https://github.com"
        assert event.kind in GITHUB.kinds[found["headers"]["x-github-event"]]
        assert event.severity in SEVERITIES
        assert event.project.startswith("lumen/")
        assert "@" not in event.actor
        assert not any(character.isspace() for ref in (event.subject, *event.refs) for character in ref)


@pytest.mark.parametrize(
    ("name", "type_", "subject"),
    [
        ("pull_request.opened", "com.github.pull_request.opened", "lumen/atlas#41"),
        ("push__merge", "com.github.push", "lumen/atlas@refs/heads/main"),
        ("issues.opened", "com.github.issue.opened", "lumen/atlas#17"),
        ("deployment.created", "com.github.deployment", "deployment/lumen/atlas/4400"),
        ("deployment_status.created__success", "com.github.deployment_status.success", "deployment/lumen/atlas/4400"),
        ("workflow_run.completed", "com.github.workflow_run.completed", "run/lumen/atlas/70010001"),
        ("release.published", "com.github.release.published", "release/lumen/atlas/v2.4.0"),
        ("status__error", "com.github.status", f"status/lumen/atlas/{HEAD}/docs/preview"),
    ],
)  # fmt: skip
def test_types_are_those_of_the_cloudevents_adapter(name: str, type_: str, subject: str) -> None:
    event = read(name)
    assert (event.type, event.subject) == (type_, subject)


def test_a_build_joins_its_change_by_refs() -> None:
    change, run, job = read("pull_request.opened"), read("workflow_run.completed"), read("workflow_job.queued")
    assert change.subject in run.refs
    assert run.subject in job.refs
    assert set(change.refs) & set(run.refs) & set(job.refs) == {f"commit/{HEAD}"}


def test_a_merge_ties_the_push_the_change_and_the_issue() -> None:
    merged, push = read("pull_request.closed__merged"), read("push__merge")
    assert merged.subject in push.refs
    assert "lumen/atlas#17" in merged.refs
    assert merged.refs[1] == push.refs[0]


def test_refs_from_create_turns_the_reports_on_refs_around() -> None:
    tag, branch = read("create__tag", refs_from="create"), read("delete__branch", refs_from="create")
    assert (tag.kind, tag.type, tag.subject) == ("tag.created", "com.github.create.tag", "lumen/atlas@refs/tags/v2.4.0")
    assert (branch.kind, branch.type) == ("branch.deleted", "com.github.delete.branch")
    assert deliver(sample("push__new-tag"), refs_from="create") == Ignored("push.ref")
    assert deliver(sample("push__deleted-branch"), refs_from="create") == Ignored("push.ref")
    assert read("push__new-branch", refs_from="create").kind == "branch.updated"


def test_a_repository_that_is_not_said_to_be_public_is_not_public() -> None:
    found = sample("issues.opened")
    for name in ("private", "visibility"):
        found["body"]["repository"].pop(name, None)
    assert deliver(found) == Ignored("visibility-unknown")
    assert not isinstance(deliver(found, private_repositories=True), Ignored)
    assert not isinstance(deliver(found, audience="lumen"), Ignored)


def test_private_repositories_stay_private() -> None:
    found = sample("issues.opened__private-repository")
    assert deliver(found) == Ignored("private-repository")
    assert not isinstance(deliver(found, private_repositories=True), Ignored)
    verdict = deliver(found, audience="security")
    assert not isinstance(verdict, Ignored)
    assert [event.audience for event in verdict] == ["security"]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("fork", ("forkee",)),
        ("pull_request.opened", ("pull_request", "head", "repo")),
        ("issues.transferred", ("changes", "new_repository")),
        ("sub_issues.sub_issue_added", ("sub_issue_repo",)),
    ],
)
def test_a_private_repository_anywhere_in_the_payload_counts(name: str, path: tuple[str, ...]) -> None:
    found = sample(name)
    at = found["body"]
    for key in path:
        at = at[key]
    at["private"] = True
    assert deliver(found) == Ignored("private-repository")


def test_internal_is_not_public() -> None:
    found = sample("issues.opened")
    found["body"]["repository"]["visibility"] = "internal"
    assert deliver(found) == Ignored("private-repository")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("dependabot_alert.created", "incident.detected"), ("secret_scanning_alert.resolved", "incident.resolved")],
)
def test_security_findings_only_reach_an_audience(name: str, kind: str) -> None:
    assert deliver(sample(name), private_repositories=True) == Ignored("security-finding")
    event = read(name, audience="security")
    assert (event.kind, event.audience) == (kind, "security")


def test_a_reported_advisory_is_a_finding_and_a_published_one_is_news() -> None:
    found = changed("repository_advisory.published", action="reported")
    assert deliver(found) == Ignored("security-finding")
    verdict = deliver(found, audience="security")
    assert not isinstance(verdict, Ignored)
    assert verdict[0].kind == "incident.detected"


def test_the_payload_is_verbatim() -> None:
    found = sample("pull_request.opened")
    assert read("pull_request.opened").data == json.dumps(found["body"]).encode()


def test_without_a_delivery_id_the_body_is_the_id() -> None:
    found = sample("pull_request.opened")
    del found["headers"]["x-github-delivery"]
    first, again = deliver(found), deliver(found)
    found["body"]["action"] = "closed"
    other = deliver(found)
    assert not isinstance(first, Ignored)
    assert not isinstance(again, Ignored)
    assert not isinstance(other, Ignored)
    assert first[0].id == again[0].id != other[0].id


def test_an_enterprise_server_is_its_own_source() -> None:
    assert read("push__merge", url="https://git.lumen.example/").source == "https://git.lumen.example"
    found = sample("push__merge")
    found["headers"]["x-github-enterprise-host"] = "git.lumen.example"
    verdict = deliver(found, url="")
    assert not isinstance(verdict, Ignored)
    assert verdict[0].source == "https://git.lumen.example"


@pytest.mark.parametrize(
    ("name", "change", "kind"),
    [
        ("pull_request.opened", {"action": "danced"}, "pull_request.danced"),
        ("issues.opened", {"action": "danced"}, "issues.danced"),
        ("status__error", {"state": "danced"}, "status.danced"),
        ("create__tag", {"ref_type": "repository"}, "create.repository"),
        ("gollum__two-pages", {"pages": [{"action": "danced"}]}, "gollum.danced"),
    ],
)
def test_an_unknown_action_is_unknown_and_not_dropped(name: str, change: dict[str, object], kind: str) -> None:
    with pytest.raises(UnknownKind) as error:
        deliver(changed(name, **change), refs_from="create")
    assert error.value.kind == kind


def test_an_unknown_event_is_unknown_and_no_event_is_refused_with_the_next_step() -> None:
    found = sample("ping")
    found["headers"]["x-github-event"] = "telepathy"
    with pytest.raises(UnknownKind, match="telepathy"):
        deliver(found)
    del found["headers"]["x-github-event"]
    with pytest.raises(Refused, match="--header 'X-GitHub-Event: ") as refusal:
        deliver(found)
    assert refusal.value.field == "x-github-event"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"pull_request": None}, "pull_request.number"),
        ({"repository": {"full_name": 7}}, "repository.full_name"),
        ({"repository": {}}, "repository.full_name"),
        ({"sender": {"login": []}}, "sender.login"),
    ],
)
def test_a_bad_field_is_named(change: dict[str, object], field: str) -> None:
    with pytest.raises(Refused) as refusal:
        deliver(changed("pull_request.opened", **change))
    assert (refusal.value.field, refusal.value.status) == (field, 422)


def test_links_that_are_no_web_addresses_are_left_out() -> None:
    found = sample("pull_request.opened")
    found["body"]["pull_request"]["html_url"] = "javascript:alert(1)"
    verdict = deliver(found)
    assert not isinstance(verdict, Ignored)
    assert verdict[0].link == ""


def test_the_event_of_a_body_without_headers_is_found_by_name_or_shape() -> None:
    assert GITHUB.guess is not None
    for path in sorted(SAMPLES.glob("*.json")):
        found = json.loads(path.read_text())
        event = found["headers"]["x-github-event"]
        assert GITHUB.guess(Wild(found["body"]), path.name) == {"x-github-event": event}
        shaped = GITHUB.guess(Wild(found["body"]), "unnamed.json").get("x-github-event", event)
        # A secret scanning alert looks like any other alert, and star like nothing at all: no shape, no guess.
        assert shaped == event, path.name


def test_native_kind_is_githubs_word() -> None:
    assert GITHUB.native_kind is not None
    found = sample("pull_request.opened")
    delivery = Delivery(source="x", body=json.dumps(found["body"]).encode(), received=NOW, headers=found["headers"])
    assert GITHUB.native_kind(delivery) == "pull_request.opened"
    assert GITHUB.native_kind(Delivery(source="x", body=b"{", received=NOW)) == ""


@pytest.mark.parametrize(
    "name",
    ["repository.renamed", "public", "label.created", "fork", "repository_ruleset.created"],
)
def test_what_is_about_the_repository_itself_has_it_for_a_subject(name: str) -> None:
    assert read(name).subject == "lumen/atlas"


def test_a_transferred_repository_refers_to_what_it_was() -> None:
    found = sample("repository.renamed")
    found["body"] |= {"action": "transferred", "changes": {"owner": {"from": {"organization": {"login": "old-home"}}}}}
    (event,) = deliver(found)  # type: ignore[misc]
    assert "old-home/atlas" in event.refs


def test_a_check_that_waits_for_its_turn_is_queued() -> None:
    found = sample("check_run.created")
    found["body"]["check_run"] |= {"status": "queued", "completed_at": None}
    (event,) = deliver(found)  # type: ignore[misc]
    assert (event.kind, event.outcome) == ("taskrun.queued", "queued")
    assert event.summary.endswith("is queued")


def test_a_suite_of_checks_links_to_the_repository() -> None:
    assert read("check_suite.completed").link == "https://github.com/lumen/atlas"
