"""The Zuul sink: what is asked for which event, and what each answer means. A real Zuul reads the same requests in
`tests/journeys/test_zuul_sink.py`; here a server on loopback answers as its API does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from firehose.errors import Broken, FirehoseError, GiveUp, SlowDown, TryLater
from firehose.event import Event, Recorded, encode
from firehose.sink import Message, Outlet, Paper, Tools
from firehose.sinks.zuul.asked import MOST, Asked
from firehose.sinks.zuul.transport import Transport
from firehose.sinks.zuul.zuul import SINK, ZuulSettings, check, render

SECRET = b"a shared secret of forty bytes, or more."
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
GERRIT = {"change": {"number": 7, "branch": "main"}, "patchSet": {"number": 2}}
TAKEN = "HTTP/1.1 200 OK\r\n\r\ntrue"


def event(data: object = GERRIT, **more: object) -> Recorded:
    given: dict[str, Any] = {"id": "e1", "source": "https://review.example", "type": "t", "kind": "change.reviewed",
             "subject": "org/app~7", "project": "org/app", "time": AT, "data": json.dumps(data).encode()}  # fmt: skip
    return Recorded(7, AT, encode("gerrit", Event(**(given | more))))


def settings(**more: Any) -> ZuulSettings:
    given: dict[str, Any] = {"kind": "zuul", "url": "http://zuul.example/", "tenant": "acme", "pipeline": "gate",
             "issuer": "https://hub.example", "audience": "zuul", "allow": ("127.0.0.1",)}  # fmt: skip
    return ZuulSettings(**(given | more))


def asked(own: ZuulSettings, given: Recorded) -> Message:
    return render([given], "", Outlet(name="gate", kind=SINK, settings=own))


class Clock:
    def __init__(self) -> None:
        self.at = AT

    def __call__(self) -> datetime:
        return self.at


class Zuul:
    """Answers each request with the next answer of a script (the last one stays), and keeps what it got."""

    def __init__(self, answers: list[str]) -> None:
        self.answers = answers
        self.lines: list[str] = []
        self.tokens: list[str] = []
        self.bodies: list[Any] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(fields.get("content-length", "0")))
        self.lines.append(head[0])
        self.tokens.append(next(line for line in head if line.lower().startswith("authorization: "))[15:])
        self.bodies.append(json.loads(body) if body else None)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        writer.write(answer.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1).encode())
        writer.close()


@asynccontextmanager
async def zuul(*answers: str, secret: bytes = SECRET, notes: Paper | None = None, **more: object) -> AsyncIterator[Any]:
    """A Zuul, a sink for it, and the clock of both."""
    found = Zuul(list(answers))
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    own = settings(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", **more)
    outlet = Outlet(name="gate", kind=SINK, settings=own)
    clock = Clock()
    transport = Transport(
        outlet, Tools(secret=lambda word: secret, sign=lambda b: b"", now=clock, notes=notes or Paper())
    )
    try:
        yield found, transport, own, clock
    finally:
        await transport.close()
        server.close()


# -- what is asked


@pytest.mark.parametrize(
    ("more", "data", "body"),
    [
        ({}, GERRIT, {"pipeline": "gate", "change": "7,2"}),
        ({}, {"pull_request": {"number": 9, "head": {"sha": "ab"}}}, {"pipeline": "gate", "change": "9,ab"}),
        (
            {},
            {"object_attributes": {"iid": 3, "last_commit": {"id": "cd"}}},
            {"pipeline": "gate", "change": "3,cd"},
        ),
        (
            {},
            {"object_attributes": {"id": 5}, "merge_request": {"iid": 3, "last_commit": {"id": "cd"}}},
            {"pipeline": "gate", "change": "3,cd"},
        ),
        ({}, {"change": "7", "patchset": "2", "ref": "refs/changes/7"}, {"pipeline": "gate", "change": "7,2"}),
        (
            {},
            {"refUpdate": {"refName": "main", "oldRev": "0a", "newRev": "0b"}},
            {"pipeline": "gate", "ref": "refs/heads/main", "oldrev": "0a", "newrev": "0b"},
        ),
        (
            {},
            {"ref": "refs/tags/v1", "before": "0a", "after": "0b"},
            {"pipeline": "gate", "ref": "refs/tags/v1", "oldrev": "0a", "newrev": "0b"},
        ),
        ({"action": "dequeue"}, {"ref": "refs/tags/v1", "after": "b"}, {"pipeline": "gate", "ref": "refs/tags/v1"}),
        ({"action": "promote"}, GERRIT, {"pipeline": "gate", "changes": ["7,2"]}),
        ({"change": "{data.change.number},1"}, GERRIT, {"pipeline": "gate", "change": "7,1"}),
        (
            {"ref": "{data.change.branch}", "parameters": {"why": "{kind} of {id}"}},
            GERRIT,
            {"pipeline": "gate", "ref": "refs/heads/main", "parameters": {"why": "change.reviewed of e1"}},
        ),
        ({"parameters": {"why": "{id}"}}, GERRIT, {"pipeline": "gate", "change": "7,2"}),
    ],
)
def test_what_is_asked_for_an_event(more: dict[str, Any], data: object, body: dict[str, object]) -> None:
    own = settings(**more)
    message = asked(own, event(data))
    assert check(own) == ""
    assert json.loads(message.body) == body
    place = "promote" if own.action == "promote" else f"project/org/app/{own.action}"
    assert message.to == f"http://zuul.example/api/tenant/acme/{place}"


def test_the_id_is_the_events_own_whatever_the_cursor() -> None:
    again = Recorded(99, AT, event().frame)
    assert asked(settings(), event()).id == asked(settings(), again).id != asked(settings(), event(id="e2")).id


@pytest.mark.parametrize(
    ("more", "given", "why"),
    [
        ({}, event({"x": 1}), "no change and no ref"),
        ({"action": "promote"}, event({"ref": "refs/heads/main"}), "no change to promote"),
        ({"change": "{data.a.b}"}, event(), "data.a.b"),
        ({"project": "{actor}"}, event(), "actor"),
        ({}, event(project=""), "project"),
        ({}, event(project="org/../../promote"), "not the name of a project"),
        ({}, event(project="/etc"), "not the name of a project"),
        ({}, event({"change": {"number": [1]}, "patchSet": 2}), "no change and no ref"),
    ],
)
def test_an_event_that_lacks_something_says_what(more: dict[str, Any], given: Recorded, why: str) -> None:
    with pytest.raises(GiveUp, match=why):
        asked(settings(**more), given)


def test_a_project_is_no_way_to_another_door() -> None:
    assert asked(settings(), event(project="a?b#c d")).to.endswith("/project/a%3Fb%23c%20d/enqueue")


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"url": "zuul.example"}, "url"),
        ({"tenant": ""}, "tenant"),
        ({"issuer": ""}, "issuer"),
        ({"valid": 0}, "valid"),
        ({"per_minute": 0}, "per_minute"),
        ({"change": "{id}", "ref": "{id}"}, "not both"),
        ({"change": "{data.}"}, "is no field"),
        ({"parameters": {"x": "{secret}"}}, "is no field"),
    ],
)
def test_settings_that_cannot_work_say_why(more: dict[str, Any], why: str) -> None:
    assert why in check(settings(**more))


# -- who asks


async def test_each_request_has_a_token_of_its_own_that_soon_ends() -> None:
    async with zuul(TAKEN, admin=True, key_id="k1", claims={"groups": ["ci"]}) as (found, transport, own, clock):
        await transport.send(asked(own, event()))
        clock.at += timedelta(seconds=5)
        await transport.send(asked(own, event(id="e2")))
    first, second = (token.removeprefix("Bearer ") for token in found.tokens)
    claims = jwt.decode(first, SECRET, ["HS256"], audience="zuul", issuer="https://hub.example",
                        options={"verify_exp": False, "verify_iat": False})  # fmt: skip
    assert (claims["sub"], claims["exp"]) == ("firehose", AT.timestamp() + 60)
    assert (claims["zuul"], claims["groups"]) == ({"admin": ["acme"]}, ["ci"])
    assert jwt.get_unverified_header(first)["kid"] == "k1"
    later = jwt.decode(second, options={"verify_signature": False})
    assert later["exp"] == claims["exp"] + 5
    assert found.lines == ["POST /api/tenant/acme/project/org/app/enqueue HTTP/1.1"] * 2


async def test_a_private_key_signs() -> None:
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    async with zuul(TAKEN, secret=private, auth="RS256") as (found, transport, own, _):
        await transport.send(asked(own, event()))
    (token,) = found.tokens
    claims = jwt.decode(token.removeprefix("Bearer "), public, ["RS256"], audience="zuul",
                        options={"verify_exp": False, "verify_iat": False})  # fmt: skip
    assert "zuul" not in claims


async def test_a_token_from_outside_is_taken_as_it_is() -> None:
    async with zuul(TAKEN, secret=b"eyJ.made.elsewhere", auth="token", issuer="", audience="") as (found, sink, own, _):
        assert check(own) == ""
        await sink.send(asked(own, event()))
    assert found.tokens == ["Bearer eyJ.made.elsewhere"]


@pytest.mark.parametrize(
    ("auth", "secret", "why"),
    [("HS256", b"", "shared secret"), ("HS256", b"hunter2", "32 bytes"), ("RS256", b"no key" * 9, "private key"),
     ("token", b"two words", "not a token")],
)  # fmt: skip
def test_a_secret_that_cannot_be_one_is_told_without_showing_it(auth: str, secret: bytes, why: str) -> None:
    outlet = Outlet(name="gate", kind=SINK, settings=settings(auth=auth))
    with pytest.raises(Broken, match=why) as error:
        SINK.connect(outlet, Tools(secret=lambda word: secret, sign=lambda b: b"", now=Clock()))
    assert error.value.code == 2
    assert not secret or secret.decode() not in error.value.detail


# -- how often


async def test_an_event_acts_once_also_in_the_next_life() -> None:
    paper = Paper()
    async with zuul(TAKEN, notes=paper) as (found, transport, own, _):
        assert await transport.send(asked(own, event())) == "enqueue taken"
        assert "before" in await transport.send(asked(own, event()))
    async with zuul(TAKEN, notes=paper) as (again, transport, own, _):
        assert "before" in await transport.send(asked(own, event()))
        assert await transport.send(asked(own, event(id="e2"))) == "enqueue taken"
    assert (len(found.lines), len(again.lines)) == (1, 1)


@pytest.mark.parametrize(("stamp", "posts"), [("2026-03-01T11:59:30", 1), ("2026-03-01T11:30:00", 2)])
async def test_after_a_request_whose_end_is_unknown_zuul_is_asked_what_it_has(stamp: str, posts: int) -> None:
    rows = json.dumps([{"uuid": "u", "event_timestamp": stamp}])
    async with zuul("", f"HTTP/1.1 200 OK\r\n\r\n{rows}", TAKEN) as (found, transport, own, _):
        with pytest.raises(TryLater):
            await transport.send(asked(own, event()))
        await transport.send(asked(own, event()))
        assert "before" in await transport.send(asked(own, event()))
    assert found.lines[1].startswith(
        "GET /api/tenant/acme/buildsets?project=org%2Fapp&pipeline=gate&limit=20&change=7&patchset=2 "
    )
    assert [line.split()[0] for line in found.lines].count("POST") == posts


async def test_what_zuul_refused_is_not_taken_for_done() -> None:
    async with zuul("HTTP/1.1 401 Unauthorized\r\n\r\n", TAKEN) as (found, transport, own, _):
        with pytest.raises(TryLater):
            await transport.send(asked(own, event()))
        assert await transport.send(asked(own, event())) == "enqueue taken"
    assert len(found.lines) == 2


async def test_more_than_the_pace_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    async with zuul(TAKEN, per_minute=2) as (found, transport, own, clock):

        async def sleep(seconds: float) -> None:
            slept.append(seconds)
            clock.at += timedelta(seconds=seconds)

        monkeypatch.setattr("firehose.sinks.zuul.transport.asyncio.sleep", sleep)
        for number in range(5):
            await transport.send(asked(own, event(id=str(number))))
            clock.at += timedelta(seconds=10)
    assert len(found.lines) == 5
    assert slept == [40.0, 40.0]


async def test_a_dry_run_says_what_it_would_do_and_does_nothing() -> None:
    async with zuul(TAKEN, secret=b"", dry_run=True) as (found, transport, own, _):
        said = await transport.send(asked(own, event()))
    assert (
        said
        == f'dry run, would POST {own.url}/api/tenant/acme/project/org/app/enqueue {{"pipeline":"gate","change":"7,2"}}'
    )
    assert found.lines == []


async def test_the_memory_is_bounded_and_forgets_the_oldest() -> None:
    memory = Asked(Paper())
    memory._ids = dict.fromkeys(map(str, range(MOST)), 0)
    await memory.note("new", 0)
    assert await memory.find("0") is None
    assert (await memory.find("1"), await memory.find("new")) == (0, 0)


# -- what answers mean


@pytest.mark.parametrize(
    ("answer", "error", "why"),
    [
        ("400 Bad Request\r\n\r\n<html><p>Unknown pipeline</p></html>", GiveUp, "Unknown pipeline"),
        ('401 Unauthorized\r\n\r\n{"description": "expired", "error": "x"}', TryLater, "expired"),
        ("403 Forbidden\r\n\r\n", TryLater, "does not let us"),
        ("404 Not Found\r\n\r\n<p>Unknown project</p>", GiveUp, "Unknown project"),
        ("422 Unprocessable\r\n\r\n<p>Tenant acme isn't ready</p>", TryLater, "isn't ready"),
        ("429 Too Many\r\n\r\n", SlowDown, "pause"),
        ("500 Error\r\n\r\n", TryLater, "500"),
        ("301 Moved\r\nLocation: http://127.0.0.1/\r\n\r\n", TryLater, "301"),
        ("200 OK\r\n\r\n<html>Zuul</html>", TryLater, "without /api"),
    ],
)
async def test_answers(answer: str, error: type[FirehoseError], why: str) -> None:
    async with zuul(f"HTTP/1.1 {answer}") as (_, transport, own, _clock):
        with pytest.raises(error, match=why):
            await transport.send(asked(own, event()))


async def test_the_inside_is_not_asked_unless_the_operator_says_so() -> None:
    async with zuul(TAKEN, allow=()) as (found, transport, own, _):
        with pytest.raises(TryLater, match="loopback"):
            await transport.send(asked(own, event()))
    assert found.lines == []
