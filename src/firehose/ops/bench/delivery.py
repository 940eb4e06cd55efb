"""From an event's way in to the webhook at its receiver, signed and durable on the way, at 200 and 1,000 a second.

The clock starts before the publishing request is written and stops when the receiver, a bare loop in this process, has
the whole body. Events come in small batches, as a busy CI's do; each is about a thing of its own, so no order holds
one up.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from firehose.errors import Broken
from firehose.ops.bench.line import Line
from firehose.ops.bench.measure import Measure
from firehose.ops.bench.stand import Stand, hub
from firehose.plumbing.clock import monotonic

REACH: Final = {200: 150.0, 1_000: 500.0}
SECONDS: Final = 10
EVERY: Final = 0.02
WARM: Final = 100
PATIENCE: Final = 60.0
_SENT: Final = re.compile(rb'"sent":(\d+)')
_OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Receiver(asyncio.Protocol):
    """A webhook receiver that only notes when what came. `seen`: nanoseconds on the way, by the moment of sending."""

    seen: list[float]

    def __init__(self, seen: list[float]) -> None:
        self.seen = seen
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A sender is here."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Some bytes of requests."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end]).lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            if len(self._buffer) < end + 4 + length:
                return
            body = bytes(self._buffer[end + 4 : end + 4 + length])
            del self._buffer[: end + 4 + length]
            found = _SENT.search(body)
            if found is not None and self._transport is not None:
                self.seen.append(monotonic() * 1e3 - int(found[1]) / 1e6)
                self._transport.write(_OK)


async def publish(stand: Stand, rate: int, count: int) -> None:
    """`count` events at `rate` a second, a request every 20 ms or so."""
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("127.0.0.1", stand.http)
    began, given = loop.time(), 0
    while given < count:
        await asyncio.sleep(EVERY)
        due = min(count, max(given + 1, int((loop.time() - began) * rate)))
        sent = int(monotonic() * 1e9)
        body = msgspec.json.encode([event(number, sent) for number in range(given, due)])
        writer.write(
            f"POST /in/inbox HTTP/1.1\r\nHost: bench\r\nContent-Type: application/cloudevents-batch+json\r\n"
            f"Authorization: Bearer {stand.token}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        answer = await reader.readexactly(length)
        if head.split(b" ", 2)[1] not in (b"200", b"202"):
            raise Broken(f"the hub refused a batch: {answer[:300].decode('utf-8', 'replace')}", code=1)
        given = due
    writer.close()


def event(number: int, sent: int) -> dict[str, object]:
    """A CloudEvent of about 600 bytes that says when it was sent."""
    return {
        "specversion": "1.0", "id": f"bench-{number}-{sent}", "source": "https://ci.example.org",
        "type": "org.example.taskrun.finished", "subject": f"build/{number}", "data": {"sent": sent, "pad": "x" * 280},
    }  # fmt: skip


async def measured(rate: int) -> list[float]:
    """Milliseconds on the way of each event."""
    seen: list[float] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Receiver(seen), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    setting = {
        "FIREHOSE_SINKS__BENCH__KIND": "webhook",
        "FIREHOSE_SINKS__BENCH__URL": url,
        "FIREHOSE_SINKS__BENCH__ALLOW_PRIVATE": "true",
    }
    try:
        return await asyncio.to_thread(_with_hub, setting, loop, (seen, rate))
    finally:
        server.close()


def _with_hub(setting: dict[str, str], loop: asyncio.AbstractEventLoop, what: tuple[list[float], int]) -> list[float]:
    seen, rate = what
    with hub(None, **setting) as stand:
        asyncio.run_coroutine_threadsafe(through(stand, seen, rate), loop).result()
    return seen


async def through(stand: Stand, seen: list[float], rate: int) -> None:
    """Warm up, then the load; `seen` holds the load alone."""
    await publish(stand, 50, WARM)
    await arrived(seen, WARM)
    seen.clear()
    await publish(stand, rate, rate * SECONDS)
    await arrived(seen, rate * SECONDS)


async def arrived(seen: list[float], count: int) -> None:
    """Until the receiver has so many."""
    deadline = monotonic() + PATIENCE
    while len(seen) < count:
        if monotonic() > deadline:
            raise Broken(f"{len(seen)} of {count} events delivered", code=1)
        await asyncio.sleep(0.02)


def run(scale: int) -> Sequence[Line]:
    """p50 and p95 for each rate; `scale` multiplies the rates."""
    lines: list[Line] = []
    for rate, reach in REACH.items():
        seen = sorted(asyncio.run(measured(rate * scale)))
        for share, most in ((50, None), (95, reach)):
            value = seen[len(seen) * share // 100]
            note = f"event in to signed webhook at its receiver, {rate * scale} events/s"
            lines.append(
                Line(
                    f"webhook-delivery {rate} p{share}", value, "ms", most, ok=most is None or value <= most, note=note
                )
            )
    return lines


MEASURES: Final = (Measure("webhook-delivery", "event in to webhook at its receiver, 200 and 1,000 events/s", 35, run),)
