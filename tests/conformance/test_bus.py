"""The promises of the bus, against the real engine and its twin in memory."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from firehose.bus.contract import Bus, Message, Stored
from firehose.bus.engine import Engine, EngineSettings
from firehose.bus.memory import MemoryBus
from firehose.bus.nats import NatsBus, connect


@pytest.fixture(params=["memory", "nats"])
async def bus(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bus]:
    if request.param == "memory":
        yield MemoryBus()
        return
    engine = Engine(EngineSettings(folder=tmp_path / "engine"))
    addresses = await engine.start()
    client = await connect(addresses.nats, user="hub", password=addresses.hub_password)
    real = NatsBus(client)
    await real.prepare(replicas=1, keep_days=1, keep_gib=1, first=1)
    try:
        yield real
    finally:
        await client.close()
        await engine.stop()


def message(number: int, id_: str = "") -> Message:
    return Message(f"events.gerrit.change.merged.p{number % 3}", id_ or f"id-{number}", b"payload %d" % number)


async def take(bus: Bus, after: int, count: int) -> list[Stored]:
    found: list[Stored] = []
    async with asyncio.timeout(20):
        async for batch in bus.follow(after):
            found += batch
            if len(found) >= count:
                return found
    raise AssertionError("the stream ended")


async def test_acknowledges_each_message_with_its_place(bus: Bus) -> None:
    one = await bus.publish([message(1)])
    many = await bus.publish([message(n) for n in range(2, 52)])
    assert [ack.sequence for ack in one + many] == list(range(1, 52))
    assert not any(ack.duplicate for ack in one + many)
    span = await bus.span()
    assert (span.first, span.last) == (1, 51)


async def test_stores_a_known_id_once_and_says_where_it_is(bus: Bus) -> None:
    await bus.publish([message(n) for n in range(1, 11)])
    acks = await bus.publish([message(11), message(3), message(12), message(11)])
    assert [ack.duplicate for ack in acks] == [False, True, False, True]
    assert acks[1].sequence == 3
    assert acks[0].sequence == acks[3].sequence
    assert (await bus.span()).last == 12


async def test_stores_more_than_one_batch_in_order(bus: Bus) -> None:
    acks = await bus.publish([message(n) for n in range(2_500)])
    assert [ack.sequence for ack in acks] == list(range(1, 2_501))
    stored = await take(bus, 0, 2_500)
    assert [entry.payload for entry in stored] == [b"payload %d" % n for n in range(2_500)]


async def test_follows_from_a_cursor_through_the_present(bus: Bus) -> None:
    await bus.publish([message(n) for n in range(1, 21)])
    follower = asyncio.get_running_loop().create_task(take(bus, 15, 10))
    for n in range(21, 26):
        await bus.publish([message(n)])
    found = await follower
    assert [entry.sequence for entry in found] == list(range(16, 26))
    assert found[0].subject == "events.gerrit.change.merged.p1"
    assert all(a.time <= b.time for a, b in itertools.pairwise(found))


async def test_fetches_a_range_at_once(bus: Bus) -> None:
    assert await bus.fetch(0, 10) == []
    await bus.publish([message(n) for n in range(1, 31)])
    found = await bus.fetch(12, 5)
    assert [entry.sequence for entry in found] == [13, 14, 15, 16, 17]
    assert found[0].payload == b"payload 13"
    assert await bus.fetch(30, 5) == []


async def test_keeps_small_state(bus: Bus) -> None:
    assert await bus.get("cursors", "gerrit") is None
    await bus.put("cursors", "gerrit", b"1")
    await bus.put("cursors", "gerrit", b"2")
    assert await bus.get("cursors", "gerrit") == b"2"
    assert await bus.get("cursors", "other") is None


async def test_keeps_a_shelf_newest_first(bus: Bus) -> None:
    numbers = [await bus.shelve("quarantine", b"%d" % n) for n in range(7)]
    await bus.shelve("letters", b"elsewhere")
    assert numbers == sorted(set(numbers))
    newest = await bus.shelf("quarantine", limit=3)
    assert [kept.payload for kept in newest] == [b"6", b"5", b"4"]
    older = await bus.shelf("quarantine", before=newest[-1].number, limit=10)
    assert [kept.payload for kept in older] == [b"3", b"2", b"1", b"0"]
    assert await bus.unshelve("quarantine", numbers[5])
    assert not await bus.unshelve("quarantine", numbers[5])
    assert not await bus.unshelve("letters", numbers[4])
    assert [kept.payload for kept in await bus.shelf("quarantine")] == [b"6", b"4", b"3", b"2", b"1", b"0"]
