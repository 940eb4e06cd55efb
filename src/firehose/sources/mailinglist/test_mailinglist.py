"""Mail of lists, by samples."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from firehose import source
from firehose.event import Event, fingerprint
from firehose.ops.explain import payloads
from firehose.sources.mailinglist.archive import mark_of, thread_of

SAMPLES = Path(__file__).parent / "samples"
LISTS = source.load("mailinglist")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def verdict(name: str, **own: Any) -> source.Verdict:
    (payload,) = payloads((SAMPLES / f"{name}.json").read_bytes())
    delivery = source.Delivery(source="lists", body=payload.body, received=NOW, headers=payload.headers)
    return LISTS.read(delivery, LISTS.settings(kind="mailinglist", **own))


def read(name: str, **own: Any) -> Event:
    found = verdict(name, **own)
    assert not isinstance(found, source.Ignored)
    (event,) = found
    return event


def test_a_thread_and_its_answers_are_one_subject() -> None:
    first, reply = read("mail__new"), read("mail__reply")
    assert (first.kind, reply.kind) == ("thread.created", "comment.added")
    assert first.subject == reply.subject
    assert first.subject.startswith("thread/")
    assert "@" not in first.subject
    assert reply.refs == ("list/devel.lists.lumen.example", first.subject.replace("thread/", "mail/"))
    assert first.summary == "Mira Novák wrote on devel: Fast tiles"
    assert reply.summary == "Tomas Lind answered on devel: Fast tiles"
    assert (first.link, first.time) == (
        "https://lists.lumen.example/devel/1", datetime(2025, 10, 9, 9, 20, tzinfo=UTC),
    )  # fmt: skip
    assert json.loads(first.data)["body"].startswith("A café")


def test_only_the_lists_that_are_named_count() -> None:
    assert read("mail__new", lists={"devel.lists.lumen.example": "lumen/atlas"}).project == "lumen/atlas"
    assert verdict("mail__new", lists={"other.example": ""}) == source.Ignored("mail.other-list")
    assert verdict("mail__personal") == source.Ignored("mail.no-list")


def test_the_archive_calls_threads_and_mails_as_mail_does() -> None:
    first, reply = read("mail__archive-new"), read("mail__archive-reply")
    assert (first.kind, reply.kind) == ("thread.created", "comment.added")
    assert first.subject == reply.subject == thread_of("a1@lumen.example")
    assert reply.refs == ("list/devel.lists.lumen.example", mark_of("a1@lumen.example"))
    assert first.id == fingerprint("a1@lumen.example")
    assert (first.actor, reply.actor) == ("Mira Novák", "Tomas Lind")
    assert reply.summary == "Tomas Lind answered on devel: Fast tiles"
    assert reply.link.startswith("https://lists.lumen.example/archives/list/devel%40lists.lumen.example/message/RQIJ")
    assert "(a)" not in reply.data.decode()
    assert verdict("mail__archive-new", lists={"other.example": ""}) == source.Ignored("mail.other-list")


def test_what_is_asked_of_the_archive() -> None:
    assert LISTS.holds is not None
    assert LISTS.more is not None
    own = {"archive": "https://lists.example/archives/", "lists": {"devel.lists.example": "", "a.example": ""}}
    hold = LISTS.holds(LISTS.settings(kind="mailinglist", **own))
    assert isinstance(hold, source.Poll)
    first, second = hold.requests("")
    assert first.url == "https://lists.example/archives/api/list/a@example/emails/?limit=100&offset=0"
    full = b'{"next": "https://elsewhere.example/", "results": []}'
    assert LISTS.more(second, full, None) is None  # an archive's past is not asked for
    again = hold.requests("2025")[1]
    following = LISTS.more(again, full, None)
    assert following is not None
    assert following.url == "https://lists.example/archives/api/list/devel@lists.example/emails/?limit=100&offset=100"
    assert LISTS.more(following, b'{"next": null, "results": []}', None) is None
