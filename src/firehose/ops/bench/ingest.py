"""Durable ingest through the gate, against the same engine fed with raw atomic batches of the same size.

A delivery holds one event and is judged, redacted, encoded, checked against recent and recorded ids, stored and
answered after the fsync; 2,048 senders wait for their answers. Its source reads nothing but an id, so that the gate is
measured and not a service's payload. The raw rival sends finished bytes over the same connection.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import uvloop

from firehose.bus.contract import Bus, Message
from firehose.bus.engine import Engine, EngineSettings
from firehose.bus.nats import NatsBus, connect
from firehose.event import Event
from firehose.history.open import open_store
from firehose.history.reader import Reader
from firehose.intake.gate import Gate
from firehose.intake.instance import Instance
from firehose.intake.ledger import Ledger
from firehose.ops.bench.line import Line
from firehose.ops.bench.measure import Measure
from firehose.plumbing import collector
from firehose.plumbing.clock import monotonic, now
from firehose.plumbing.tasks import Crew
from firehose.settings import History
from firehose.source import Delivery, Settings, SourceKind, Verdict

SENDERS: Final = 2_048
EVENTS: Final = 30_000
FRAME: Final = 600
_PAD: Final = b'{"text":"' + b"x" * 270 + b'"}'


def _read(delivery: Delivery, settings: Any) -> Verdict:
    return [
        Event(
            id=delivery.topic, source="https://review.example.org", type="org.example.merged", kind="change.merged",
            subject=f"openstack/nova~{delivery.topic}", project="openstack/nova", actor="ada", time=delivery.received,
            summary="ada merged a change", data=delivery.body,
        )
    ]  # fmt: skip


_KIND: Final = SourceKind(
    name="bench", title="Bench", family="hub", settings=Settings, read=_read, kinds={"merged": "change.merged"}
)


@asynccontextmanager
async def running_bus(folder: Path) -> AsyncIterator[Bus]:
    """A real engine that syncs always, with its streams made."""
    engine = Engine(EngineSettings(folder=folder / "engine"))
    addresses = await engine.start()
    client = await connect(addresses.nats, user="hub", password=addresses.hub_password)
    try:
        bus = NatsBus(client)
        await bus.prepare(replicas=1, keep_days=1, keep_gib=4, first=1)
        engine.staging.ensure()  # as a hub does, and for the rival as well
        yield bus
    finally:
        await client.close()
        await engine.stop()


async def through_gate(gate: Gate, turn: str, count: int) -> float:
    """Events a second; every one was answered."""
    deliveries = iter(
        [Delivery(source="bench", body=_PAD, received=now(), topic=f"{turn}-{number}") for number in range(count)]
    )

    async def sender(own: Iterator[Delivery]) -> None:
        for delivery in own:
            await gate.accept(delivery)

    gc.collect()
    began = monotonic()
    async with asyncio.TaskGroup() as senders:
        for _ in range(SENDERS):
            senders.create_task(sender(deliveries))
    return count / (monotonic() - began)


async def raw(bus: Bus, turn: str, count: int) -> float:
    """Messages a second, in batches of 1,000, each awaited."""
    payload = b"x" * FRAME
    messages = [Message("events.bench.change.merged.openstack.nova", f"{turn}-{n}", payload) for n in range(count)]
    gc.collect()
    began = monotonic()
    await bus.publish(messages)
    return count / (monotonic() - began)


async def measure(scale: int) -> list[Line]:
    """The line: medians of three turns, ours and raw in alternation."""
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(prefix="firehose-bench-") as name:
        folder = Path(name)
        reader = Reader(open_store(History(), folder))
        async with running_bus(folder) as bus:
            gate = Gate(bus, Ledger(now), {"bench": Instance("bench", _KIND, Settings(kind="bench"))}, reader.known)
            crew = Crew()
            crew.start("gate", gate.run())
            await through_gate(gate, "warm", 2_000)
            collector.settle()
            for turn in range(3):
                ours.append(await through_gate(gate, f"g{turn}", EVENTS * scale))
                theirs.append(await raw(bus, f"r{turn}", EVENTS * scale))
            await crew.stop()
        reader.close()
    value, rival = statistics.median(ours), statistics.median(theirs)
    ratio = value / rival
    note = f"fsync before the answer, {FRAME} B, {SENDERS:,} senders; rival: raw NATS atomic batches (≥ 0.4 of it)"
    return [Line("ingest", value, "events/s", 20_000, rival, ratio, value >= 20_000 and ratio >= 0.4, note)]


def run(scale: int) -> Sequence[Line]:
    """See `measure`."""
    return uvloop.run(measure(scale))


MEASURES: Final = (Measure("ingest", "durable ingest through the gate", 15, run),)
