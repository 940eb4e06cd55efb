"""A sender of log lines at a rate, in a process of its own: NDJSON as Vector posts it, over kept connections.

`python -m firehose.ops.bench.flood PORT TOKEN LINES_A_SECOND SECONDS` prints `{"sent": …, "seconds": …}`: lines that
were answered. Bodies are made before the clock starts, so that the sender costs the machine little.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final

import msgspec

from firehose.plumbing.child import give_way, step_back
from firehose.plumbing.clock import monotonic

IN_BATCH: Final = 2_000
CONNECTIONS: Final = 64
BODIES: Final = 8


def body(number: int) -> bytes:
    """A batch of different lines of a few kinds."""
    return b"\n".join(
        msgspec.json.encode(
            {
                "timestamp": "2026-01-02T03:04:05.678Z",
                "host": f"node{line % 40}.example.org",
                "level": "info",
                "source_type": "file",
                "message": f"req-{number:x}{line:06x} worker {line % 7} served /v2/servers/{line} "
                f"from 192.0.2.{line % 250} in {line % 997} ms",
            }
        )
        for line in range(IN_BATCH)
    )


async def flood(port: int, token: str, rate: float, seconds: float) -> tuple[int, float]:
    """Lines that were answered, and in how many seconds."""
    bodies = [body(number) for number in range(BODIES)]
    turns = iter(range(int(rate * seconds / IN_BATCH)))
    began = monotonic()
    sent = 0

    async def sender() -> None:
        nonlocal sent
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for turn in turns:
            await asyncio.sleep(began + turn * IN_BATCH / rate - monotonic())
            batch = bodies[turn % BODIES]
            writer.write(
                f"POST /in/logs HTTP/1.1\r\nHost: bench\r\nContent-Type: application/x-ndjson\r\n"
                f"Authorization: Bearer {token}\r\nContent-Length: {len(batch)}\r\n\r\n".encode()
            )
            writer.write(batch)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
            if head.split(b" ", 2)[1] == b"202":
                sent += IN_BATCH
        writer.close()

    await asyncio.gather(*(sender() for _ in range(CONNECTIONS)))
    return sent, monotonic() - began


if __name__ == "__main__":
    # It stands for other machines, which would take nothing of this one's cores.
    step_back(19)
    give_way()
    answered, took = asyncio.run(flood(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4])))
    sys.stdout.write(msgspec.json.encode({"sent": answered, "seconds": took}).decode() + "\n")
