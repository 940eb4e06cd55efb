"""Mail from a real hub through a real SMTP server, parsed as a mail program does, stopped by one click; and digests."""

from __future__ import annotations

import dataclasses
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from tests.delivery.stage import stage
from tests.delivery.test_kill import bearer, publish, until

from firehose.bus.engine import free_port
from firehose.delivery.runner import Runner
from firehose.sink import Outlet, Tools
from firehose.sinks.email.email import SINK, EmailSettings
from firehose.testing import StartHub

pytestmark = pytest.mark.timeout(240)
SETTINGS = """
[sources.inbox]
kind = "inbox"
url = "https://inbox.example"
[sinks.team]
kind = "email"
url = "smtp://127.0.0.1:{port}"
sender = "Firehose <hub@example.org>"
to = ["Ada Lind <ada@example.org>", "bob@example.org"]
since = "earliest"
query = "subject:thing-*"
"""


class Mailbox:
    """What a mail server took, in order."""

    def __init__(self) -> None:
        self.got: list[tuple[str, EmailMessage]] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        assert mail.defects == []
        self.got.append((envelope.rcpt_tos[0], mail))
        return "250 OK"

    def of(self, address: str) -> list[EmailMessage]:
        return [mail for to, mail in self.got if to == address]


@pytest.fixture
def smtp() -> Iterator[tuple[Mailbox, int]]:
    box, port = Mailbox(), free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, port
    controller.stop()


def text(mail: EmailMessage, subtype: str) -> str:
    body = mail.get_body((subtype,))
    assert body is not None
    return str(body.get_content())


def test_a_mail_threads_names_its_list_and_is_stopped_by_one_click(
    smtp: tuple[Mailbox, int], start_hub: StartHub
) -> None:
    box, port = smtp
    hub = start_hub(SETTINGS.format(port=port), environ={"FIREHOSE_HUB__PUBLIC_URL": "https://hub.example.org"})
    headers = bearer(hub)
    publish(hub, headers, "thing-1")
    until(lambda: len(box.got) == 2, hub)
    (mail,) = box.of("ada@example.org")
    assert mail["From"] == "Firehose <hub@example.org>"
    assert mail["To"] == "Ada Lind <ada@example.org>"
    assert parsedate_to_datetime(mail["Date"]).tzinfo is not None
    assert re.fullmatch(r"<[0-9a-f]{32}@hub\.example\.org>", mail["Message-ID"])
    assert mail["References"] == mail["In-Reply-To"]
    assert mail["List-Id"] == "Test hub <team.hub.example.org>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail.get_content_type() == "multipart/alternative"
    page = f"https://hub.example.org/events/{1:020d}"
    assert page in text(mail, "plain")
    assert f'<a href="{page}">' in text(mail, "html")
    stop = str(mail["List-Unsubscribe"]).strip("<>")
    assert stop in text(mail, "plain")
    assert stop.startswith("https://hub.example.org/v1/unsubscribe/")
    # As RFC 8058 says: a POST with this form, without cookies, login or asking again.
    click = urllib.request.Request(
        hub.url + stop.removeprefix("https://hub.example.org"), data=b"List-Unsubscribe=One-Click", method="POST",
        headers={"content-type": "application/x-www-form-urlencoded"},
    )  # fmt: skip
    with urllib.request.urlopen(click) as answer:
        assert answer.status == 200
    publish(hub, headers, "thing-2")
    until(lambda: len(box.of("bob@example.org")) == 2, hub)
    publish(hub, headers, "thing-3")
    until(lambda: len(box.of("bob@example.org")) == 3, hub)
    assert len(box.of("ada@example.org")) == 1
    assert len({str(mail["Message-ID"]) for _, mail in box.got}) == 4


@pytest.mark.parametrize(("digest", "hours"), [("hourly", 1), ("daily", 18)])
async def test_a_digest_comes_at_its_hour_with_everything(
    smtp: tuple[Mailbox, int], tmp_path: Path, digest: str, hours: int
) -> None:
    box, port = smtp
    settings = EmailSettings(
        kind="email", url=f"smtp://127.0.0.1:{port}", sender="hub@example.org", to=("ada@example.org",),
        since="earliest", digest=digest,  # type: ignore[arg-type]
    )  # fmt: skip
    outlet = Outlet(name="team", kind=SINK, settings=settings, hub_url="https://hub.example.org")
    async with stage(tmp_path) as on:
        tools = Tools(secret=lambda _: b"", sign=lambda _: b"", now=on.clock)
        runner = Runner(dataclasses.replace(outlet), SINK.connect(outlet, tools), on.ears)
        on.crew.start("team", runner.run())
        await on.publish("a", "b", "c")
        await on.until(lambda: runner.health().open == 3)
        assert box.got == []
        on.clock.pass_(timedelta(hours=hours).total_seconds())
        runner.hurry()
        await on.until(lambda: runner.health().open == 0)
    (mail,) = box.of("ada@example.org")
    assert mail["Subject"].startswith("3 events, the last: ")
    for event in range(1, 4):
        assert f"https://hub.example.org/events/{event:020d}" in text(mail, "plain")
        assert f"https://hub.example.org/events/{event:020d}" in text(mail, "html")
