"""Launchpad's webhooks and mail, by samples; what the old lpmqtt got wrong, each by name."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firehose import source
from firehose.errors import Refused, UnknownKind
from firehose.event import Event
from firehose.ops.explain import Payload, payloads

SAMPLES = Path(__file__).parent / "samples"
LAUNCHPAD = source.load("launchpad")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def sample(name: str) -> Payload:
    (found,) = payloads((SAMPLES / f"{name}.json").read_bytes())
    return found


def verdict(payload: Payload, **own: Any) -> source.Verdict:
    delivery = source.Delivery(source="launchpad", body=payload.body, received=NOW, headers=payload.headers)
    return LAUNCHPAD.read(delivery, LAUNCHPAD.settings(kind="launchpad", **own))


def read(payload: Payload, **own: Any) -> list[Event]:
    found = verdict(payload, **own)
    assert not isinstance(found, source.Ignored)
    return list(found)


def one(name: str) -> Event:
    (event,) = read(sample(name))
    return event


@pytest.mark.parametrize(
    ("name", "kind", "actor", "summary"),
    [
        ("bug__created", "ticket.created", "tomas",
         "tomas reported bug 2100001 in atlas: Tiles are drawn one after another"),
        ("bug__status-triaged", "ticket.updated", "",
         "bug 2100001 in atlas is Triaged, was New: Tiles are drawn one after another"),
        ("bug__status-released", "ticket.closed success", "",
         "bug 2100001 in ubuntu/atlas is Fix Released, was New: Tiles are drawn one after another"),
        ("bug_comment__created", "comment.added", "mira",
         "mira commented on bug 2100001 in atlas: I can reproduce this."),
        ("merge-proposal__created", "change.created", "mira",
         "atlas: tiles into main was proposed: Draw tiles in parallel"),
        ("merge-proposal__approved", "change.reviewed success", "",
         "atlas: tiles into main was approved: Draw tiles in parallel"),
        ("merge-proposal__merged", "change.merged success", "",
         "atlas: tiles into main was merged: Draw tiles in parallel"),
        ("merge-proposal__rejected", "change.abandoned cancel", "",
         "atlas: tiles into main was rejected: Draw tiles in parallel"),
        ("merge-proposal__edited", "change.updated", "", "atlas: tiles into main was edited: Draw tiles faster"),
        ("merge-proposal__deleted", "change.deleted cancel", "",
         "atlas: tiles into main was deleted: Draw tiles in parallel"),
        ("bzr_push__plain", "branch.updated", "", "branch ~mira/atlas/trunk was pushed to"),
        ("ci_build__success", "taskrun.finished success", "", "atlas: build 99 successfully built"),
        ("snap_build__failed", "taskrun.finished failure", "", "~mira/atlas: build 5 failed to build"),
        ("mail_bug__new", "ticket.created", "mira",
         "mira reported bug 2100001 in atlas: Tiles are drawn one after another"),
        ("mail_bug__comment", "comment.added", "mira",
         "mira commented on bug 2100001 in atlas: Tiles are drawn one after another"),
    ],
)  # fmt: skip
def test_a_sample_becomes(name: str, kind: str, actor: str, summary: str) -> None:
    event = one(name)
    assert (f"{event.kind} {event.outcome}".strip(), event.actor, event.summary) == (kind, actor, summary)


def test_a_push_is_one_event_for_each_ref() -> None:
    events = read(sample("git_push__three-refs"))
    assert [(event.kind, event.subject.partition("@")[2]) for event in events] == [
        ("branch.updated", "refs/heads/main"), ("branch.created", "refs/heads/tiles"), ("tag.deleted", "refs/tags/1.0"),
    ]  # fmt: skip
    assert len({event.id for event in events}) == 3
    assert {event.project for event in events} == {"atlas"}
    assert f"commit/{'2' * 40}" in events[0].refs


def test_bugs_proposals_and_builds_have_links_and_refs() -> None:
    assert one("bug__created").link == "https://bugs.launchpad.net/bugs/2100001"
    assert one("bug_comment__created").link == "https://bugs.launchpad.net/atlas/%2Bbug/2100001/comments/1"
    proposal = one("merge-proposal__created")
    assert proposal.link.startswith("https://code.launchpad.net/~mira/atlas/")
    assert proposal.refs == ("atlas", "~mira/atlas/%2Bgit/atlas")
    assert one("ci_build__success").refs == ("~mira/atlas/%2Bgit/atlas", f"commit/{'2' * 40}")


def test_a_ping_is_ignored_and_the_unknown_is_unknown() -> None:
    assert verdict(sample("ping__plain")) == source.Ignored("ping")
    strange = Payload(body=b"{}", headers={"x-launchpad-event-type": "teapot:0.1"})
    with pytest.raises(UnknownKind, match="teapot"):
        verdict(strange)
    with pytest.raises(UnknownKind, match="no X-Launchpad-Event-Type"):
        verdict(Payload(body=b"{}"))


def test_the_payload_and_topic_of_a_bug_mail_are_those_of_lpmqtt() -> None:
    event = one("mail_bug__comment")
    assert event.alias == ("launchpad/atlas/bug/2100001",)
    told = json.loads(event.data)
    assert {name: told[name] for name in ("bug-number", "event-type", "status", "project", "importance")} == {
        "bug-number": "2100001", "event-type": "bug", "status": "New", "project": "atlas", "importance": "Undecided",
    }  # fmt: skip
    assert (told["commenters"], told["tags"]) == (["mira", "tomas"], ["tiles", "slow"])
    assert told["bug-reporter"] == "Tomas Lind (tomas)"


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("bug__created", "launchpad/atlas/bug/2100001"),
        ("bug__status-released", "launchpad/ubuntu/atlas/bug/2100001"),
        ("bug_comment__created", "launchpad/atlas/bug/2100001"),
        ("merge-proposal__created", "launchpad/atlas/code-review"),
    ],
)
def test_a_webhook_has_the_topic_that_mail_about_the_same_had(name: str, topic: str) -> None:
    assert one(name).alias == (topic,)


@pytest.mark.parametrize("name", ["mail_bug__reply", "mail_bug__list-prefix"])
def test_lpmqtt_defect_no_number_in_a_reply_and_an_index_error_for_a_list_prefix(name: str) -> None:
    event = one(name)
    assert event.subject == "bug/2100001"
    assert event.summary.endswith("Tiles are drawn one after another")


def test_lpmqtt_defect_only_the_first_of_several_projects_was_read() -> None:
    first, second = read(sample("mail_bug__two-tasks"))
    assert (first.project, first.kind, first.outcome) == ("atlas", "ticket.closed", "success")
    assert (second.project, second.kind) == ("ubuntu/atlas", "ticket.updated")
    assert [event.alias[0] for event in (first, second)] == [
        "launchpad/atlas/bug/2100001", "launchpad/ubuntu/atlas/bug/2100001",
    ]  # fmt: skip
    assert first.id != second.id


def test_lpmqtt_defect_bodies_in_parts_broke_the_json() -> None:
    assert json.loads(one("mail_bug__multipart").data)["body"] == "A café in parts."


def test_lpmqtt_defect_quoted_text_and_encoded_names_were_not_decoded() -> None:
    told = json.loads(one("mail_bug__comment").data)
    assert told["bug-modifier"] == "Mira Novák (mira)"
    assert "a café machine" in told["body"]


def test_lpmqtt_defect_private_bugs_were_published() -> None:
    assert verdict(sample("mail_bug__private")) == source.Ignored("mail.private-bug")
    (event,) = read(sample("mail_bug__private"), audience="security")
    assert event.kind == "comment.added"


def test_lpmqtt_defect_the_timeout_had_two_names() -> None:
    settings = LAUNCHPAD.settings(kind="launchpad", imap="imap.example.org:993", idle=77.0)
    assert LAUNCHPAD.holds is not None
    hold = LAUNCHPAD.holds(settings)
    assert isinstance(hold, source.Mailbox)
    assert hold.idle == 77.0


def test_mail_that_is_not_a_bug_is_ignored_by_list() -> None:
    assert verdict(sample("mail__not-launchpad")) == source.Ignored("mail.not-launchpad")
    assert verdict(sample("mail_question__answered")) == source.Ignored("mail.question")
    odd = sample("mail_bug__comment").body.replace(b"Notification-Type: bug", b"Notification-Type: teapot")
    with pytest.raises(UnknownKind, match=r"mail\.teapot"):
        verdict(Payload(body=odd, headers={"content-type": "message/rfc822"}))


def test_a_bug_mail_without_any_number_is_refused() -> None:
    body = sample("mail_bug__comment").body.replace(b"2100001", b"none")
    with pytest.raises(Refused, match="no bug number"):
        verdict(Payload(body=body, headers={"content-type": "message/rfc822"}))


def test_the_shared_mails_are_read(shared: Path) -> None:
    found = {}
    for path in sorted((shared / "samples" / "launchpad" / "mails").glob("*.eml")):
        events = read(Payload(body=path.read_bytes(), headers={"content-type": "message/rfc822"}))
        found[path.stem] = [(event.kind, event.subject, event.project) for event in events]
    assert all(events for events in found.values())
    assert {kind for events in found.values() for kind, _, _ in events} >= {"ticket.created", "comment.added"}
    assert all(subject.removeprefix("bug/").isdigit() for events in found.values() for _, subject, _ in events)


def test_the_shared_webhooks_are_read(shared: Path) -> None:
    lines = (shared / "samples" / "launchpad" / "webhooks-shape-from-docs.jsonl").read_bytes()
    verdicts = [verdict(payload) for payload in payloads(lines)]
    assert len(verdicts) == 11
    assert [found for found in verdicts if isinstance(found, source.Ignored)] == [source.Ignored("ping")]


def series(*tasks: str, changed: str) -> list[Event]:
    found = sample("mail_bug__two-tasks")
    text = found.body.decode()
    head, rest = text.split("X-Launchpad-Bug:", 1)
    rest = "X-Launchpad-Bug-Tags:" + rest.split("X-Launchpad-Bug-Tags:", 1)[1]
    told = "".join(f"X-Launchpad-Bug: {task}\n" for task in tasks)
    body = (head + told + rest).replace("** Changed in: atlas\n", f"** Changed in: {changed}\n")
    return read(Payload(body=body.encode(), headers=found.headers))


@pytest.mark.parametrize(
    ("changed", "closed"),
    [("nova (Ubuntu)", "ubuntu/nova"), ("nova (Ubuntu Jammy)", "ubuntu/nova (jammy)")],
)
def test_a_series_has_a_task_of_its_own(changed: str, closed: str) -> None:
    events = series(
        "distribution=ubuntu; sourcepackage=nova; status=Fix Released; importance=High;",
        "distribution=ubuntu; distroseries=jammy; sourcepackage=nova; status=Fix Released; importance=High;",
        changed=changed,
    )
    told = {event.summary.split(": ")[0].rpartition(" in ")[2]: event.kind for event in events}
    assert told == {
        name: "ticket.closed" if name == closed else "ticket.updated" for name in ("ubuntu/nova", "ubuntu/nova (jammy)")
    }


def test_a_series_of_a_product_is_called_as_the_mail_calls_it() -> None:
    events = series(
        "product=nova; status=New; importance=High;",
        "product=nova; productseries=2024.1; status=Fix Released; importance=High;",
        changed="nova/2024.1",
    )
    assert [event.kind for event in events] == ["ticket.updated", "ticket.closed"]


def test_a_mail_is_explained_as_it_is() -> None:
    found = sample("mail_bug__comment")
    (bare,) = payloads(found.body, file="bug.eml")
    assert read(bare)[0].subject == "bug/2100001"
