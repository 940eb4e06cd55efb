"""The webhook sink: what a receiver gets, verified with its own library, and what each of its answers means.

Receivers are real HTTP servers; names are invented, their addresses come from a resolver with a script.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from standardwebhooks import Webhook, WebhookVerificationError

from firehose.errors import Broken, FirehoseError, Gone, SlowDown, TryLater
from firehose.event import Event, Recorded, encode
from firehose.plumbing.clock import now
from firehose.plumbing.http import Answer, Client, Limits
from firehose.plumbing.signing import Signer
from firehose.sink import Message, Outlet, Tools
from firehose.sinks.webhook import signing
from firehose.sinks.webhook.transport import Transport, told
from firehose.sinks.webhook.webhook import SINK, WebhookSettings, message_id, render

SECRET = b"whsec_" + base64.b64encode(b"k" * 32)
OLD = b"whsec_" + base64.b64encode(b"o" * 24)
DATA = b'{"change":{"number":7},"title":"na\xc3\xafve"}'


class Receiver:
    """Answers every request with the same bytes, after `delay` seconds, and keeps heads and bodies."""

    def __init__(self, answer: str, delay: float = 0.0) -> None:
        self.answer = answer
        self.delay = delay
        self.heads: list[dict[str, str]] = []
        self.lines: list[str] = []
        self.bodies: list[bytes] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?x=1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                line, *rest = head.strip().split("\r\n")
                headers = {name.lower(): value for name, _, value in (row.partition(": ") for row in rest)}
                self.bodies.append(await reader.readexactly(int(headers.get("content-length", 0))))
                self.lines.append(line)
                self.heads.append(headers)
                await asyncio.sleep(self.delay)
                writer.write(f"HTTP/1.1 {self.answer}\r\nContent-Length: 2\r\n\r\nok".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def receiving(answer: str = "200 OK", delay: float = 0.0, host: str = "127.0.0.1", port: int = 0) \
        -> AsyncIterator[Receiver]:  # fmt: skip
    receiver = Receiver(answer, delay)
    listener = await asyncio.start_server(receiver.serve, host, port)
    receiver.port = listener.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        listener.close()


def event(**more: object) -> Recorded:
    given = {"id": "1", "source": "https://review.example", "type": "com.example.merged", "kind": "change.merged",
             "subject": "nova~7", "project": "openstack/nova", "actor": "Zoë", "summary": 'a "50 %" change',
             "time": datetime(2026, 3, 1, tzinfo=UTC), "data": DATA, **more}  # fmt: skip
    return Recorded(7, datetime(2026, 3, 1, 0, 0, 1, tzinfo=UTC), encode("gerrit", Event(**given)))  # type: ignore[arg-type]


def settings(**more: object) -> WebhookSettings:
    given = {"kind": "webhook", "url": "https://hooks.example/x", "allow": ("127.0.0.0/8",), **more}
    return WebhookSettings(**given)  # type: ignore[arg-type]


def outlet(own: WebhookSettings) -> Outlet:
    return Outlet(name="ci", kind=SINK, settings=own)


def tools(tmp_path: Path, secret: bytes = SECRET, old: bytes = b"") -> Tools:
    secrets = {"secret": secret, "old_secret": old}
    return Tools(secret=lambda name: secrets.get(name, b""), sign=Signer(tmp_path / "key").sign, now=now)


async def post(tmp_path: Path, receiver: Receiver, own: WebhookSettings | None = None, **secrets: bytes) -> str:
    used = own or settings(url=receiver.url)
    transport = Transport(used, tools(tmp_path, **secrets))
    message = render([event()], "", outlet(used))
    try:
        return await transport.send(message)
    finally:
        await transport.close()


async def refused(tmp_path: Path, answer: str) -> FirehoseError:
    async with receiving(answer) as receiver:
        with pytest.raises(FirehoseError) as error:
            await post(tmp_path, receiver)
    assert len(receiver.bodies) == 1
    return error.value


def test_the_body_is_the_cloudevent_as_every_reader_gets_it() -> None:
    message = render([event()], "", outlet(settings()))
    assert message.to == "https://hooks.example/x"
    assert message.headers == {"content-type": "application/cloudevents+json"}
    body = json.loads(message.body)
    assert (body["id"], body["sequence"], body["kind"]) == ("1", f"{7:020d}", "change.merged")
    assert body["data"] == json.loads(DATA)


def test_binary_mode_is_the_upstream_payload_with_the_attributes_beside_it() -> None:
    message = render([event()], "", outlet(settings(mode="binary")))
    assert message.body == DATA
    assert message.headers["content-type"] == "application/json"
    assert message.headers["ce-id"] == "1"
    assert message.headers["ce-type"] == "com.example.merged"
    assert message.headers["ce-actor"] == "Zo%C3%AB"
    assert message.headers["ce-summary"] == "a %2250 %25%22 change"
    assert all(value.isascii() for value in message.headers.values())


def test_the_id_is_the_events_own_whatever_the_cursor() -> None:
    again = Recorded(99, now(), encode("gerrit", Event(
        id="1", source="https://review.example", type="t", kind="change.merged", subject="s", time=now())))  # fmt: skip
    assert message_id(event()) == message_id(again)
    assert message_id(event()) != message_id(event(id="2"))


async def test_the_receivers_own_library_verifies_what_it_gets(tmp_path: Path) -> None:
    async with receiving() as receiver:
        assert await post(tmp_path, receiver) == "200"
    (head,), (body,) = receiver.heads, receiver.bodies
    verified = Webhook(SECRET.decode()).verify(body, head)
    assert verified["subject"] == "nova~7"
    assert receiver.lines == ["POST /hook?x=1 HTTP/1.1"]
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD.decode()).verify(body, head)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET.decode()).verify(body + b" ", head)


async def test_the_hubs_own_signature_needs_no_secret(tmp_path: Path) -> None:
    async with receiving() as receiver:
        await post(tmp_path, receiver, secret=b"")
    (head,), (body,) = receiver.heads, receiver.bodies
    version, _, text = head["webhook-signature"].partition(",")
    assert version == "v1a"
    key = VerifyKey(Signer(tmp_path / "key").public)
    signed = f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + body
    key.verify(signed, base64.b64decode(text))
    with pytest.raises(BadSignatureError):
        key.verify(signed + b"x", base64.b64decode(text))


async def test_while_a_secret_changes_both_hold(tmp_path: Path) -> None:
    async with receiving() as receiver:
        await post(tmp_path, receiver, old=OLD)
    (head,), (body,) = receiver.heads, receiver.bodies
    for secret in (SECRET, OLD):
        Webhook(secret.decode()).verify(body, head)
    assert [word.partition(",")[0] for word in head["webhook-signature"].split()] == ["v1", "v1", "v1a"]


@pytest.mark.parametrize("secret", [b"hunter2", b"whsec_", b"whsec_" + base64.b64encode(b"short"), b"whsec_%%%"])
def test_a_weak_or_broken_secret_is_an_error_that_says_how_to_make_one(secret: bytes) -> None:
    with pytest.raises(Broken, match="make one with") as error:
        signing.key(secret)
    assert error.value.code == 2
    assert secret.decode() not in error.value.detail.replace("whsec_", "") or secret == b"whsec_"


@pytest.mark.parametrize("answer", ["500 Internal Server Error", "404 Not Found", "400 Bad Request", "502 Bad Gateway"])
async def test_an_error_over_there_is_tried_again(answer: str, tmp_path: Path) -> None:
    error = await refused(tmp_path, answer)
    assert isinstance(error, TryLater)
    assert answer[:3] in error.detail


@pytest.mark.parametrize("status", ["301", "302", "307", "308"])
async def test_a_redirect_is_not_followed_and_its_host_is_told(status: str, tmp_path: Path) -> None:
    async with receiving() as inside:
        error = await refused(tmp_path, f"{status} Moved\r\nLocation: {inside.url}/SECRETTOKEN?key=5")
    assert isinstance(error, TryLater)
    assert f"points to http://127.0.0.1:{inside.port};" in error.detail
    assert inside.bodies == []


async def test_a_redirect_to_another_path_tells_no_path(tmp_path: Path) -> None:
    error = await refused(tmp_path, "301 Moved\r\nLocation: /SECRETTOKEN?key=5")
    assert "another path" in error.detail
    assert "SECRET" not in error.detail


@pytest.mark.parametrize(
    "body",
    ["Cannot POST /services/SECRETTOKEN", "no /services/SECRETTOKEN?key=ANOTHERSECRET&amp;x=1 here",
     "unknown token SECRETTOKEN", "x" * 195 + " /services/SECRETTOKEN"],
    ids=["the path", "escaped", "the token", "at the end"],
)  # fmt: skip
def test_what_a_receiver_repeats_of_the_address_is_not_told(body: str) -> None:
    said = told(Answer(404, {}, body.encode()), "https://hooks.example/services/SECRETTOKEN?key=ANOTHERSECRET&x=1")
    assert said.startswith("answered 404: ")
    assert "…" in said
    assert "SECRET" not in said


async def test_410_is_gone_for_good(tmp_path: Path) -> None:
    assert isinstance(await refused(tmp_path, "410 Gone"), Gone)


@pytest.mark.parametrize("answer", ["429 Too Many Requests", "503 Service Unavailable"])
async def test_a_wish_for_a_pause_is_heard(answer: str, tmp_path: Path) -> None:
    error = await refused(tmp_path, f"{answer}\r\nRetry-After: 120")
    assert isinstance(error, SlowDown)
    assert error.after == 120


async def test_a_pause_until_a_date_is_understood(tmp_path: Path) -> None:
    until = (now() + timedelta(seconds=600)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    error = await refused(tmp_path, f"429 Too Many Requests\r\nRetry-After: {until}")
    assert isinstance(error, SlowDown)
    assert 500 < error.after <= 600


@pytest.mark.parametrize("wish", ["0", "Thu, 01 Jan 1970 00:00:00 GMT"], ids=["none", "a date in the past"])
async def test_who_wants_a_pause_of_nothing_is_asked_ever_less_often(wish: str, tmp_path: Path) -> None:
    pauses = []
    async with receiving(f"429 Too Many Requests\r\nRetry-After: {wish}") as receiver:
        at = [now()]
        own = settings(url=receiver.url)
        transport = Transport(own, replace(tools(tmp_path), now=lambda: at[0]))
        for _ in range(3):
            with pytest.raises(SlowDown) as error:
                await transport.send(render([event()], "", outlet(own)))
            pauses.append(error.value.after)
            at[0] += timedelta(seconds=error.value.after)
        await transport.close()
    assert pauses == [1, 5, 10]


async def test_503_without_a_wish_is_an_error_like_others(tmp_path: Path) -> None:
    assert isinstance(await refused(tmp_path, "503 Service Unavailable"), TryLater)


async def test_nobody_there(tmp_path: Path) -> None:
    async with receiving() as receiver:
        pass
    with pytest.raises(TryLater, match="cannot connect"):
        await post(tmp_path, receiver)


async def test_a_receiver_that_never_answers_is_given_up_after_the_time_that_was_set(tmp_path: Path) -> None:
    async with receiving(delay=3_600) as receiver:
        with pytest.raises(TryLater):
            await post(tmp_path, receiver, settings(url=receiver.url, timeout=0.3))
        assert len(receiver.bodies) == 1


async def test_the_inside_is_never_asked_unless_the_operator_says_so(tmp_path: Path) -> None:
    async with receiving() as inside:
        with pytest.raises(TryLater, match="loopback"):
            await post(tmp_path, inside, settings(url=inside.url, allow=()))
        assert inside.lines == []
        assert await post(tmp_path, inside, settings(url=inside.url, allow=(), allow_private=True)) == "200"


class Names:
    """Look-ups with a script; the last answer stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def test_a_name_that_turns_inside_between_two_messages_gets_nothing_there(tmp_path: Path) -> None:
    async with receiving(host="127.0.0.2") as outside, receiving(port=outside.port) as inside:
        used = settings(url=f"http://rebind.example:{outside.port}/hook")
        transport = Transport(used, tools(tmp_path))
        transport.client = Client(["127.0.0.2/32"], limits=Limits(), resolver=Names(["127.0.0.2"], ["127.0.0.1"]))
        message: Message = render([event()], "", outlet(used))
        assert await transport.send(message) == "200"
        with pytest.raises(TryLater, match="loopback"):
            await transport.send(message)
        await transport.close()
    assert (len(outside.bodies), len(inside.bodies)) == (1, 0)
    assert outside.heads[0]["host"] == f"rebind.example:{outside.port}"
