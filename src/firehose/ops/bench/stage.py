"""What `bench/web.py` measures, in a process of its own: the hub's web part alone, and its rivals on the same server.

`python -m firehose.ops.bench.stage ROLE PORT ARGUMENT`. Roles: `live` (the hub's streams, fed with ARGUMENT events a
second, 0: as fast as the readers take them), `raw-live` (a bare ASGI loop with a list per reader, fed likewise),
`replay` (the hub's streams over a history in the folder ARGUMENT), `raw-replay` (a bare ASGI loop over the same
store), `raw-hook` (a bare ASGI handler that verifies, decodes and answers; ARGUMENT is ignored).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server as Granian

from firehose.access.tokens import Tokens
from firehose.bus.live import Live
from firehose.bus.memory import MemoryBus
from firehose.event import Event, Recorded, encode
from firehose.history.open import open_store
from firehose.history.reader import Reader
from firehose.intake.gate import Gate
from firehose.intake.ledger import Ledger
from firehose.ops.bench.stand import SECRET
from firehose.plumbing.clock import monotonic, now
from firehose.plumbing.tasks import Crew
from firehose.settings import History, Http, Settings
from firehose.web.answer import Receive, Scope, Send
from firehose.web.hub import Hub
from firehose.web.server import Server

READERS: Final = 500
AHEAD: Final = 200
BATCH: Final = 10
_PAD: Final = "x" * 250


def made(sequence: int) -> Recorded:
    """An event of about 600 bytes that says when it was made."""
    data = b'{"t":%d,"pad":"%b"}' % (int(monotonic() * 1e9), _PAD.encode())
    event = Event(
        id=str(sequence), source="https://review.example.org", type="org.example.merged", kind="change.merged",
        subject=f"openstack/nova~{sequence}", project="openstack/nova", actor="ada", summary="ada merged a change",
        time=datetime.fromtimestamp(1_750_000_000, UTC), data=data,
    )  # fmt: skip
    return Recorded(sequence, now(), encode("bench", event))


async def feed(rate: float, give: Callable[[Sequence[Recorded]], None], readers: Callable[[], int],
               taken: Callable[[], int]) -> None:  # fmt: skip
    """Make events once all readers are there: at a rate, or `AHEAD` events before what the readers took."""
    while readers() < READERS:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    begun, given, before = monotonic(), 0, taken()
    while True:
        batch = [made(given + number) for number in range(1, (1 if rate else BATCH) + 1)]
        give(batch)
        given += len(batch)
        if rate:
            await asyncio.sleep(max(0.0, begun + given / rate - monotonic()))
        while not rate and given - (taken() - before) / READERS > AHEAD:  # noqa: ASYNC110
            await asyncio.sleep(0.002)


async def hub_web(port: int, folder: Path, rate: float | None) -> None:
    """The hub's web part over a store, without an engine; fed when there is a rate."""
    live, reader, ledger, bus = Live(), Reader(open_store(History(), folder)), Ledger(now), MemoryBus()
    live.start_at((await reader.span()).last)
    gate = Gate(bus, ledger, {}, reader.known)
    settings = Settings(http=Http(listen=f"127.0.0.1:{port}"))
    hub = Hub(settings=settings, bus=bus, live=live, reader=reader, gate=gate, ledger=ledger,
              tokens=Tokens(folder / "access.sqlite"), now=now)  # fmt: skip
    server = Server(hub)
    streams = server.application.streams
    await server.start()
    crew = Crew()
    crew.start("web", server.run())
    if rate is not None:
        crew.start("feed", feed(rate, live.take, lambda: streams.count, lambda: streams.delivered))
    await crew.wait()


class RawLive:
    """The rival: one encoded frame per event, a list and a wake-up per reader, one joined write."""

    def __init__(self) -> None:
        self.buffers: list[tuple[list[bytes], asyncio.Event]] = []
        self.taken = 0

    def give(self, events: Sequence[Recorded]) -> None:
        """Hand events to every reader."""
        frames = [b"id: %020d\ndata: %b\n\n" % (event.sequence, event.line) for event in events]
        for buffer, news in self.buffers:
            buffer.extend(frames)
            news.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One reader."""
        await send(_head(b"text/event-stream"))
        await send({"type": "http.response.body", "body": b": hello\n\n", "more_body": True})
        buffer: list[bytes] = []
        news = asyncio.Event()
        self.buffers.append((buffer, news))
        while True:
            await news.wait()
            news.clear()
            frames = buffer[:]
            buffer.clear()
            await send({"type": "http.response.body", "body": b"".join(frames), "more_body": True})
            self.taken += len(frames)


async def raw_live(port: int, rate: float) -> None:
    """The rival, fed likewise."""
    rival = RawLive()
    crew = Crew()
    crew.start("web", serve(rival, port))
    crew.start("feed", feed(rate, rival.give, lambda: len(rival.buffers), lambda: rival.taken))
    await crew.wait()


async def raw_replay(port: int, folder: Path) -> None:
    """The rival of the replay: the same store, read and written in one loop."""
    store = open_store(History(), folder)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(_head(b"application/x-ndjson"))
        for events in store.replay(0, chunk=500):
            body = b"".join([event.line + b"\n" for event in events])
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    await serve(app, port)


async def raw_hook(port: int) -> None:
    """The rival of the webhook: verify, decode, answer; nothing is kept."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        given = next((value for key, value in scope["headers"] if key == b"x-hub-signature-256"), b"")
        wanted = b"sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest().encode()
        fine = hmac.compare_digest(given, wanted) and isinstance(msgspec.json.decode(body), dict)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 202 if fine else 403, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    await serve(app, port)


async def serve(app: Any, port: int) -> None:
    """The same server as the hub's."""
    await Granian(app, port=port, interface=Interfaces.ASGINL, log_enabled=False, backlog=1_024).serve()


def _head(media: bytes) -> dict[str, Any]:
    return {"type": "http.response.start", "status": 200, "headers": [(b"content-type", media)]}


def main(role: str, port: int, argument: str) -> None:
    """Play a role until killed."""
    with tempfile.TemporaryDirectory(prefix="firehose-stage-") as name:
        match role:
            case "live":
                uvloop.run(hub_web(port, Path(name), float(argument)))
            case "raw-live":
                uvloop.run(raw_live(port, float(argument)))
            case "replay":
                uvloop.run(hub_web(port, Path(argument), None))
            case "raw-replay":
                uvloop.run(raw_replay(port, Path(argument)))
            case "raw-hook":
                uvloop.run(raw_hook(port))
            case _:
                raise SystemExit(f"no role {role!r}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "0")
