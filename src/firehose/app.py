"""The composition root: settings become one running hub. It knows everybody and decides nothing.

In: settings and which parts to run. Out: a `Hub` that is ready, and runs until it is asked to stop or a part fails.
Order matters only at start: engine, streams, store, then everything that reads or writes them.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

import msgspec
import structlog

from firehose import checks, logkeeping, recording
from firehose.access.tokens import Tokens
from firehose.bus import tls_front
from firehose.bus.engine import LEAST_ROOM, Addresses, Engine, EngineSettings, check_free, has_room, running, unchanged
from firehose.bus.engine_config import Producer
from firehose.bus.live import Live
from firehose.bus.mirror import Meta, Mirror
from firehose.bus.nats import NatsBus, connect
from firehose.bus.requests import ask, serve
from firehose.delivery.room import Room, outlets, signer
from firehose.delivery.runner import Ears
from firehose.errors import Broken
from firehose.history.open import open_store
from firehose.history.reader import Reader
from firehose.intake.books import Books
from firehose.intake.connections import connections
from firehose.intake.details import Details
from firehose.intake.freshness import Freshness
from firehose.intake.gate import Gate
from firehose.intake.inbound import Inbound
from firehose.intake.inbound_nats import Requests
from firehose.intake.instance import Instance
from firehose.intake.ledger import Ledger
from firehose.notify import office
from firehose.plumbing import folder, metrics
from firehose.plumbing.child import Child
from firehose.plumbing.clock import now
from firehose.plumbing.tasks import Crew
from firehose.settings import Settings
from firehose.web.hub import Hub
from firehose.web.server import Server

log = structlog.get_logger("hub")
PARTS: Final = ("sources", "recorder", "mirror", "delivery", "web", "logs")
LINES_SECONDS: Final = 5.0
SUBSCRIBE_SECONDS: Final = 20.0


class App:
    """One hub process. `start()`, then `wait()`, then `stop()`. `apart`: the recorder is a child process of it."""

    def __init__(self, settings: Settings, parts: frozenset[str] = frozenset(PARTS), *, apart: bool = False) -> None:
        self.settings = settings
        self.parts = parts
        self.apart = apart
        self.crew = Crew()
        self.engine: Engine | None = None
        self.hub: Hub | None = None
        self._clients: list[Any] = []
        self._closing: list[Any] = []
        self._closing_last: list[Any] = []
        self._logs = False

    async def start(self) -> Hub | None:
        """Bring everything up; `Broken` says what is in the way, and nothing is left running then. None: the parts
        need no hub."""
        try:
            return await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> Hub | None:
        settings = self.settings
        checks.check(settings, delivering="delivery" in self.parts)
        folder.make(settings.data)
        instances = checks.load_instances(settings)
        for name, instance in instances.items():
            if instance.shut:
                log.warning(instance.shut, source=name)
        producers = checks.load_producers(settings)
        sinks = outlets(settings, now)
        addresses = await self._start_engine(producers)
        bus = NatsBus(await self._connect("hub", addresses), self._room)
        store = open_store(settings.history, settings.data)
        reader = Reader(store)
        self._closing_last.append(reader.close)
        head = (await reader.span()).last
        engine = settings.engine
        await bus.prepare(
            replicas=engine.replicas, keep_days=engine.keep_days, keep_gib=engine.keep_gib, first=head + 1
        )
        if self.engine is not None:
            self.engine.staging.ensure()  # a new stream has its folder now
        self._start_recorder(bus, reader, addresses)
        logs = checks.log_sources(settings)
        self._start_logs(logs, addresses)
        if self.parts <= {"recorder", "logs"}:
            return None
        live = Live()
        live.start_at(max((await bus.span()).last, head))
        ledger = await self._open_ledger(bus, instances)
        gate = Gate(bus, ledger, instances, reader.known)
        gate.details = Details(settings.data / "details")
        self.crew.start("live", live.follow(bus))
        self.crew.start("gate", gate.run())
        ears = Ears(live, reader, bus, now)
        told = await self._open_office(ears)
        room = Room([*sinks, told.outlet] if "delivery" in self.parts else (), ears, signer(settings.data))
        if "delivery" in self.parts:
            for name, job in told.jobs(room):
                self.crew.start(name, job)
            self._closing_last.append(room.close)
            for name, job in room.jobs():
                self.crew.start(name, job)
        if "mirror" in self.parts:
            await self._start_mirror(bus, live, addresses, meta(ledger, room))
        if "sources" in self.parts:
            await self._start_inbound(producers, addresses, gate)
            self._start_connections(instances, (gate, bus, ledger))
            for name in logs:
                digests = logkeeping.Digests(name, gate.accept, now)
                self.crew.start(f"digests {name}", serve(bus.client, digests.subject, digests.handle))
            self.crew.start("freshness", Freshness(instances, ledger, gate, now).run())
        self.hub = Hub(
            settings=settings,
            bus=bus,
            live=live,
            reader=reader,
            gate=gate,
            ledger=ledger,
            tokens=Tokens(settings.data / "access.sqlite"),
            now=now,
            ready=self._trouble,
            lines=lambda name, body: ask(bus.client, logkeeping.lines_subject(name), body, LINES_SECONDS),
            desk=told.desk,
        )
        if "web" in self.parts:
            await self._open_doors(bus, live, reader)
            server = Server(self.hub)
            await server.start()
            self._closing.append(server.close)
            self.crew.start("web", server.run())
            await server.listening()
        return self.hub

    async def _open_doors(self, bus: NatsBus, live: Live, reader: Reader) -> None:
        if self.settings.doors.gerrit.listen:
            from firehose.ssh import gerrit as gerrit_door  # not at the top: the SSH library takes a second to import

            settings = gerrit_door.narrowed(self.settings)
            keys = gerrit_door.keys(settings, self.settings.data)
            door = gerrit_door.Door(settings, keys, gerrit_door.Ground(bus, live, reader, now))
            await door.start()
            self._closing.append(door.close)

    async def _open_office(self, ears: Ears) -> office.Office:
        opened = await office.open_office(self.settings, ears, delivering="delivery" in self.parts)
        self._closing_last.append(opened.close)
        return opened

    def _room(self) -> bool:
        # The disk of an engine that somebody else runs is not ours to see.
        return bool(self.settings.engine.urls) or has_room(self.settings.data / "engine", LEAST_ROOM)

    def _trouble(self) -> str:
        if self.engine is not None and not self.engine.ready:
            return "the engine is starting"
        if self._clients and not all(client.is_connected for client in self._clients):
            return "the engine is away"
        if not self._logs:
            return "the log room is starting"
        return ""

    async def wait(self) -> None:
        """Until a part fails (then it raises) or `ask_to_stop` was called."""
        await self.crew.wait()
        if self.crew.failure is not None:
            raise Broken(f"a part of the hub failed: {self.crew.failure!r}", code=1)

    def ask_to_stop(self) -> None:
        """Let `wait()` return."""
        self.crew.ask_to_stop()

    async def stop(self) -> None:
        """Doors first, then the parts, then the engine."""
        await close_all(self._closing)
        await self.crew.stop()
        await close_all(self._closing_last)
        for client in self._clients:
            with logged("closing the engine's connection"):
                await asyncio.wait_for(client.close(), 3)
        if self.engine is not None:
            await self.engine.stop()

    async def _start_engine(self, producers: tuple[Producer, ...]) -> Addresses:
        settings = self.settings
        if settings.engine.urls:
            return external(settings)
        home = settings.data / "engine"
        if self.parts != set(PARTS) and (addresses := running(home)) is not None:
            self.crew.start("engine", unchanged(home, addresses))
            return addresses
        self.engine = Engine(
            EngineSettings(
                folder=home,
                binary=settings.engine.binary,
                nats=settings.engine.listen,
                mqtt=settings.mqtt.listen,
                websocket=settings.mqtt.websocket,
                websocket_cert=settings.mqtt.tls_cert,
                websocket_key=settings.mqtt.tls_key,
                sync=settings.engine.sync,
                max_store=(settings.engine.keep_gib + 4) * 2**30,
                producers=producers,
            )
        )
        addresses = await self.engine.start()
        self.crew.start("engine", self.engine.watch())
        if settings.mqtt.tls_listen:
            check_free(settings.mqtt.tls_listen, "mqtt.tls_listen")
            tls = tls_front.context(settings.mqtt.tls_cert, settings.mqtt.tls_key)
            self.crew.start("mqtt tls", tls_front.serve(settings.mqtt.tls_listen, addresses.mqtt, tls))
        return addresses

    async def _connect(self, user: str, addresses: Addresses) -> Any:
        password = addresses.mirror_password if user == "mirror" else addresses.hub_password
        client = await connect(addresses.nats, user=user, password=password, name=user)
        self._clients.append(client)
        return client

    def _start_recorder(self, bus: NatsBus, reader: Reader, addresses: Addresses) -> None:
        settings = self.settings
        if "recorder" not in self.parts:
            self.crew.start("recorder's head", reader.look())
        elif not self.apart:
            recording.start(self.crew, bus, reader, settings.data, settings.history)
        else:
            job = recording.Job(
                nats=addresses.nats, password=addresses.hub_password, data=str(settings.data),
                history=settings.history, log=settings.hub.log, terminal=sys.stderr.isatty(),
            )  # fmt: skip
            child = Child(
                "recorder",
                ["firehose.recording"],
                msgspec.json.encode(job),
                lambda line: told(reader, int(line)),
                metrics.recorder_restarts.inc,
            )
            self._closing_last.append(child.stop)
            self.crew.start("recorder", child.run())

    def _start_logs(self, sources: dict[str, Any], addresses: Addresses) -> None:
        settings = self.settings
        if "logs" not in self.parts or not sources:
            self._logs = True
            return
        job = logkeeping.Job(
            nats=addresses.nats, password=addresses.hub_password, data=str(settings.data), sources=sources,
            public_url=settings.public_url, log=settings.hub.log, terminal=sys.stderr.isatty(),
        )  # fmt: skip

        def heard(line: bytes) -> None:
            self._logs = True
            logkeeping.heard(line)

        child = Child("logs", [logkeeping.MODULE], msgspec.json.encode(job), heard, metrics.log_room_restarts.inc)
        self._closing_last.append(child.stop)
        self.crew.start("logs", child.run())

    async def _start_mirror(self, bus: NatsBus, live: Live, addresses: Addresses, told: Meta) -> None:
        public = await self._connect("mirror", addresses)
        mqtt = (addresses.mqtt, addresses.mirror_password)
        mirror = Mirror(bus, live, public, mqtt, aliases=self.settings.mqtt.aliases)
        await mirror.start()
        self.crew.start("mirror connection", mirror.connection())
        self.crew.start("mirror demand", mirror.demand())
        self.crew.start("mirror", mirror.run())
        self.crew.start("mirror bookkeeping", mirror.bookkeeping(told))

    async def _start_inbound(self, producers: tuple[Producer, ...], addresses: Addresses, gate: Gate) -> None:
        sessions = [
            Inbound(producer, addresses.mqtt, addresses.hub_password, gate.accept, now) for producer in producers
        ]
        for producer, session in zip(producers, sessions, strict=True):
            self.crew.start(f"inbound {producer.user}", session.run())
            if not producer.own_topics:
                client = await self._connect(f"hub-{producer.user}", addresses)
                handed = Requests(producer, gate.accept, now)
                self.crew.start(f"requests {producer.user}", serve(client, f"in.{producer.source}.>", handed.handle))
        # Not ready before that: what a producer hands in until then nobody would keep.
        with suppress(TimeoutError):
            async with asyncio.timeout(SUBSCRIBE_SECONDS):
                for session in sessions:
                    await session.subscribed.wait()

    def _start_connections(self, instances: dict[str, Instance], hub: tuple[Gate, NatsBus, Ledger]) -> None:
        for held in connections(instances, hub, self.settings.data / "spool", now):
            self._closing_last.append(held.close)
            for name, job in held.jobs():
                self.crew.start(name, job)

    async def _open_ledger(self, bus: NatsBus, instances: dict[str, Instance]) -> Ledger:
        ledger = Ledger(now)
        for instance in instances.values():
            ledger.open(msgspec.structs.replace(instance.opening, since=now()))
        # Parts in processes of their own keep books of their own, and hear of each other.
        doors = [part for part in ("sources", "web") if part in self.parts]
        key = "books" if len(doors) != 1 else f"books-{doors[0]}"
        others = [f"books-{part}" for part in ("sources", "web") if part not in doors]
        books = Books(bus, ledger, key, others)
        await books.take_up()
        if doors:
            self.crew.start("ledger", books.run())
            self._closing_last.append(books.close)
        return ledger


def told(reader: Reader, head: int) -> None:
    """The recorder's process says how far it is."""
    metrics.recorded_head.set(head)
    reader.recorded(head)


def meta(ledger: Ledger, room: Room) -> Meta:
    """What is told on `$meta/…`: each word with its text, made when it is asked for."""

    def texts() -> Mapping[str, bytes]:
        return {"sources": msgspec.json.encode(ledger.report()), "sinks": room.books()}

    return texts


async def close_all(closing: list[Any]) -> None:
    """Call what closes parts, newest first; one that fails does not keep the others open."""
    for close in reversed(closing):
        with logged(f"{close.__qualname__}"):
            done = close()
            if inspect.isawaitable(done):
                await done


def external(settings: Settings) -> Addresses:
    """Where engines that somebody else runs listen, and the hub's password there."""
    password = checks.engine_password(settings)
    return Addresses(
        nats=settings.engine.urls, mqtt=settings.mqtt.listen, websocket=settings.mqtt.websocket,
        hub_password=password, mirror_password=password,
    )  # fmt: skip


@contextmanager
def logged(doing: str) -> Iterator[None]:
    """Going on after a failure that must not keep the rest from stopping."""
    try:
        yield
    except Exception as error:
        log.warning("trouble while " + doing, error=repr(error))
