"""A mail that its server refuses for good: dead, looked at and sent again by the command line, then delivered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.policy import default

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from firehose.bus.engine import free_port
from firehose.testing import HubProcess, StartHub

pytestmark = pytest.mark.timeout(240)


class Mailbox:
    """A mail server that refuses everybody until it is told otherwise."""

    def __init__(self) -> None:
        self.open = False
        self.subjects: list[str] = []

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not self.open:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.subjects.append(message_from_bytes(envelope.content, policy=default)["Subject"])
        return "250 OK"


@pytest.fixture
def mail() -> Iterator[tuple[Mailbox, Controller]]:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield box, controller
    controller.stop()


def command(hub: HubProcess, token: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "firehose", *words, "--hub", hub.url, "--token", token],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def until(what: Callable[[], object], hub: HubProcess) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end, hub.tail()
        time.sleep(0.1)


def test_a_dead_letter_is_listed_shown_and_sent_again(start_hub: StartHub, mail: tuple[Mailbox, Controller]) -> None:
    box, controller = mail
    hub = start_hub(
        '[sources.inbox]\nkind = "inbox"\n'
        f'[sinks.team]\nkind = "email"\nurl = "smtp://127.0.0.1:{controller.port}"\nsender = "hub@example.org"\n'
        'to = ["ada@example.org"]\n'
    )
    token = hub.token("publish:inbox", "admin")
    event = {"specversion": "1.0", "id": "1", "source": "https://ci.example", "type": "org.example.done",
             "subject": "build/7"}  # fmt: skip
    headers = {"authorization": f"Bearer {token}", "content-type": "application/cloudevents+json"}
    assert hub.post("/in/inbox", json.dumps(event).encode(), headers)[0] == 202
    until(lambda: command(hub, token, "deadletters", "list"), hub)
    (entry,) = map(json.loads, command(hub, token, "deadletters", "list", "--json").splitlines())
    assert (entry["sink"], entry["subject"], entry["lane"]) == ("team", "build/7", "ada@example.org")
    assert "550 no such user" in entry["error"]
    shown = json.loads(command(hub, token, "deadletters", "show", str(entry["number"])))
    assert shown["event"]["id"] == "1"
    assert "dead 1" in command(hub, token, "sinks", "list")
    box.open = True
    command(hub, token, "deadletters", "replay", str(entry["number"]))
    until(lambda: box.subjects, hub)
    assert len(box.subjects) == 1
    assert command(hub, token, "deadletters", "list") == ""
    status, problem = hub.post("/v1/deadletters/999/replay", b"", headers)
    assert (status, problem["type"].rpartition("/")[2]) == (404, "not-found")
    assert hub.post("/v1/deadletters/1/replay", b"", {})[0] == 401
