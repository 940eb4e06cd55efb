"""One long connection: held, read, resumed, and its gaps recovered. Each line is a delivery to the gate.

In: a source instance that asked for `SshLines`, and the doors to gate, bus and ledger. Out: deliveries in order, and
events about the source itself when it falls silent or when missed events cannot be brought back. The cursor moves
only after the gate has stored what it covers, so a crash repeats lines (the gate knows their ids) and skips none.
What to do is decided in `watch.py` and by the source; here it is only done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
import structlog

from firehose.errors import Refused, SlowDown, TryLater
from firehose.event import Event
from firehose.intake import watch
from firehose.intake.instance import Instance
from firehose.intake.judge import too_large
from firehose.intake.lines import Lines, Oversize
from firehose.intake.poll import Fetch, recover
from firehose.intake.ssh import SETTINGS_WAIT, Ended, Link, open_link
from firehose.intake.watch import State
from firehose.plumbing.backoff import delays
from firehose.plumbing.clock import Now, monotonic
from firehose.source import Delivery, SshLines, Step

log = structlog.get_logger("stream")
Report = Callable[[str, str, str], None]
_LATER: Final = (TryLater, SlowDown)


@dataclass(frozen=True)
class Doors:
    """Where a connection's findings go. deliver: the gate, for a line. refuse: the gate, for a line that is too long.
    announce: an event of the hub's own. load, save: the kept state. report: connection, why it is down, and what
    became of gaps, in words. fetch: requests for missed events."""

    deliver: Callable[[Delivery], Awaitable[Any]]
    refuse: Callable[[Refused], None]
    announce: Callable[[Event], Awaitable[Any]]
    load: Callable[[], Awaitable[bytes | None]]
    save: Callable[[bytes], Awaitable[None]]
    report: Report
    fetch: Fetch


@dataclass(frozen=True)
class Pace:
    """Seconds. tick: how often silence and debts are looked at. settle: how long a server may take to say that it does
    not know the exact command. good: a connection that lasted so long starts the waiting times anew. save: how often
    the cursor is kept. first, most: waiting times between connections."""

    tick: float = 5.0
    settle: float = 1.0
    good: float = 120.0
    save: float = 1.0
    first: float = 0.5
    most: float = 60.0


class Stream:
    """The connection of one source. `run()` never returns."""

    def __init__(self, instance: Instance, lines: SshLines, doors: Doors, now: Now, pace: Pace = Pace()) -> None:
        self._instance = instance
        self._lines = lines
        self._doors = doors
        self._now = now
        self._pace = pace
        self._state = State()
        self._saved: tuple[State, float] = (State(), 0.0)
        self._heard = now()
        self._next_try = now()
        self._plain = False
        self._gaps = "none yet"

    async def run(self) -> None:
        """Connect, read, and again, without end."""
        self._state = await self._restore()
        waits = self._waits()
        while True:
            began = monotonic()
            try:
                await self._hold()
            except TryLater as error:
                why, wait = error.detail, error.after if error.after >= SETTINGS_WAIT else None
            except Ended as error:
                why, wait = error.detail, None
                if error.unknown and not self._plain and not self._lines.only_exact:
                    self._plain, wait = True, 0.0
            _obey()
            if monotonic() - began >= self._pace.good:
                waits, self._plain = self._waits(), False
            self._say(f"not connected to {self._place}", down=why)
            log.info("not connected", source=self._instance.name, why=why)
            await self._rest(next(waits) if wait is None else wait)

    def _waits(self) -> Iterator[float]:
        return delays(self._pace.first, self._pace.most)

    @property
    def _place(self) -> str:
        return f"{self._lines.host}:{self._lines.port}"

    def _say(self, connection: str, *, down: str = "") -> None:
        self._doors.report(connection, down, self._gaps)

    async def _hold(self) -> None:
        """One connection, from opening to its end."""
        link, chunk, command, resumed = await self._open()
        try:
            if self._state.seen is None:
                self._state = msgspec.structs.replace(self._state, seen=self._now())
            elif resumed:
                self._gaps = "resumes exactly"
            else:
                self._state = watch.owe(self._state, self._now())
            self._say(f"SSH {self._place}: {command}")
            await self._pay()
            self._say(f"SSH {self._place}: {command}")
            splitter = Lines()
            while True:
                if chunk:
                    await self._take(splitter.feed(chunk))
                await self._tick(link)
                _obey()
                chunk = await link.read(self._pace.tick)
        finally:
            await link.close()
            await self._keep(now=True)

    async def _open(self) -> tuple[Link, bytes, str, bool]:
        """The link, what it said at once, the command in words, and whether that goes on after the cursor."""
        lines = self._lines
        if lines.exact is not None and not self._plain:
            fresh, command = lines.exact(""), lines.exact(self._state.cursor)
            link = await open_link(lines, command)
            try:
                return link, await link.read(self._pace.settle), fresh, command != fresh
            except Ended as error:
                await link.close()
                if not error.unknown:
                    raise
                if lines.only_exact:
                    raise TryLater(f"{self._place} does not know {fresh!r}", after=SETTINGS_WAIT) from None
            self._plain = True
        return await open_link(lines, lines.command), b"", lines.command, False

    async def _take(self, items: Sequence[bytes | Oversize]) -> None:
        """Pass lines on; the cursor follows when all of them are stored."""
        before = self._state
        cursor = before.cursor
        missed = False
        now = self._now()
        deliveries: list[Delivery] = []
        for item in items:
            if isinstance(item, Oversize):
                self._doors.refuse(too_large(item.size))
                continue
            step = self._step(item, cursor)
            cursor, missed = step.cursor, missed or step.dropped or step.broke
            if step.fresh:
                deliveries.append(Delivery(source=self._instance.name, body=item, received=now, channel="ssh"))
        if not items:
            return
        await self._pass(deliveries)
        self._state = msgspec.structs.replace(self._state, cursor=cursor, seen=now)
        self._heard = now
        await self._resolve()
        if missed:
            self._state = watch.owe(self._state, self._now(), before)
            await self._pay()

    def _step(self, line: bytes, cursor: str) -> Step:
        return self._instance.kind.step(line, cursor) if self._instance.kind.step else Step(cursor)

    async def _pass(self, deliveries: Sequence[Delivery]) -> None:
        """Hand all to the gate at once, so that they share its batches; what it cannot take now comes again, in
        order. What it refuses is in quarantine and counted."""
        waits = delays(first=0.2, most=5.0)
        waiting = list(deliveries)
        while waiting:
            results = await asyncio.gather(*map(self._doors.deliver, waiting), return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException) and not isinstance(result, (Refused, *_LATER)):
                    raise result
            waiting = [one for one, result in zip(waiting, results, strict=True) if isinstance(result, _LATER)]
            if waiting:
                await asyncio.sleep(next(waits))

    async def _pay(self) -> None:
        """Recover what is owed, if it is due."""
        owed = self._state.owed
        if owed is None:
            return
        name, now = self._instance.name, self._now()
        found = await recover(self._instance.kind, owed.gap(), self._instance.settings, self._doors.fetch)
        if found.way:
            count = await self._recovered(found.lines, now)
            self._gaps = f"{count} events by {found.way}, {now:%Y-%m-%d %H:%M} UTC"
        elif found.later and owed.tries < watch.TRIES:
            self._next_try = now + watch.retry_after(owed.tries)
            tried = msgspec.structs.replace(owed, tries=owed.tries + 1)
            self._state = msgspec.structs.replace(self._state, owed=tried)
            self._gaps = f"to be recovered: {found.why}"
            return
        else:
            await self._doors.announce(watch.lost(name, self._instance.settings.url, owed, found.why))
            self._gaps = f"not recovered since {owed.since:%Y-%m-%d %H:%M} UTC: {found.why}"
        log.info("gap", source=name, since=str(owed.since), way=found.way, lines=len(found.lines), why=found.why)
        self._state = msgspec.structs.replace(self._state, owed=None)
        await self._keep(now=True)

    async def _recovered(self, lines: Sequence[bytes], now: datetime) -> int:
        """Pass recovered lines on, but for those that the stream told already under another id; how many were new."""
        cursor = self._state.cursor
        deliveries: list[Delivery] = []
        for line in lines:
            step = self._step(line, cursor)
            cursor = step.cursor
            if step.fresh:
                deliveries.append(Delivery(source=self._instance.name, body=line, received=now, channel="poll"))
        await self._pass(deliveries)
        self._state = msgspec.structs.replace(self._state, cursor=cursor)
        return len(deliveries)

    async def _tick(self, link: Link | None) -> None:
        """What is due beside reading: alarm, debts, the kept cursor."""
        now = self._now()
        settings = self._instance.settings
        if watch.overdue(self._state, self._heard, settings.freshness, now):
            answers = link is not None and await link.probe(self._lines.probe)
            await self._doors.announce(watch.silent(self._instance.name, settings.url, self._heard, now, answers))
            self._state = msgspec.structs.replace(self._state, silent=self._heard)
            await self._keep(now=True)
            if link is not None:
                raise Ended(f"no line for {int((now - self._heard).total_seconds())} s")
        if link is not None and self._state.owed is not None and now >= self._next_try:
            await self._pay()
        await self._keep()

    async def _resolve(self) -> None:
        since = self._state.silent
        if since is not None:
            settings = self._instance.settings
            await self._doors.announce(watch.heard(self._instance.name, settings.url, since, self._now()))
            self._state = msgspec.structs.replace(self._state, silent=None)

    async def _rest(self, seconds: float) -> None:
        """Wait before the next connection; silence is an alarm then, too."""
        until = monotonic() + seconds
        while True:
            try:
                await self._tick(None)
            except TryLater as error:
                log.info("the hub's stream is away", why=error.detail)
            left = until - monotonic()
            if left <= 0:
                return
            await asyncio.sleep(min(left, self._pace.tick))

    async def _restore(self) -> State:
        waits = self._waits()
        while True:
            try:
                kept = await self._doors.load()
                return msgspec.json.decode(kept, type=State) if kept else State()
            except TryLater as error:
                log.info("the kept cursor is not readable yet", source=self._instance.name, why=error.detail)
                await asyncio.sleep(next(waits))
            except msgspec.DecodeError:
                log.error("the kept cursor is unreadable; starting without", source=self._instance.name)
                return State()

    async def _keep(self, *, now: bool = False) -> None:
        saved, at = self._saved
        if self._state == saved or not (now or monotonic() - at >= self._pace.save):
            return
        try:
            await self._doors.save(msgspec.json.encode(self._state))
            self._saved = (self._state, monotonic())
        except TryLater as error:
            log.info("the cursor is not kept yet", source=self._instance.name, why=error.detail)


def _obey() -> None:
    """End when the task was cancelled although a library's wait (`asyncio.wait_for` before Python 3.12) lost that."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
