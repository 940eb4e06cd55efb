"""A hub around the in-memory bus, with a real store and a real web server on a real port."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
import pytest

from firehose import subject, wild
from firehose.access.tokens import Tokens
from firehose.bus.contract import Message
from firehose.bus.engine import free_port
from firehose.bus.live import Live
from firehose.bus.memory import MemoryBus
from firehose.errors import UnknownKind
from firehose.event import Event, encode
from firehose.history.reader import Reader
from firehose.history.recorder import Recorder
from firehose.history.sqlite import SqliteStore
from firehose.intake.gate import Gate, Receipt
from firehose.intake.instance import Instance
from firehose.intake.ledger import Ledger
from firehose.plumbing.clock import now
from firehose.plumbing.tasks import Crew
from firehose.settings import Http, Settings
from firehose.settings import Hub as Names
from firehose.source import Delivery, Ignored, Scheme, SourceKind, Verdict, WebhookSettings
from firehose.web.hub import Hub
from firehose.web.live import Streams
from firehose.web.server import Server

SECRET = b"a shared secret"
START = datetime(2026, 1, 1, tzinfo=UTC)


def read(delivery: Delivery, _settings: WebhookSettings) -> Verdict:
    """A toy forge: `{"kind": "merged", "names": ["1"]}` is one event per name."""
    body = wild.decode(delivery.body)
    kind = body["kind"].text()
    if kind == "noise":
        return Ignored("noise")
    if kind != "merged":
        raise UnknownKind(kind)
    return [toy_event(name.text(), delivery.body, body["project"].text("demo/one")) for name in body["names"].each()]


def toy_event(name: str, data: bytes = b"{}", project: str = "demo/one") -> Event:
    return Event(
        id=name, source="https://toy.example", type="org.example.merged", kind="change.merged",
        subject=f"demo~{name}", time=START, project=project, actor="ada", summary=f"Change {name} merged", data=data,
    )  # fmt: skip


TOY = SourceKind(
    name="toy", title="Toy", family="forge", settings=WebhookSettings, read=read, kinds={"merged": "change.merged"},
    ignored={"noise": "it is noise"},
    schemes=(Scheme("hmac-sha256", header="X-Toy-Signature", prefix="sha256="), Scheme("bearer")),
)  # fmt: skip


def signed(body: bytes, secret: bytes = SECRET) -> dict[str, str]:
    digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return {"x-toy-signature": f"sha256={digest}", "content-type": "application/json"}


@dataclass
class Desk:
    """The running hub, and what tests do with it."""

    hub: Hub
    bus: MemoryBus
    gate: Gate
    http: httpx.AsyncClient
    port: int
    crew: Crew
    server: Server

    @property
    def streams(self) -> Streams:
        return self.server.application.streams

    async def feed(self, event: Event) -> None:
        """Store an event as it is, past the gate."""
        topic = subject.topic("toy", event.kind, event.project)
        await self.bus.publish([Message(subject.to_nats(topic), event.identity, encode("toy", event))])

    async def give(self, *names: str, project: str = "demo/one") -> Receipt:
        """Bring events in through the gate, and wait until they are recorded."""
        body = msgspec.json.encode({"kind": "merged", "names": names, "project": project})
        receipt = await self.gate.accept(Delivery(source="toy", body=body, received=now()))
        assert await self.hub.reader.wait(receipt.sequences[-1], 10)
        return receipt

    async def post(self, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
        return await self.http.post("/in/toy", content=body, headers=signed(body) if headers is None else headers)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with running(tmp_path) as found:
        yield found


class running:
    """A desk as a context manager, for tests that want settings of their own."""

    def __init__(self, folder: Path, ring: int = 20_000, proxies: Sequence[str] = ()) -> None:
        self._folder = folder
        self._ring = ring
        self._proxies = tuple(proxies)
        self._crew = Crew()

    async def __aenter__(self) -> Desk:
        bus, port = MemoryBus(), free_port()
        store = SqliteStore(self._folder / "history.db")
        reader = Reader(store)
        live = Live(self._ring)
        ledger = Ledger(now)
        instance = Instance("toy", TOY, WebhookSettings(kind="toy", url="https://toy.example"), (SECRET,))
        ledger.open(msgspec.structs.replace(instance.opening, since=now()))
        gate = Gate(bus, ledger, {"toy": instance}, reader.known)
        settings = Settings(
            hub=Names(data=str(self._folder)), http=Http(listen=f"127.0.0.1:{port}", trusted_proxies=self._proxies)
        )
        tokens = Tokens(self._folder / "access.sqlite")
        hub = Hub(
            settings=settings, bus=bus, live=live, reader=reader, gate=gate, ledger=ledger, tokens=tokens, now=now
        )
        self._server = Server(hub)
        await self._server.start()
        self._crew.start("live", live.follow(bus))
        self._crew.start("gate", gate.run())
        self._crew.start("recorder", Recorder(bus, store, reader.recorded).run())
        self._crew.start("web", self._server.run())
        self._http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False)
        await answering(port)
        self._reader = reader
        return Desk(hub, bus, gate, self._http, port, self._crew, self._server)

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()
        await self._server.close()
        await self._crew.stop()
        self._reader.close()


async def answering(port: int) -> None:
    """Until the server takes connections."""
    for _ in range(500):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return
    raise AssertionError("the web server does not listen")
