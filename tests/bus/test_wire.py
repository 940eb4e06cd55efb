"""The thin connection and the ordered follower: what comes in any pieces, what is missing, what breaks."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firehose.bus.contract import Message, Stored
from firehose.bus.engine import Engine, EngineSettings
from firehose.bus.nats import NatsBus, connect
from firehose.bus.ordered import ordered
from firehose.bus.wire import Delivery, Login, Wire, _Line, frame
from firehose.errors import TryLater

HEADERS = b"NATS/1.0\r\nNats-Msg-Id:7\r\n\r\n"


def sent(payload: bytes, *, headers: bytes = b"", reply: str = "", sid: int = 7) -> bytes:
    where = f"events.x {sid} {reply}".strip()
    if headers:
        return b"HMSG %b %d %d\r\n%b%b\r\n" % (
            where.encode(), len(headers), len(headers) + len(payload), headers, payload,
        )  # fmt: skip
    return b"MSG %b %d\r\n%b\r\n" % (where.encode(), len(payload), payload)


@given(
    st.lists(st.tuples(st.binary(max_size=60), st.sampled_from([b"", HEADERS]), st.sampled_from(["", "r.1"]))),
    st.lists(st.integers(1, 40), min_size=1),
)
def test_messages_come_out_the_same_however_the_network_cuts_them(
    messages: list[tuple[bytes, bytes, str]], cuts: list[int]
) -> None:
    stream = b"".join(b"PING\r\n" + sent(payload, headers=headers, reply=reply) for payload, headers, reply in messages)

    async def run() -> list[Delivery]:
        line = _Line()
        found: list[Delivery] = []
        line.takers[b"7"] = lambda deliveries: found.extend(deliveries or ())
        at = turn = 0
        while at < len(stream):
            size = cuts[turn % len(cuts)]
            line.data_received(stream[at : at + size])
            at, turn = at + size, turn + 1
        return found

    expected = [Delivery(b"events.x", reply.encode(), headers, payload) for payload, headers, reply in messages]
    assert asyncio.run(run()) == expected


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(*scripts: Script) -> AsyncIterator[Wire]:
    """A scripted engine: admits whoever comes, then each connection plays the next script."""
    turns = iter(scripts)

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"headers":true}\r\n')
        while await reader.readline() != b"PING\r\n":
            pass
        writer.write(b"PONG\r\n")
        await next(turns)(reader, writer)
        writer.close()

    listening = await asyncio.start_server(play, "127.0.0.1", 0)
    host, port = listening.sockets[0].getsockname()
    wire = Wire(Login((f"nats://{host}:{port}",)))
    try:
        yield wire
    finally:
        await wire.close()
        listening.close()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()


def following(*, places: list[int], then: bytes = b"") -> Script:
    """Answer the request for a consumer, send messages with these places in the consumer's count."""

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sid = (await reader.readline()).split()[2].decode()
        request = (await reader.readline()).split()
        await reader.readline()
        reply = request[2].decode()
        made = b'{"name":"c"}'
        writer.write(b"MSG %b 1 %d\r\n%b\r\n" % (reply.encode(), len(made), made))
        for place in places:
            ack = f"$JS.ACK.EVENTS.c.1.{place + 100}.{place}.1700000000000000000.0"
            writer.write(sent(b"%d" % place, headers=HEADERS, reply=ack, sid=int(sid)))
        writer.write(then % sid.encode() if then else b"")
        await reader.read()

    return play


async def collect(wire: Wire) -> list[Stored]:
    found: list[Stored] = []

    async def follow() -> None:
        async for batch in ordered(wire, "EVENTS", 1):
            found.extend(batch)

    with pytest.raises(TryLater):
        await follow()
    return found


async def test_a_question_on_a_connection_that_breaks_fails_at_once() -> None:
    async with server(hang_up) as wire:
        with pytest.raises(TryLater, match="broke"):
            await wire.ask(lambda reply: frame("x", "", b"", reply))


async def test_nobody_there_is_said_with_the_address() -> None:
    wire = Wire(Login(("nats://127.0.0.1:1",)))
    with pytest.raises(TryLater, match=r"127\.0\.0\.1:1"):
        await wire.ask(lambda reply: frame("x", "", b"", reply))


async def test_a_question_that_nobody_serves_is_answered_so() -> None:
    async def nobody(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reply = (await reader.readline()).split()[2]
        none = b"NATS/1.0 503\r\n\r\n"
        writer.write(b"HMSG %b 1 %d %d\r\n%b\r\n" % (reply, len(none), len(none), none))
        await reader.read()

    async with server(nobody) as wire:
        with pytest.raises(TryLater, match="not there"):
            await wire.ask(lambda reply: frame("x", "", b"", reply))


async def test_the_follower_stops_before_a_message_that_is_missing() -> None:
    async with server(following(places=[1, 2, 4])) as wire:
        assert [stored.sequence for stored in await collect(wire)] in ([], [101, 102])


async def test_the_follower_stops_when_a_heartbeat_tells_of_a_message_that_did_not_come() -> None:
    beat = b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 9\r\n\r\n"
    then = b"HMSG events.x %%b %d %d\r\n%b\r\n" % (len(beat), len(beat), beat)
    async with server(following(places=[1, 2], then=then)) as wire:
        assert [stored.sequence for stored in await collect(wire)] in ([], [101, 102])


async def test_follows_through_the_engine_being_killed(tmp_path: Path) -> None:
    engine = Engine(EngineSettings(folder=tmp_path / "engine"))
    addresses = await engine.start()
    client = await connect(addresses.nats, user="hub", password=addresses.hub_password)
    bus = NatsBus(client)
    await bus.prepare(replicas=1, keep_days=1, keep_gib=1, first=1)
    watching = asyncio.get_running_loop().create_task(engine.watch())
    found: list[int] = []

    async def follow() -> None:
        async for batch in bus.follow(0):
            found.extend(stored.sequence for stored in batch)
            if found[-1] >= 60:
                return

    follower = asyncio.get_running_loop().create_task(follow())
    for number in range(60):
        if number in (20, 40):
            os.kill(engine.pid, signal.SIGKILL)
        while True:
            try:
                await bus.publish([Message("events.a.b.c", f"id{number}", b"x")])
                break
            except TryLater:
                await asyncio.sleep(0.05)
    async with asyncio.timeout(40):
        await follower
    watching.cancel()
    await client.close()
    await engine.stop()
    assert found == list(range(1, 61))


async def test_a_wrong_password_is_refused_in_words(tmp_path: Path) -> None:
    engine = Engine(EngineSettings(folder=tmp_path / "engine"))
    addresses = await engine.start()
    wire = Wire(Login(addresses.nats, "hub", "wrong"))
    with pytest.raises(TryLater, match=r"(?i)authorization"):
        await wire.ask(lambda reply: frame("x", "", b"", reply))
    await wire.close()
    await engine.stop()
