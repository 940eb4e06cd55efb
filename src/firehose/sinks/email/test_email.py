"""The e-mail sink against a real SMTP server: one mail for each event, threads, digests, refusals, and stopping."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from firehose.errors import Broken, GiveUp, TryLater
from firehose.event import Event, Recorded, encode
from firehose.plumbing.clock import now
from firehose.sink import Message, Outlet, Tools
from firehose.sinks.email.email import SINK, EmailSettings, due, lanes, problem, render

ADA = "Ada <ada@example.org>"


def settings(**more: Any) -> EmailSettings:
    given = {"kind": "email", "url": "smtp://127.0.0.1", "sender": "Hub <hub@example.org>", "to": (ADA,), **more}
    return EmailSettings(**given)


def outlet(own: EmailSettings | None = None) -> Outlet:
    return Outlet(
        name="team", kind=SINK, settings=own or settings(), hub_url="https://hub.example.org",
        stop_url=lambda to: f"https://hub.example.org/v1/unsubscribe/{to}",
    )  # fmt: skip


def event(id_: str = "1", subject: str = "nova~7", **more: Any) -> Recorded:
    given = {"id": id_, "source": "https://review.example", "type": "t", "kind": "change.merged", "subject": subject,
             "project": "openstack/nova", "summary": "Zoë merged <b>it</b>", "link": "https://review.example/7",
             "time": datetime(2026, 3, 1, 9, 30, tzinfo=UTC), **more}  # fmt: skip
    return Recorded(7, now(), encode("gerrit", Event(**given)))


def mail(message: Message) -> EmailMessage:
    found = message_from_bytes(message.body, policy=default)
    assert isinstance(found, EmailMessage)
    return found


class Mailbox:
    """A mail server's handler: keeps what comes, refuses as it is told."""

    def __init__(self) -> None:
        self.got: list[Envelope] = []
        self.answer = "250 OK"
        self.port = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.got.append(envelope)
        return "250 accepted"


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    box = Mailbox()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(box, hostname="mail"), "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    yield box
    server.close()


async def deliver(box: Mailbox, tools: Tools | None = None) -> str:
    given = outlet(settings(url=f"smtp://127.0.0.1:{box.port}"))
    transport = SINK.connect(given, tools or Tools(secret=lambda _: b"", sign=lambda _: b"", now=now))
    return await transport.send(render([event()], ADA, given))


def test_one_event_is_a_mail_that_programs_can_thread_sort_and_stop() -> None:
    found = mail(render([event()], ADA, outlet()))
    assert found["Subject"] == "[openstack/nova] Zoë merged <b>it</b>"
    assert found["To"] == ADA
    assert found["List-Id"] == "Firehose <team.hub.example.org>"
    assert found["List-Unsubscribe"] == "<https://hub.example.org/v1/unsubscribe/ada@example.org>"
    assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    text = found.get_body(("plain",))
    page = found.get_body(("html",))
    assert text is not None
    assert page is not None
    assert "https://review.example/7" in text.get_content()
    assert "sends you this as 'team'" in text.get_content()
    assert "Stop these mails" in text.get_content()
    assert "&lt;b&gt;it&lt;/b&gt;" in page.get_content()
    assert "<b>it" not in page.get_content()


async def test_links_and_ids_leave_letter_by_letter_however_long(mailbox: Mailbox) -> None:
    # What a parser makes of encoded words hides them: only the bytes count, as mail programs look for the link there.
    host = "events-and-notifications.of-the-whole-infrastructure.opendev.example.org"
    stop = f"https://{host}/v1/unsubscribe/{'WyJ0ZWFtIiwiYWRhQGV4YW1wbGUub3JnIl0' * 8}"
    given = replace(
        outlet(settings(url=f"smtp://127.0.0.1:{mailbox.port}")), hub_url=f"https://{host}", stop_url=lambda to: stop
    )
    transport = SINK.connect(given, Tools(secret=lambda _: b"", sign=lambda _: b"", now=now))
    await transport.send(render([event(summary="Zoë " * 40)], ADA, given))
    (envelope,) = mailbox.got
    assert isinstance(envelope.content, bytes)
    head = envelope.content.partition(b"\r\n\r\n")[0]
    found = dict(line.split(b": ", 1) for line in head.split(b"\r\n") if not line.startswith(b" "))
    assert found[b"List-Unsubscribe"] == f"<{stop}>".encode()
    assert found[b"List-Unsubscribe-Post"] == b"List-Unsubscribe=One-Click"
    assert found[b"List-Id"] == f"Firehose <team.{host}>".encode()
    for name in (b"Message-ID", b"References", b"In-Reply-To"):
        assert found[name].startswith(b"<")
        assert found[name].endswith(f"@{host}>".encode())
    # What people wrote is folded and encoded as before.
    assert b"=?utf-8?" in found[b"Subject"]
    assert max(map(len, head.split(b"\r\n"))) <= 998


def test_mails_about_one_thing_are_one_thread_and_each_is_itself() -> None:
    first, second = (mail(render([event(id_)], ADA, outlet())) for id_ in ("1", "2"))
    other = mail(render([event("3", subject="nova~8")], ADA, outlet()))
    assert first["References"] == second["References"] == second["In-Reply-To"]
    assert first["References"] != other["References"]
    assert len({first["Message-ID"], second["Message-ID"], other["Message-ID"]}) == 3
    assert mail(render([event("1")], ADA, outlet()))["Message-ID"] == first["Message-ID"]


def test_a_build_is_told_in_its_changes_thread_and_a_task_in_its_storys() -> None:
    def about(subject: str, **more: Any) -> str:
        return str(mail(render([event(subject=subject, **more)], ADA, outlet()))["References"])

    change = about("openstack/nova~7")
    build = {"source": "https://zuul.example", "kind": "taskrun.finished"}
    assert about("build/abc", refs=("buildset/d", "openstack/nova~7", "story/1"), **build) == change
    assert about("openstack/nova~7", refs=("story/1",)) == change
    assert about("task/3", refs=("story/1", "person/4")) == about("story/1") != change
    assert about("org/repo#12") != about("org/repo#13")
    assert about("node/1", source="https://a") != about("node/1", source="https://b")


def test_a_hub_with_a_strange_name_has_a_list_id_with_one_id() -> None:
    found = mail(render([event()], ADA, replace(outlet(), hub_name="Infra <the> hub")))
    assert found["List-Id"] == "Infra (the) hub <team.hub.example.org>"


def test_a_link_that_is_no_web_address_is_not_linked() -> None:
    found = mail(render([event(link="javascript:alert(1)")], ADA, outlet()))
    page = found.get_body(("html",))
    assert page is not None
    assert "javascript" not in page.get_content()


def test_a_digest_holds_many_and_waits_for_its_hour() -> None:
    own = settings(digest="daily", at=6)
    found = mail(render([event(str(number)) for number in range(3)], ADA, outlet(own)))
    assert found["Subject"].startswith("3 events, the last: Zoë")
    assert found["References"] is None
    moment = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    assert due(moment, ADA, own) == datetime(2026, 3, 2, 6, tzinfo=UTC)
    assert due(moment.replace(hour=5), ADA, own) == datetime(2026, 3, 1, 6, tzinfo=UTC)
    assert due(moment, ADA, settings(digest="hourly")) == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert due(moment, ADA, settings()) is None


def test_each_recipient_has_a_lane_and_addresses_are_checked() -> None:
    assert lanes(event(), settings(to=(ADA, "b@example.org"))) == (ADA, "b@example.org")
    assert problem(settings()) == ""
    assert "not a mail address" in problem(settings(to=("nobody",)))
    assert "not a mail address" in problem(settings(to=("a@example.org\r\nBcc: b@example.org",)))
    assert "ASCII" in problem(settings(to=("Jürgen <jürgen@example.org>",)))
    assert problem(settings(to=("Jürgen <juergen@example.org>",))) == ""
    assert "hour" in problem(settings(at=24))
    with pytest.raises(Broken, match="smtp://"):
        SINK.connect(outlet(settings(url="mail.example.org")), Tools(secret=lambda _: b"", sign=lambda _: b"", now=now))


async def test_a_server_gets_the_mail(mailbox: Mailbox) -> None:
    assert await deliver(mailbox) == "accepted"
    (envelope,) = mailbox.got
    assert envelope.mail_from == "hub@example.org"
    assert envelope.rcpt_tos == ["ada@example.org"]
    assert isinstance(envelope.content, bytes)
    found = message_from_bytes(envelope.content, policy=default)
    assert found["Date"] is not None
    assert found["Subject"] == "[openstack/nova] Zoë merged <b>it</b>"


async def test_refusals_are_for_now_or_for_good(mailbox: Mailbox) -> None:
    mailbox.answer = "550 no such user"
    with pytest.raises(GiveUp, match="no such user"):
        await deliver(mailbox)
    mailbox.answer = "451 greylisted"
    with pytest.raises(TryLater, match="greylisted"):
        await deliver(mailbox)
    mailbox.port = 1
    with pytest.raises(TryLater):
        await deliver(mailbox)


async def test_who_has_stopped_gets_nothing(mailbox: Mailbox) -> None:
    gone: set[str] = set()

    async def stopped(to: str) -> bool:
        return to in gone

    tools = Tools(secret=lambda _: b"", sign=lambda _: b"", now=now, stopped=stopped)
    assert await deliver(mailbox, tools) == "accepted"
    gone.add("ada@example.org")
    assert await deliver(mailbox, tools) == ""
    assert len(mailbox.got) == 1
