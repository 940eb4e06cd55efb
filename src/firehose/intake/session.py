"""What every held connection needs, whatever its protocol: kept state, patient handing over, alarm of silence.

In: a source instance and the doors to gate, bus and ledger. Out: deliveries handed to the gate until it took them, the
cursor kept after that, and for those who ask for it `incident.detected` when nothing came for too long and
`incident.resolved` when it does again. It refuses to know protocols: `stream.py` and `polling.py` build on it.
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
from firehose.intake.lookups import Lookups
from firehose.intake.poll import Fetch
from firehose.intake.watch import State
from firehose.plumbing.backoff import delays
from firehose.plumbing.clock import Now, monotonic
from firehose.source import Delivery, Step

log = structlog.get_logger("session")
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


USUAL: Final = Pace()


class Session:
    """The state of one source's connection, and what is done with it."""

    def __init__(self, instance: Instance, doors: Doors, now: Now, pace: Pace = USUAL) -> None:
        self._instance = instance
        self._doors = doors
        self._now = now
        self._pace = pace
        self._state = State()
        self._saved: tuple[State, float] = (State(), 0.0)
        self._heard = now()
        self._lookups = Lookups(instance.kind, instance.settings, doors.fetch) if instance.kind.lookups else None

    def _waits(self) -> Iterator[float]:
        return delays(self._pace.first, self._pace.most)

    def _step(self, line: bytes, cursor: str) -> Step:
        return self._instance.kind.step(line, cursor) if self._instance.kind.step else Step(cursor)

    async def _pass(self, deliveries: Sequence[Delivery]) -> None:
        """Hand all to the gate at once, so that they share its batches; what it cannot take now comes again, in
        order. What it refuses is in quarantine and counted."""
        waits = delays(first=0.2, most=5.0)
        waiting = list(deliveries) if self._lookups is None else await self._lookups.fill(deliveries)
        while waiting:
            results = await asyncio.gather(*map(self._doors.deliver, waiting), return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException) and not isinstance(result, (Refused, *_LATER)):
                    raise result
            waiting = [one for one, result in zip(waiting, results, strict=True) if isinstance(result, _LATER)]
            if waiting:
                await asyncio.sleep(next(waits))

    def _moved(self, cursor: str, came: datetime) -> None:
        """What came at a time is stored: the cursor follows."""
        self._state = msgspec.structs.replace(self._state, cursor=cursor, seen=came)
        self._heard = came

    def _is_overdue(self) -> bool:
        return watch.overdue(self._state, self._heard, self._instance.settings.freshness, self._now())

    async def _alarm(self, answers: bool) -> None:
        """Say that nothing came for too long."""
        name, url = self._instance.name, self._instance.settings.url
        await self._doors.announce(watch.silent(name, url, self._heard, self._now(), answers))
        self._state = msgspec.structs.replace(self._state, silent=self._heard)
        await self._keep(now=True)

    async def _resolve(self) -> None:
        since = self._state.silent
        if since is not None:
            settings = self._instance.settings
            await self._doors.announce(watch.heard(self._instance.name, settings.url, since, self._now()))
            self._state = msgspec.structs.replace(self._state, silent=None)

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


def obey() -> None:
    """End when the task was cancelled although a library's wait (`asyncio.wait_for` before Python 3.12) lost that."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
