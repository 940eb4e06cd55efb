"""The log room as a process of its own: listeners, budgets, templates, store.

`python -m firehose.logkeeping` reads a `Job` as one line of JSON from standard input, and stops at SIGTERM or when
standard input ends. Digests go to the hub by request over the bus and are kept until they were taken; readers'
questions come the same way. A flood of lines takes a core here, and none of the hub's. Why:
`docs/decisions/0030-log-room.md`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
import uvloop

from firehose.access.tokens import Tokens
from firehose.bus.nats import connect
from firehose.bus.requests import ask, serve
from firehose.errors import Broken, FirehoseError, Refused, TryLater
from firehose.fleet.logs import lines_in, reading
from firehose.fleet.logs.book import Book
from firehose.fleet.logs.desk import Desk
from firehose.intake.inbound_nats import Deliver
from firehose.plumbing import collector, log, metrics, stacks
from firehose.plumbing.child import give_way, step_back
from firehose.plumbing.clock import Now, now
from firehose.plumbing.tasks import Crew
from firehose.source import Delivery
from firehose.sources.logs.logs import DIGEST, Settings, by_trust
from firehose.web.listener import Listener, split
from firehose.web.logdoor import LogDoor, allowed

logger = structlog.get_logger("logs")
NICE: Final = 15
"""How much the log room steps back where cores are short: what it does later its senders wait for, and nobody else."""
TOLD: Final = 50
ASK_SECONDS: Final = 10.0
AGAIN_SECONDS: Final = 2.0
REPORT_SECONDS: Final = 5.0
MODULE: Final = "firehose.logkeeping"
LISTENERS: Final = ("listen", "syslog", "syslog_tls")
"""The settings of a log source that are addresses to listen at."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What the process needs to know: engine and password, the data folder, where readers reach the hub, the log
    sources by name, the log level."""

    nats: tuple[str, ...]
    password: str
    data: str
    public_url: str
    sources: dict[str, Settings]
    log: str = "info"
    terminal: bool = False


class Report(msgspec.Struct, frozen=True):
    """What the process says on standard output: at first nothing but that it is ready, then counts by source, of kept
    lines and of those that were only counted."""

    lines: dict[str, tuple[int, int]] = msgspec.field(default_factory=dict)


def seconds() -> float:
    """The time as the room counts it."""
    return now().timestamp()


def digest_subject(name: str) -> str:
    """Where the hub takes a source's digests."""
    return f"hub.log.{name}.digest"


def lines_subject(name: str) -> str:
    """Where the log room answers questions about a source's lines."""
    return f"hub.log.{name}.lines"


def check(sources: Mapping[str, Settings]) -> None:
    """`Broken` (2) names what is wrong with the settings of log sources, before anything is started."""
    for name, own in sources.items():
        for word in LISTENERS:
            if place := getattr(own, word):
                split(place, f"sources.{name}.{word}")
        for network in own.allow:
            try:
                ip_network(network, strict=False)
            except ValueError as error:
                raise Broken(f"sources.{name}.allow: {error}", code=2) from None
        if own.syslog_tls:
            lines_in.tls(name, own.tls_cert, own.tls_key, own.tls_ca)
        if own.syslog and not own.allow:
            raise Broken(
                f"sources.{name}.allow: syslog over plain TCP proves no sender; name the networks that may send, "
                f'such as ["10.0.0.0/8"]',
                code=2,
            )


class Digests:
    """The hub's side: what the log room of a source tells becomes a delivery, answered when its event is on disk."""

    def __init__(self, name: str, accept: Deliver, clock: Now) -> None:
        self.subject = digest_subject(name)
        self._name = name
        self._accept = accept
        self._clock = clock

    async def handle(self, _topic: str, body: bytes, _headers: Mapping[str, str]) -> bytes:
        """What the log room is told."""
        delivery = Delivery(
            source=self._name, body=body, headers={"content-type": DIGEST}, received=self._clock(), channel="logs"
        )
        try:
            receipt = await self._accept(delivery)
        except Refused as problem:
            return msgspec.json.encode({"status": problem.status, "error": problem.detail})
        except TryLater as error:
            return msgspec.json.encode({"status": 503, "detail": error.detail})
        return msgspec.json.encode({"status": 202, "verdict": receipt.verdict})


class Room:
    """All log sources of one process."""

    def __init__(self, job: Job, client: Any) -> None:
        self._job = job
        self._client = client
        self._tokens = Tokens(Path(job.data) / "access.sqlite")
        self.desks: dict[str, Desk] = {}
        self._closing: list[Any] = []
        for name, settings in job.sources.items():
            book = Book(Path(job.data) / "logs" / f"{name}.sqlite", seconds(), always=not settings.sync)
            self.desks[name] = Desk(by_trust(settings), book, f"{job.public_url}/v1/logs/{name}", seconds)

    async def start(self, crew: Crew) -> None:
        """Listen, commit, tell, answer."""
        for name, desk in self.desks.items():
            crew.start(f"log book {name}", desk.run())
            crew.start(f"log digests {name}", self._tell(name, desk))
            crew.start(f"log lines {name}", serve(self._client, lines_subject(name), self._answering(desk)))
            await self._syslog(name, desk)
        crew.start("log report", self._report())
        for listen, desks in self._by_address().items():
            first = next(iter(desks))
            door = LogDoor(desks, self._tokens.check, self._job.public_url)
            listener = Listener(door, listen, f"sources.{first}.listen")
            await listener.start()
            self._closing.append(listener.close)
            crew.start(f"log door {listen}", listener.run())
            await listener.listening()

    def _by_address(self) -> dict[str, dict[str, Desk]]:
        found: dict[str, dict[str, Desk]] = {}
        for name, desk in self.desks.items():
            if desk.settings.listen:
                found.setdefault(desk.settings.listen, {})[name] = desk
        return found

    async def _syslog(self, name: str, desk: Desk) -> None:
        own = desk.settings
        may = partial(allowed, networks=own.allow)
        if own.syslog:
            server = await lines_in.Syslog(name, desk, may).serve(own.syslog)
            self._closing.append(partial(_close, server))
        if own.syslog_tls:
            context = lines_in.tls(name, own.tls_cert, own.tls_key, own.tls_ca)
            server = await lines_in.Syslog(name, desk, may, context).serve(own.syslog_tls)
            self._closing.append(partial(_close, server))

    @staticmethod
    def _answering(desk: Desk) -> Any:
        async def answer(_topic: str, body: bytes, _headers: Mapping[str, str]) -> bytes:
            try:
                return await reading.answer(desk, body)
            except (FirehoseError, msgspec.MsgspecError) as error:
                return msgspec.json.encode({"error": str(error)})

        return answer

    async def _tell(self, name: str, desk: Desk) -> None:
        """Hand every digest to the hub, in order; it stays in the book until the hub has it."""
        while True:
            desk.told.clear()
            waiting = await desk.in_book(lambda: desk.book.digests(TOLD))
            if not waiting:
                await desk.told.wait()
                continue
            done: list[int] = []
            try:
                for number, body in waiting:
                    answer = msgspec.json.decode(await ask(self._client, digest_subject(name), body, ASK_SECONDS))
                    if answer.get("status") == 503:
                        raise TryLater(str(answer.get("detail")))
                    if "error" in answer:
                        logger.error("the hub refused a digest", source=name, answer=answer, digest=body[:500])
                    done.append(number)
            except TryLater as error:
                logger.info("digests wait for the hub", source=name, waiting=len(waiting), cause=error.detail)
            if done:
                await desk.in_book(lambda: desk.book.told(done))  # noqa: B023
            if len(done) < len(waiting):
                await asyncio.sleep(AGAIN_SECONDS)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            found: dict[str, tuple[int, int]] = {}
            for name, desk in self.desks.items():
                counts = desk.counts().values()
                found[name] = (sum(one.kept_lines for one in counts), sum(one.over_lines for one in counts))
            say(Report(found))

    async def close(self) -> None:
        """Doors first, then what was taken in is written."""
        for close in self._closing:
            await close()
        for desk in self.desks.values():
            await desk.close()
        self._tokens.close()


def say(report: Report) -> None:
    """A line for the parent. One that does not read just now hears the next one."""
    with suppress(BlockingIOError, BrokenPipeError):
        os.write(1, msgspec.json.encode(report) + b"\n")


def heard(line: bytes) -> None:
    """The parent's side: counts become metrics."""
    for name, (kept, over) in msgspec.json.decode(line, type=Report).lines.items():
        metrics.log_lines.labels(name, "kept").set(kept)
        metrics.log_lines.labels(name, "over").set(over)


async def _close(server: asyncio.Server) -> None:
    server.close()


async def keep(job: Job, crew: Crew) -> None:
    """Run until the crew is asked to stop, or a task of it fails: that is raised."""
    client = await connect(job.nats, user="hub", password=job.password, name="logs")
    room = Room(job, client)
    try:
        await room.start(crew)
        collector.settle()
        say(Report())
        await crew.wait()
    finally:
        await crew.stop()
        await room.close()
        await client.close()
    if crew.failure is not None:
        raise crew.failure


async def main() -> int:
    """The process."""
    step_back(NICE)
    give_way()
    line = await asyncio.to_thread(sys.stdin.buffer.readline)
    job = msgspec.json.decode(line, type=Job)
    log.configure(job.log, json=not job.terminal)
    os.set_blocking(1, False)
    crew = Crew()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, crew.ask_to_stop)
    stacks.on_request(loop)
    loop.add_reader(0, crew.ask_to_stop)  # the parent is gone: it never says anything more
    try:
        await keep(job, crew)
    except FirehoseError as error:
        logger.error("the log room cannot go on", cause=error.detail)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
