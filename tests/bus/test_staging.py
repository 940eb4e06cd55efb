"""Atomic batches are staged in memory, and the stream does not care: also not when the engine is killed."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from firehose.bus.contract import Message
from firehose.bus.engine import Engine, EngineSettings
from firehose.bus.nats import NatsBus, connect
from firehose.bus.staging import Staging
from firehose.errors import TryLater
from firehose.plumbing.tasks import Crew


def messages(turn: int) -> list[Message]:
    return [Message(f"events.x.change.merged.{n}", f"{turn}-{n}", b"{}\n{}") for n in range(20)]


async def test_batches_go_through_memory_before_and_after_the_engine_is_killed(tmp_path: Path) -> None:
    engine = Engine(EngineSettings(folder=tmp_path / "engine"))
    addresses = await engine.start()
    crew = Crew()
    crew.start("engine", engine.watch())
    client = await connect(addresses.nats, user="hub", password=addresses.hub_password)
    try:
        bus = NatsBus(client)
        await bus.prepare(replicas=1, keep_days=1, keep_gib=1, first=1)
        link = tmp_path / "engine" / "store" / "jetstream" / "HUB" / "streams" / "EVENTS" / "batches"
        assert engine.staging.ensure()
        assert [ack.sequence for ack in await bus.publish(messages(1))] == list(range(1, 21))
        assert link.is_symlink()
        assert link.resolve() == engine.staging.place
        first = engine.pid
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(30):
            while engine.pid == first or not engine.ready:
                await asyncio.sleep(0.02)
        async with asyncio.timeout(30):
            while True:
                try:
                    acks = await bus.publish(messages(2))
                    break
                except TryLater:
                    await asyncio.sleep(0.1)
        assert [ack.sequence for ack in acks] == list(range(21, 41))
        assert engine.staging.ensure()
        assert [ack.sequence for ack in await bus.publish(messages(3))] == list(range(41, 61))
        assert [stored.sequence for stored in await bus.fetch(0, 100)] == list(range(1, 61))
    finally:
        await crew.stop()
        await client.close()
        await engine.stop()
    assert not engine.staging.place.exists()


def test_without_shared_memory_nothing_is_changed(tmp_path: Path) -> None:
    folder = tmp_path / "jetstream" / "HUB" / "streams" / "EVENTS" / "batches"
    folder.mkdir(parents=True)
    assert not Staging(tmp_path, "HUB", "EVENTS", memory=tmp_path / "missing").ensure()
    assert not folder.is_symlink()


def test_a_batch_that_flies_keeps_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "jetstream" / "HUB" / "streams" / "EVENTS" / "batches"
    (folder / "flying").mkdir(parents=True)
    memory = tmp_path / "memory"
    memory.mkdir()
    staging = Staging(tmp_path, "HUB", "EVENTS", memory=memory)
    assert not staging.ensure()
    assert (folder / "flying").is_dir()
    (folder / "flying").rmdir()
    assert staging.ensure()
    assert folder.resolve() == staging.place
