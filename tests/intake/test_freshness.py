"""Sources that are spoken to and fall silent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from firehose.bus.memory import MemoryBus
from firehose.event import Recorded
from firehose.intake.freshness import Freshness
from firehose.intake.gate import Gate
from firehose.intake.instance import Instance
from firehose.intake.ledger import Ledger
from firehose.source import Delivery, Ignored, Settings, SourceKind, Verdict


def read(delivery: Delivery, settings: Settings) -> Verdict:
    return Ignored("all")


KIND = SourceKind(name="toy", title="Toy", family="forge", settings=Settings, read=read, kinds={})


async def test_silence_beyond_the_limit_is_an_incident_once_and_its_end_another() -> None:
    clock = [datetime(2026, 1, 1, tzinfo=UTC)]
    instance = Instance("hooks", KIND, Settings(kind="toy", freshness=60))
    ledger = Ledger(lambda: clock[0])
    ledger.open(msgspec.structs.replace(instance.opening, since=clock[0]))
    bus = MemoryBus()

    async def known(ids: Sequence[str]) -> Mapping[str, int]:
        return {}

    gate = Gate(bus, ledger, {"hooks": instance}, known)
    running = asyncio.get_running_loop().create_task(gate.run())
    freshness = Freshness({"hooks": instance}, ledger, gate, lambda: clock[0])

    async def told() -> list[tuple[str, str]]:
        await freshness.look()
        stored = [Recorded(s.sequence, s.time, s.payload).envelope for s in await bus.fetch(0, 10)]
        return [(envelope.kind, envelope.subject) for envelope in stored]

    assert await told() == []  # never spoke: nothing to compare with
    ledger.book("hooks", "event")
    clock[0] += timedelta(seconds=50)
    assert await told() == []
    clock[0] += timedelta(seconds=20)
    assert await told() == [("incident.detected", "source/hooks")]
    clock[0] += timedelta(seconds=500)
    assert len(await told()) == 1
    ledger.book("hooks", "event")
    assert await told() == [("incident.detected", "source/hooks"), ("incident.resolved", "source/hooks")]
    again = Freshness({"hooks": instance}, ledger, gate, lambda: clock[0])
    await again.look()
    assert (await bus.span()).last == 2
    running.cancel()
