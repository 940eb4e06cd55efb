"""The web's three figures, each against a bare ASGI loop on the same server in the same run.

`webhook`: signed deliveries answered after the fsync, by a whole hub. `sse`: 500 readers of one stream, flat out and
at 10,000 deliveries a second, by the web part alone, since one core's web is what is asked for. `replay`: one NDJSON
reader of a whole history. The load clients in C share the machine with what they measure.
"""

from __future__ import annotations

import hashlib
import hmac
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from firehose.bus.engine import free_port
from firehose.errors import Broken
from firehose.history.open import open_store
from firehose.ops.bench import senders, stand
from firehose.ops.bench.line import Line
from firehose.ops.bench.measure import Measure
from firehose.ops.bench.world import World
from firehose.plumbing.clock import monotonic
from firehose.settings import History

SECONDS: Final = 5.0
CONNECTIONS: Final = 64
READERS: Final = 500
EVENTS: Final = 60_000
_HALF: Final = 2_500


class Posted(msgspec.Struct, frozen=True):
    """What `load/post.c` saw: answers a second, latencies in milliseconds, answers that were 2xx and others."""

    rate: float
    p50: float
    p99: float
    ok: int
    other: int


class Read(msgspec.Struct, frozen=True):
    """What `load/sse.c` saw."""

    got: int
    seconds: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Deliveries a second."""
        return self.got / self.seconds if self.seconds else 0.0


@contextmanager
def playing(role: str, argument: str = "0") -> Iterator[int]:
    """A role of `bench.stage` in a process of its own; its port."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "firehose.ops.bench.stage", role, str(port), argument])  # noqa: S603
    try:
        stand.wait_port(port, 60)
        yield port
    finally:
        process.kill()
        process.wait()


def post(port: int, rate: float, path: str = "/in/github") -> Posted:
    """Signed GitHub deliveries, each with an id of its own."""
    body = senders.issue(1_500)
    signature = hmac.new(stand.SECRET, body, hashlib.sha256).hexdigest()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nX-GitHub-Event: issues\r\n"
        f"X-GitHub-Delivery: 4f1b3a60-0000-4000-8000-@@@@@@@@@@@@\r\nX-Hub-Signature-256: sha256={signature}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    command = [stand.load("post"), str(port), str(CONNECTIONS), str(SECONDS), str(rate)]
    done = subprocess.run(command, input=head.encode() + body, capture_output=True, check=False)  # noqa: S603
    if done.returncode:
        raise Broken(f"the load client failed: {done.stderr.decode()[-300:]}", code=1)
    found = msgspec.json.decode(done.stdout, type=Posted)
    if found.other:
        raise Broken(f"{found.other} of {found.ok + found.other} deliveries were refused", code=1)
    return found


def webhook(scale: int) -> Sequence[Line]:
    """Medians of three turns, the hub and the bare handler in alternation."""
    ours, theirs = [], []
    with stand.hub() as hub, playing("raw-hook") as rival:
        post(hub.http, 0)
        for _ in range(3):
            ours.append(post(hub.http, 0).rate)
            theirs.append(post(rival, 0).rate)
        slow = post(hub.http, _HALF * scale)
        rival_slow = post(rival, _HALF * scale)
    value, other = statistics.median(ours), statistics.median(theirs)
    note = "HMAC, GitHub issue of 1.5 kB, 64 connections, answer after the fsync; rival: bare handler, nothing kept"
    late = f"at {_HALF * scale:,} deliveries/s; p50 {slow.p50:.1f} ms"
    return [
        Line("webhook POST", value, "deliveries/s", 5_000, other, value / other, value >= 5_000 and value >= other / 2,
             note),
        Line("webhook POST p99", slow.p99, "ms", 30, rival_slow.p99, rival_slow.p99 / slow.p99, slow.p99 <= 30, late),
    ]  # fmt: skip


def read(port: int, path: str = "/v1/stream", seconds: float = SECONDS) -> Read:
    """500 readers of a stream."""
    command = [stand.load("sse"), str(port), str(READERS), str(seconds), path]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    if done.returncode:
        raise Broken(f"the load client failed: {done.stderr.decode()[-300:]}", code=1)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Read)


def fanout(scale: int) -> Sequence[Line]:
    """Flat out and at a rate, the hub's web and the bare loop."""
    found: dict[str, list[Read]] = {"live": [], "raw-live": []}
    for _ in range(2):
        for role, turns in found.items():
            with playing(role) as port:
                turns.append(read(port))
    rate = 20 * scale
    with playing("live", str(rate)) as port:
        slow = read(port)
    with playing("raw-live", str(rate)) as port:
        rival_slow = read(port)
    value, other = (max(turn.rate for turn in turns) for turns in found.values())
    note = f"{READERS} SSE readers, 600 B, one process; rival: bare ASGI loop"
    late = f"at {rate * READERS:,} deliveries/s; p50 {slow.p50:.1f} ms"
    return [
        Line("SSE fan-out", value, "deliveries/s", 60_000, other, value / other,
             value >= 60_000 and value >= other / 2, note),
        Line("SSE fan-out p99", slow.p99, "ms", 20, rival_slow.p99, rival_slow.p99 / slow.p99, slow.p99 <= 20, late),
    ]  # fmt: skip


def lines_of(port: int, path: str) -> float:
    """Lines a second of one reader that reads a stream to its end."""
    begun, count = monotonic(), 0
    with socket.create_connection(("127.0.0.1", port), 60) as reader:
        reader.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode())
        while block := reader.recv(1 << 20):
            count += block.count(b'"specversion"')
    return count / (monotonic() - begun)


def replay(scale: int) -> Sequence[Line]:
    """The whole history by NDJSON, the hub's stream and a bare loop over the same store."""
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(prefix="firehose-bench-", ignore_cleanup_errors=True) as name:
        store = open_store(History(), Path(name))
        batch = list(World().events(EVENTS * scale))
        for start in range(0, len(batch), 4_000):
            store.append(batch[start : start + 4_000])
        store.close()
        with playing("replay", name) as hub, playing("raw-replay", name) as rival:
            for _ in range(3):
                ours.append(lines_of(hub, "/v1/stream/json?since=earliest&until=latest"))
                theirs.append(lines_of(rival, "/"))
    value, other = statistics.median(ours), statistics.median(theirs)
    note = f"one reader, {EVENTS * scale:,} events out of SQLite; rival: bare ASGI loop over the same store"
    return [Line("replay NDJSON", value, "events/s", 50_000, other, value / other, value >= 50_000, note)]


MEASURES: Final = (
    Measure("webhook", "signed webhooks, answered after the fsync", 50, webhook),
    Measure("sse", "500 readers of server-sent events", 40, fanout),
    Measure("replay", "one NDJSON reader of the whole history", 30, replay),
)
