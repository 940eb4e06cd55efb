"""How long a hub takes to serve when its stream and its history hold a million events.

Two starts on the same data. The engine knows the ids of the last ten minutes by reading those messages again, so a
million events that all came within ten minutes are read at the start; older ones are not. Both are printed.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import uvloop

from firehose.bus import topology
from firehose.bus.contract import Message
from firehose.bus.engine import Engine, EngineSettings
from firehose.bus.nats import connect
from firehose.errors import Broken
from firehose.event import Event, Recorded, encode
from firehose.history.open import open_store
from firehose.ops.bench.ingest import running_bus
from firehose.ops.bench.line import Line
from firehose.ops.bench.measure import Measure
from firehose.ops.bench.stand import hub
from firehose.settings import History

STORED: Final = 1_000_000
_APPEND: Final = 10_000


def run(scale: int) -> Sequence[Line]:
    """Fill a stream and a history, start a hub on them twice. `scale` multiplies the events."""
    count = STORED * scale
    with tempfile.TemporaryDirectory(prefix="firehose-bench-", ignore_cleanup_errors=True) as name:
        data = Path(name)
        uvloop.run(fill_stream(data, count))
        fill_history(data, count)
        with hub(data) as stand:
            flood = stand.seconds
        uvloop.run(grow_old(data))
        with hub(data) as stand:
            took = stand.seconds
    note = f"from the process's start to /readyz with {count:,} events in stream and history"
    return [
        Line("start", took, "s", 5, ok=took <= 5, note=note),
        Line("start after a flood", flood, "s", note=f"the same, all {count:,} within the last ten minutes"),
    ]


def frames(count: int) -> Iterator[tuple[str, bytes]]:
    """Ids and frames of small events."""
    event = Event(
        id="#" * 12, source="https://review.example.org", type="org.example.merged", kind="change.merged",
        subject="openstack/nova~############", project="openstack/nova", actor="ada", summary="ada merged a change",
        time=datetime(2026, 1, 1, tzinfo=UTC), data=b'{"text":"short"}',
    )  # fmt: skip
    frame = encode("bench", event)
    for number in range(1, count + 1):
        yield f"{number:012d}", frame.replace(b"#" * 12, b"%012d" % number)


async def fill_stream(data: Path, count: int) -> None:
    """The stream alone, by raw batches."""
    made = frames(count)
    async with running_bus(data) as bus:
        while chunk := list(itertools.islice(made, _APPEND)):
            await bus.publish(
                [Message("events.bench.change.merged.openstack.nova", id_, frame) for id_, frame in chunk]
            )


def fill_history(data: Path, count: int) -> None:
    """The history alone, as the recorder would have written it."""
    store = open_store(History(), data)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made = enumerate(frames(count), 1)
    while chunk := list(itertools.islice(made, _APPEND)):
        store.append([Recorded(number, start + timedelta(seconds=number), frame) for number, (_, frame) in chunk])
    store.close()


async def grow_old(data: Path) -> None:
    """Let the engine forget the ids, as it does with ten minutes; the hub's start sets the window as it was."""
    engine = Engine(EngineSettings(folder=data / "engine"))
    addresses = await engine.start()
    client = await connect(addresses.nats, user="hub", password=addresses.hub_password)
    try:
        config = topology.streams(replicas=1, keep_days=1, keep_gib=4, first=1)[0]
        config["duplicate_window"] = 10**8
        answer = await client.request(
            f"$JS.API.STREAM.UPDATE.{topology.EVENTS}", msgspec.json.encode(config), timeout=60
        )
        if b'"error"' in answer.data:
            raise Broken(f"the engine refuses a shorter window: {answer.data[:300]!r}", code=1)
    finally:
        await client.close()
        await engine.stop()


MEASURES: Final = (Measure("start", "start to serving with 1 M events", 100, run),)
