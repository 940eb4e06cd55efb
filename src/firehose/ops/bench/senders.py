"""Senders of load over HTTP: signed webhooks at a rate, and large batches of CloudEvents.

In: a running hub. Out: events whose payload holds `"sent":NANOSECONDS`, the moment before the request went out, which
the subscribers of `load/` compare with the moment of arrival.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
from collections.abc import Iterator
from typing import Final

import msgspec

from firehose.errors import Broken
from firehose.ops.bench.stand import SECRET, Stand, request
from firehose.plumbing.clock import monotonic

CONNECTIONS: Final = 8
IN_BATCH: Final = 500
_counter = itertools.count(1)


def issue(size: int) -> bytes:
    """A GitHub delivery of about `size` bytes."""
    body = {
        "sent": int(monotonic() * 1e9), "action": "opened", "sender": {"login": "ada"},
        "issue": {"number": 7, "id": 1, "title": "bench", "html_url": "https://github.com/x/y/issues/7",
                  "state": "open", "user": {"login": "ada"}, "created_at": "2026-01-01T00:00:00Z",
                  "updated_at": "2026-01-01T00:00:00Z"},
        "repository": {"full_name": "x/y", "html_url": "https://github.com/x/y", "id": 5, "private": False}, "pad": "",
    }  # fmt: skip
    body["pad"] = "x" * max(size - len(msgspec.json.encode(body)), 0)
    return msgspec.json.encode(body)


async def webhooks(hub: Stand, count: int, rate: float, size: int = 600) -> int:
    """`count` signed deliveries at `rate` a second over a few kept connections; how many were accepted."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    turns = iter(range(count))
    accepted = 0

    async def sender() -> None:
        nonlocal accepted
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.http)
        for turn in turns:
            await asyncio.sleep(began + turn / rate - loop.time())
            writer.write(_post(issue(size)))
            status = await _status(reader)
            accepted += status in (200, 202)
        writer.close()

    await asyncio.gather(*(sender() for _ in range(CONNECTIONS)))
    return accepted


def _post(body: bytes) -> bytes:
    signature = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    return (
        f"POST /in/github HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"X-GitHub-Event: issues\r\nX-GitHub-Delivery: bench-{next(_counter)}-{monotonic()}\r\n"
        f"X-Hub-Signature-256: sha256={signature}\r\n\r\n"
    ).encode() + body


async def _status(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    for row in head.lower().split(b"\r\n"):
        if row.startswith(b"content-length:"):
            await reader.readexactly(int(row.partition(b":")[2]))
    return int(head.split(b" ", 2)[1])


def batches(hub: Stand, count: int, size: int = 600) -> int:
    """`count` CloudEvents through the inbox, as fast as it answers; how many requests that took."""
    requests = 0
    for bodies in _chunks(count, size):
        status, answer = request(
            hub.http, "POST", "/in/inbox", bodies, Content_Type="application/cloudevents-batch+json",
            Authorization=f"Bearer {hub.token}",
        )  # fmt: skip
        if status not in (200, 202):
            raise Broken(f"the hub refused a batch: {status} {answer[:300].decode('utf-8', 'replace')}", code=1)
        requests += 1
    return requests


def _chunks(count: int, size: int) -> Iterator[bytes]:
    pad = "x" * max(size - 320, 0)
    for start in range(0, count, IN_BATCH):
        sent = int(monotonic() * 1e9)
        yield msgspec.json.encode(
            [
                {"specversion": "1.0", "id": f"bench-{next(_counter)}-{sent}", "source": "https://ci.example.org",
                 "type": "org.example.taskrun.finished", "subject": f"build/{number}",
                 "data": {"sent": sent, "pad": pad}}
                for number in range(start, min(start + IN_BATCH, count))
            ]
        )  # fmt: skip
