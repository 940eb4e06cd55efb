"""Rules of people at a real hub: events in, mail and webhook out, links that work, and kill -9 in between."""

from __future__ import annotations

import json
import re
import signal
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from tests.servers.hook import Receiver

from firehose.bus.engine import free_port
from firehose.testing import HubProcess, StartHub

pytestmark = pytest.mark.timeout(240)


class Mailbox:
    """A mail server that keeps what comes."""

    def __init__(self) -> None:
        self.got: list[EmailMessage] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        found = message_from_bytes(envelope.content, policy=default)
        assert isinstance(found, EmailMessage)
        self.got.append(found)
        return "250 accepted"

    @property
    def texts(self) -> list[str]:
        parts = [mail.get_body(("plain",)) for mail in self.got]
        return [part.get_content() for part in parts if part is not None]


@pytest.fixture
def mail() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    server = Controller(box, hostname="127.0.0.1", port=free_port())
    server.start()
    yield box, server.port
    server.stop(no_assert=True)


SETTINGS = '[sources.inbox]\nkind = "inbox"\nurl = "https://inbox.example"\n[notify]\nallow = ["127.0.0.1"]\n'


class Person:
    """Somebody with a token."""

    def __init__(self, hub: HubProcess, name: str) -> None:
        self.hub = hub
        self.headers = {"authorization": f"Bearer {hub.token(f'person:{name}')}", "content-type": "application/json"}

    def post(self, path: str, value: object, wanted: int = 201) -> Any:
        status, answer = self.hub.post(f"/v1/notify/{path}", json.dumps(value).encode(), self.headers)
        assert status == wanted, answer
        return answer

    def get(self, path: str = "") -> Any:
        request = urllib.request.Request(f"{self.hub.url}/v1/notify{path}", headers=self.headers)
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read())


def publish(hub: HubProcess, *subjects: str) -> None:
    token = hub.token("publish:inbox")
    headers = {"authorization": f"Bearer {token}", "content-type": "application/cloudevents+json"}
    for subject in subjects:
        event = {"specversion": "1.0", "id": subject, "source": "https://inbox.example", "type": "org.example.done",
                 "subject": subject}  # fmt: skip
        status, answer = hub.post("/in/inbox", json.dumps(event).encode(), headers)
        assert status in (200, 202), answer


def until(what: Callable[[], object], hub: HubProcess, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, hub.tail()
        time.sleep(0.05)


def fetch(url: str, form: bytes | None = None) -> str:
    request = urllib.request.Request(url, form, {"accept": "text/html"})
    with urllib.request.urlopen(request) as answer:
        return str(answer.read().decode())


def test_a_mail_is_confirmed_comes_says_why_and_is_stopped_by_its_link(
    start_hub: StartHub, mail: tuple[Mailbox, int]
) -> None:
    box, port = mail
    more = f'[notify.mail]\nurl = "smtp://127.0.0.1:{port}"\nsender = "Hub <hub@example.org>"\n'
    hub = start_hub(SETTINGS + more)
    ada = Person(hub, "ada")
    place = ada.post("places", {"kind": "email", "to": "ada@example.org"})
    assert place["state"] == "unconfirmed"
    rule = {"title": "Done things", "query": "subject:thing-*", "to": place["id"]}
    trial = ada.post("try", {"rule": rule}, 200)
    assert (trial["events"], trial["whole"]) == (0, True)
    kept = ada.post("rules", rule)
    until(lambda: box.got, hub)
    publish(hub, "thing-0")
    (link,) = set(re.findall(r"http\S+/notify/confirm/\S+", box.texts[0]))
    assert "Do you read at ada@example.org?" in fetch(link)
    assert ada.get()["places"][0]["state"] == "unconfirmed", "looking confirms nothing"
    assert "is confirmed" in fetch(link, b"")
    publish(hub, "thing-1", "other-1")
    until(lambda: len(box.got) == 2, hub)
    assert "thing-1" in box.got[1]["Subject"]
    assert "because of the rule “Done things”" in box.texts[1]
    (why,) = re.findall(r"http\S+/notify/why/\S+", box.texts[1])
    page = fetch(why)
    assert "Why did I get this" in page
    assert "subject:thing-*" in page
    until(lambda: ada.get("/told")["told"], hub)
    assert ada.get("/told")["told"][0]["why"] == why
    again = ada.post("try", {"rule": rule, "id": kept["id"]}, 200)
    assert (again["events"], again["messages"]) == (2, 2)
    assert ada.post("try", {"rule": rule}, 200)["left"] == {"another rule": 2}
    # As a mail program does it (RFC 8058).
    stop = box.got[1]["List-Unsubscribe"].strip("<>")
    with urllib.request.urlopen(stop) as looked:
        assert "Why did I get this" in looked.read().decode()
    assert json.loads(fetch(stop, b"List-Unsubscribe=One-Click")) == {"stopped": True}
    assert [one["on"] for one in ada.get()["rules"] if one["id"] == kept["id"]] == [False]
    for foreign in (why[:-1] + ("a" if why[-1] != "a" else "b"), why.replace(kept["id"], "0" * 12)):
        with pytest.raises(urllib.error.HTTPError) as error:
            fetch(foreign)
        assert error.value.code == 404


@pytest.mark.parametrize(("point", "most"), [
    ("delivery.before-send", 1), ("delivery.after-send", 1), ("notify.carried", 2),
])  # fmt: skip
def test_a_hub_that_dies_while_it_tells_loses_nothing_and_doubles_nothing(
    point: str, most: int, start_hub: StartHub, receiver: Receiver
) -> None:
    hub = start_hub(SETTINGS, environ={"FIREHOSE_CRASH": f"{point}:4"})
    ada = Person(hub, "ada")
    place = ada.post("places", {"kind": "webhook", "to": receiver.url})
    ada.post("rules", {"title": "One", "query": "subject:thing-*", "to": place["id"]})
    ada.post("rules", {"title": "Other", "query": "source:inbox", "to": place["id"]})
    names = [f"thing-{number}" for number in range(9)]
    assert hub.process is not None
    with suppress(OSError):
        publish(hub, *names)
    assert hub.process.wait(30) == -signal.SIGKILL
    hub.start()
    publish(hub, *names)
    until(lambda: len(set(receiver.ids)) == 9, hub)
    publish(hub, "thing-last")
    until(lambda: len(set(receiver.ids)) == 10, hub)
    counts = Counter(receiver.ids)
    # What died after the receiver had it and before that was noted is told again, with the same id: once at most.
    assert max(counts.values()) <= most
    assert sum(counts.values()) <= 10 + most - 1
    assert {note["because"] for note in receiver.bodies} == {
        "Test hub tells you because of the rules “One”, “Other”."}  # fmt: skip


def test_a_webhook_into_the_inside_is_not_asked(start_hub: StartHub, receiver: Receiver) -> None:
    hub = start_hub(SETTINGS.replace('allow = ["127.0.0.1"]', ""))
    eve = Person(hub, "eve")
    place = eve.post("places", {"kind": "webhook", "to": receiver.url})
    eve.post("rules", {"title": "All", "to": place["id"]})
    publish(hub, "thing-1")
    until(lambda: eve.get()["places"][0]["state"] == "stopped", hub)
    assert "loopback" in eve.get()["places"][0]["why"]
    assert receiver.ids == []


def test_only_a_person_has_rules(start_hub: StartHub) -> None:
    hub = start_hub(SETTINGS)
    admin = {"authorization": f"Bearer {hub.token('admin')}"}
    assert hub.post("/v1/notify/rules", b"{}", admin)[0] == 403
    assert hub.post("/v1/notify/rules", b"{}")[0] == 401
    ada = Person(hub, "ada")
    place = ada.post("places", {"kind": "page"})
    status, problem = hub.post("/v1/notify/rules", b'{"title":"x","query":"kind:(","to":"%s"}' % place["id"].encode(),
                               ada.headers)  # fmt: skip
    assert (status, problem["field"], problem["type"].rpartition("/")[2]) == (400, "query", "bad-query")
    # A session: by the token once, then by a cookie that must not come from another site.
    request = urllib.request.Request(
        f"{hub.url}/notify/sign-in", b"token=fht_nonsense", {"origin": "https://evil.example"}
    )
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request)
    assert error.value.code == 403
