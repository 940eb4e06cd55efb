"""Memory of a hub over all its processes: idle, with readers, over steady recording.

Proportional set size from `/proc`, so that pages which processes share count once. The C subscribers and the sockets
of the SSE readers belong to the load and are not counted.
"""

from __future__ import annotations

import resource
import socket
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from firehose.ops.bench.line import Line
from firehose.ops.bench.measure import Measure
from firehose.ops.bench.senders import batches
from firehose.ops.bench.stand import Stand, Subscribers, hub, memory, pause, tree

IDLE_SECONDS: Final = 5.0
SETTLE_SECONDS: Final = 3.0
MQTT_READERS: Final = 1_000
SSE_READERS: Final = 500
WARM: Final = 220_000
"""Events after which what has a bound has reached it: ring, caches, and the gate's table of 200,000 recent ids."""
STEADY: Final = 50_000
STEPS: Final = 7
"""Looks at the memory, that many events apart: one look falls anywhere between two collections of the engine's heap,
which is 50 MB up or down, so the slope is that of a line through all of them."""


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
    recorded, found = [], []
    for step in range(STEPS):
        pause(SETTLE_SECONDS)
        recorded.append(step * STEADY * scale / 100_000)
        found.append(of(stand))
        if step < STEPS - 1:
            batches(stand, STEADY * scale)
    grown = statistics.linear_regression(recorded, found).slope
    note = f"growth for 100,000 recorded events: {STEPS} looks, {STEADY * scale:,} events apart, after {WARM:,}"
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


MEASURES: Final = (Measure("memory", "memory: idle, 1,000 MQTT readers, 500 SSE readers, steady recording", 160, run),)
