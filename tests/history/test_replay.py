"""Replay from any cursor into the live stream: nothing twice, nothing missing, wherever the seam is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firehose.bus.contract import Message
from firehose.bus.live import Live
from firehose.bus.memory import MemoryBus
from firehose.errors import Refused
from firehose.event import Event, Recorded, encode
from firehose.history.reader import Reader
from firehose.history.recorder import Recorder
from firehose.history.replay import events
from firehose.history.sqlite import SqliteStore
from firehose.ops.bench.world import END, World
from firehose.plumbing.tasks import Crew
from firehose.query.parse import parse
from firehose.query.tree import Everything, Node

NOW = datetime(2016, 10, 25, tzinfo=UTC)


def message(number: int) -> Message:
    event = Event(
        id=f"d-{number}", source="https://review.example.org", type="org.example.thing", kind="change.merged",
        subject=f"nova~{number}", time=NOW, actor="fungi" if number % 3 else "zuul",
    )  # fmt: skip
    return Message("events.gerrit.change.merged", event.identity, encode("gerrit", event))


class Rig:
    """A bus, its ring, a store and its recorder."""

    def __init__(self, folder: Path, ring: int) -> None:
        self.bus = MemoryBus()
        self.live = Live(ring)
        self.store = SqliteStore(folder / "history.db", budget=0)
        self.reader = Reader(self.store)
        self.crew = Crew()
        self.made = 0

    async def publish(self, count: int) -> None:
        await self.bus.publish([message(n) for n in range(self.made + 1, self.made + count + 1)])
        self.made += count

    def follow(self) -> None:
        self.crew.start("live", self.live.follow(self.bus))

    def record(self) -> None:
        self.crew.start("recorder", Recorder(self.bus, self.store, self.reader.recorded).run())

    async def read(self, after: int, upto: int, query: Node | None = None, use_bus: bool = True) -> list[int]:
        found: list[int] = []
        steps = events(
            self.live, self.reader, after, query or Everything(), idle=0.01, bus=self.bus if use_bus else None
        )
        async with asyncio.timeout(20), aclosing(steps):
            async for step in steps:
                found += [event.sequence for event in step.events]
                if step.cursor >= upto:
                    break
        return found


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    made = Rig(tmp_path, ring=100)
    yield made
    await made.crew.stop()
    made.reader.close()


async def test_reads_history_then_the_ring_then_what_comes(rig: Rig) -> None:
    await rig.publish(2_000)
    rig.follow()
    rig.record()
    reading = asyncio.get_running_loop().create_task(rig.read(0, 2_050))
    assert await rig.reader.wait(2_000, 10)
    await rig.publish(50)
    assert await reading == list(range(1, 2_051))


async def test_a_filter_is_answered_from_the_index_and_the_ring_alike(rig: Rig) -> None:
    await rig.publish(2_000)
    rig.record()
    assert await rig.reader.wait(2_000, 10)
    rig.follow()
    assert await rig.live.wait(1_999, 5)
    found = await rig.read(10, 2_000, parse("actor:zuul", NOW))
    assert found == [n for n in range(11, 2_001) if n % 3 == 0]


async def test_what_is_not_recorded_yet_comes_from_the_stream(rig: Rig) -> None:
    await rig.publish(1_500)
    rig.follow()
    assert await rig.live.wait(1_499, 5)
    assert await rig.read(3, 1_500) == list(range(4, 1_501))


async def test_without_the_stream_it_waits_for_the_recorder(rig: Rig) -> None:
    await rig.publish(1_500)
    rig.follow()
    assert await rig.live.wait(1_499, 5)
    reading = asyncio.get_running_loop().create_task(rig.read(3, 1_500, use_bus=False))
    rig.record()
    assert await reading == list(range(4, 1_501))


async def test_a_cursor_from_before_the_history_is_refused_with_the_floor(rig: Rig) -> None:
    await rig.publish(300)
    rig.record()
    assert await rig.reader.wait(300, 10)
    rig.store.forget(200)
    rig.follow()
    with pytest.raises(Refused) as refused:
        await rig.read(150, 300)
    assert (refused.value.status, refused.value.slug) == (410, "cursor-too-old")
    assert refused.value.extra["floor"] == f"{200:020d}"
    assert await rig.read(200, 300) == list(range(201, 301))


async def test_a_quiet_stream_ticks(rig: Rig) -> None:
    rig.follow()
    steps = events(rig.live, rig.reader, 0, Everything(), idle=0.01)
    async with aclosing(steps):
        assert (await anext(steps)).events == []
        await rig.publish(1)
        while not (step := await anext(steps)).events:
            pass
        assert step.cursor == 1


async def test_starts_again_at_the_head_of_the_store(rig: Rig) -> None:
    await rig.publish(10)
    rig.record()
    assert await rig.reader.wait(10, 10)
    await rig.crew.stop()
    await rig.publish(5)
    rig.crew = Crew()
    rig.record()
    assert await rig.reader.wait(15, 10)
    assert rig.store.span().count == 15


@given(
    ring=st.integers(1, 40), before=st.integers(0, 120), lag=st.booleans(), after=st.integers(0, 130),
    bursts=st.lists(st.integers(1, 60), max_size=4),
)  # fmt: skip
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
async def test_no_hole_and_no_double_wherever_the_seam_is(
    tmp_path_factory: pytest.TempPathFactory, ring: int, before: int, lag: bool, after: int, bursts: list[int]
) -> None:
    rig = Rig(tmp_path_factory.mktemp("seam"), ring)
    await rig.publish(before)
    rig.follow()
    if not lag:
        rig.record()
    total = before + sum(bursts)
    reading = asyncio.get_running_loop().create_task(rig.read(min(after, before), total))
    for burst in bursts:
        await asyncio.sleep(0)
        await rig.publish(burst)
    assert await reading == list(range(min(after, before) + 1, total + 1))
    await rig.crew.stop()
    rig.reader.close()


def test_an_event_of_the_history_is_written_down_as_it_was(tmp_path: Path) -> None:
    moments = [datetime(1970, 1, 1, tzinfo=UTC), datetime(2016, 2, 29, 23, 59, 59, 999_999, UTC), END]
    frame = next(World().events(1)).frame
    before = [Recorded(number, moment, frame) for number, moment in enumerate(moments, 1)]
    store = SqliteStore(tmp_path / "h.db")
    store.append(before)
    found = [event for chunk in store.replay(0) for event in chunk]
    assert [event.line for event in found] == [event.line for event in before]
    assert [event.recorded for event in found] == moments
    store.close()
