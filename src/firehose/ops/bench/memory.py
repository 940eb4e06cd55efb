"""Memory of a hub over all its processes: idle, with readers, over steady recording; and its start with many events.

Proportional set size from `/proc`, so that pages which processes share count once. The C subscribers and the sockets
of the SSE readers belong to the load and are not counted.
"""

from __future__ import annotations

import itertools
import resource
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import uvloop

from firehose.bus.contract import Message
from firehose.event import Event, Recorded, encode
from firehose.history.open import open_store
from firehose.ops.bench.ingest import running_bus
from firehose.ops.bench.line import Line
from firehose.ops.bench.measure import Measure
from firehose.ops.bench.senders import batches
from firehose.ops.bench.stand import Stand, Subscribers, hub, memory, pause, tree
from firehose.settings import History

IDLE_SECONDS: Final = 5.0
SETTLE_SECONDS: Final = 3.0
MQTT_READERS: Final = 1_000
SSE_READERS: Final = 500
WARM: Final = 220_000
"""Events after which what has a bound has reached it: ring, caches, and the gate's table of 200,000 recent ids."""
STEADY: Final = 100_000
STORED: Final = 1_000_000
_APPEND: Final = 10_000


def run(scale: int) -> Sequence[Line]:
    """One hub: idle, then readers, then recording. `scale` multiplies readers and events."""
    with hub() as stand:
        pause(IDLE_SECONDS)
        idle = of(stand)
        lines = [
            Line("memory idle", idle, "MB", 200, ok=idle <= 200, note="PSS of all processes of a hub just started")
        ]
        before = of(stand)
        subscribers = Subscribers(stand.mqtt, MQTT_READERS * scale, "events/#", expect=0, seconds=600)
        batches(stand, 200)
        pause(SETTLE_SECONDS)
        more = of(stand) - before
        subscribers.stop()
        note = f"growth by {MQTT_READERS * scale:,} MQTT readers of everything, after 200 events"
        lines.append(Line("memory MQTT readers", more, "MB", 250 * scale, ok=more <= 250 * scale, note=note))
        pause(SETTLE_SECONDS)
        before = of(stand)
        with sse_readers(stand, SSE_READERS * scale):
            batches(stand, 200)
            pause(SETTLE_SECONDS)
            more = of(stand) - before
        note = f"growth by {SSE_READERS * scale:,} SSE readers of everything, after 200 events"
        lines.append(Line("memory SSE readers", more, "MB", 150 * scale, ok=more <= 150 * scale, note=note))
        lines.append(slope(stand, scale))
    return lines


def slope(stand: Stand, scale: int) -> Line:
    """Growth while recording, once everything that has a bound is full."""
    batches(stand, WARM)
    pause(SETTLE_SECONDS)
    before = of(stand)
    batches(stand, STEADY * scale)
    pause(SETTLE_SECONDS)
    grown = (of(stand) - before) / (STEADY * scale) * 100_000
    note = f"growth for 100,000 recorded events, over {STEADY * scale:,} after {WARM:,}"
    return Line("memory slope", grown, "MB", 50, ok=grown <= 50, note=note)


def of(stand: Stand) -> float:
    """A hub's processes together, MB."""
    return memory(tree(stand.pid))


@contextmanager
def sse_readers(stand: Stand, count: int) -> Iterator[None]:
    """Open streams; what comes is left to the kernel's buffers."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    open_: list[socket.socket] = []
    try:
        for _ in range(count):
            reader = socket.create_connection(("127.0.0.1", stand.http), 10)
            reader.sendall(b"GET /v1/stream HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n")
            open_.append(reader)
        for reader in open_:
            reader.recv(4_096)
        yield
    finally:
        for reader in open_:
            reader.close()


def run_start(scale: int) -> Sequence[Line]:
    """Fill a stream and a history, start a hub on them. `scale` multiplies the events."""
    count = STORED * scale
    with tempfile.TemporaryDirectory(prefix="firehose-bench-", ignore_cleanup_errors=True) as name:
        data = Path(name)
        uvloop.run(fill_stream(data, count))
        fill_history(data, count)
        with hub(data) as stand:
            took = stand.seconds
    note = f"from the process's start to /readyz with {count:,} events in stream and history"
    return [Line("start", took, "s", 5, ok=took <= 5, note=note)]


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


MEASURES: Final = (
    Measure("memory", "memory: idle, 1,000 MQTT readers, 500 SSE readers, steady recording", 110, run),
    Measure("start", "start to serving with 1 M events", 100, run_start),
)
