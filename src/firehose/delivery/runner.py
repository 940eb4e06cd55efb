"""One sink at work: reads from its cursor through the history into the live stream, sends, tries again, keeps books.

In: the stream of events, orders. Out: messages to the sink's transport, dead letters, a position in the bus. The
position is saved twice a second and holds every item that is not settled, so a process that dies sends again what it
sent since, with the same ids, and loses nothing. Whatever goes wrong stays in here: a sink never holds up another.
When to try what again is decided in `lanes.py` and `retry.py`; what a message looks like, by the sink's kind.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from firehose.bus.contract import Bus
from firehose.bus.live import Live, recorded
from firehose.delivery import deadletters, position, retry
from firehose.delivery.books import Books, SinkHealth
from firehose.delivery.lanes import Item, Lanes
from firehose.errors import GiveUp, Gone, Refused, SlowDown, TryLater
from firehose.event import Recorded
from firehose.history import replay
from firehose.history.reader import Reader
from firehose.plumbing.backoff import delays
from firehose.plumbing.clock import Now
from firehose.plumbing.crashpoint import reach
from firehose.query import params
from firehose.query.parse import parse
from firehose.query.tree import Node, both
from firehose.sink import Outlet, Transport

log = structlog.get_logger("delivery")
WINDOW: Final = 1_000
"""Events on their way at a time; with that many open, reading waits."""
MOST_OPEN: Final = 4_000
"""The same in items, for events that go to several lanes: a position is one value of the bus."""
SAVE_SECONDS: Final = 0.5
IDLE_SECONDS: Final = 1.0
TRY_SECONDS: Final = 600.0
"""Seconds that one try may take, whatever the transport's own limits: who answers a byte at a time holds no lane."""


@dataclass(frozen=True)
class Ears:
    """Where a runner reads."""

    live: Live
    reader: Reader
    bus: Bus
    now: Now


class Runner:
    """Delivers to one sink. `run()` never returns; `close()` when it was cancelled."""

    def __init__(self, outlet: Outlet, transport: Transport, ears: Ears) -> None:
        self.outlet = outlet
        self.transport = transport
        self._ears = ears
        self.query: Node = wanted(outlet, ears.now())
        self.books = Books(outlet, ears.now())
        self._lanes = Lanes(outlet.settings.concurrency, outlet.most, apart=outlet.kind.apart)
        self._window = max(WINDOW, outlet.most, outlet.kind.window)
        self._events: dict[int, Recorded] = {}
        self._shares: Counter[int] = Counter()
        self._cursor = 0
        self._begun = False
        self._catching_up = 0
        self._changed = False
        self._stir = asyncio.Event()
        self._room = asyncio.Event()

    async def run(self) -> None:
        """Work, and begin again after whatever went wrong. Never returns."""
        waits = delays(0.5, 60)
        while True:
            try:
                await self._begin()
                waits = delays(0.5, 60)
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._read(), name=f"{self.outlet.name}.read")
                    group.create_task(self._dispatch(group), name=f"{self.outlet.name}.dispatch")
                    group.create_task(self._keep(), name=f"{self.outlet.name}.keep")
                    group.create_task(self._hold(), name=f"{self.outlet.name}.hold")
            except TryLater as error:
                log.info("a sink waits", sink=self.outlet.name, why=error.detail)
            except Exception as error:
                self._trip(error)
            await asyncio.sleep(next(waits))

    async def close(self) -> None:
        """Save where it stands and let go of the transport."""
        with suppress(TryLater, TimeoutError):
            await asyncio.wait_for(self._save(), 5)
        await self.transport.close()

    def health(self) -> SinkHealth:
        """How the sink is, now."""
        items = self._lanes.open()
        now = self._ears.now()
        head = self._ears.live.head
        behind = max(0, head - (items[0].sequence - 1 if items else self._cursor)) if self._begun else 0
        oldest = datetime.fromtimestamp(items[0].since, UTC) if items else None
        self.books.stand(self._cursor, behind, len(items), oldest)
        self.books.judge(
            away=self._lanes.away,
            slowed=self._lanes.paused_until > now.timestamp(),
            retrying=sum(1 for item in items if item.failures),
        )
        return self.books.health

    @property
    def cursor(self) -> int:
        """Every event up to here was placed into its lanes."""
        return self._cursor

    def hurry(self) -> None:
        """The receiver is there again: try what waits at once."""
        self._lanes.hurry()
        self._stir.set()

    async def obey(self, order: deadletters.Order) -> None:
        """Carry out an order; on disk when this returns."""
        if not self._begun:
            await self._begin()
        match order.action:
            case "enable":
                self.books.disabled = ""
                self.hurry()
            case "hurry":
                self.hurry()
            case "replay" if order.letter is not None:
                event = order.letter.event
                if event is not None:
                    self._events.setdefault(order.letter.sequence, event)
                since = self._ears.now().timestamp()
                self._add(Item(order.letter.sequence, order.letter.lane, since=since, number=order.number))
        await self._save()
        self._stir.set()
        self._room.set()

    async def _begin(self) -> None:
        """Find the position; a new sink's is on disk before anything is read."""
        if self._begun:
            return
        found = await position.load(self._ears.bus, self.outlet.name)
        if found is None:
            self._cursor = await self._start()
        else:
            self._cursor = found.cursor
            self.books.disabled = found.disabled
            if found.health is not None:
                self.books.restore(found.health)
            for open_ in found.open:
                self._add(position.item(open_))
            self._late(*(item.due for item in self._lanes.open()))
            if found.health is not None and found.health.state == "away":
                self._lanes.was_away()
        self._begun = True
        if found is None:
            await self._save()

    async def _start(self) -> int:
        place = begin(self.outlet, self._ears.now())
        reader = self._ears.reader
        at = await reader.at_time(place.moment) if place.moment is not None else 0
        asked = params.window(params.Request(since=place), self._ears.live.head, lambda _: at).after
        return max(asked, (await reader.span()).floor)

    # -- reading

    async def _read(self) -> None:
        waits = delays(0.5, 10)
        while True:
            try:
                await self._follow()
            except TryLater as error:
                log.debug("a sink waits for events", sink=self.outlet.name, why=error.detail)
                await asyncio.sleep(next(waits))
            except Refused as error:
                if error.slug != "cursor-too-old":
                    raise
                self._skip(int(str(error.extra["floor"])), error.detail)

    async def _follow(self) -> None:
        ears = self._ears
        steps = replay.events(ears.live, ears.reader, self._cursor, self.query, idle=IDLE_SECONDS, bus=ears.bus)
        async for step in steps:
            for event in () if self.outlet.kind.idle() else step.events:
                await self._until_room()
                self._take(event)
            if step.cursor != self._cursor:
                self._cursor = step.cursor
                self._changed = True
            if 0 < self._catching_up <= self._cursor:
                self._catching_up = 0
                self._stir.set()

    async def _until_room(self) -> None:
        while self._full() or self.books.disabled:
            self._room.clear()
            self._stir.set()
            await self._room.wait()

    def _full(self) -> bool:
        return len(self._shares) >= self._window or len(self._lanes) >= max(MOST_OPEN, self._window)

    def _late(self, *dues: float) -> None:
        """What was due before it was read goes at once, but together with whatever else of the past is still to be
        read: else a digest would be as many messages as it takes to read it."""
        if self.outlet.kind.due is not None and any(0 < due <= self._ears.now().timestamp() for due in dues):
            self._catching_up = max(self._catching_up, self._ears.live.head)

    def _gathering(self) -> bool:
        return self._cursor < self._catching_up and not self._full()

    def _take(self, event: Recorded) -> None:
        now = self._ears.now()
        kind, settings = self.outlet.kind, self.outlet.settings
        try:
            names = kind.lanes(event, settings)
            # By the event's own time: however late it is read, it belongs to the digest of its hour.
            dues = [kind.due(event.recorded, name, settings) if kind.due else None for name in names]
        except Exception as error:
            log.error("a sink cannot place an event", sink=self.outlet.name, sequence=event.sequence, exc_info=error)
            names, dues = ("?",), [None]
        for name, due in zip(names, dues, strict=True):
            self._events[event.sequence] = event
            at = due.timestamp() if due else 0.0
            self._late(at)
            self._add(Item(event.sequence, name, due=at, since=now.timestamp()))
        self._cursor = event.sequence
        self._changed = True
        if names:
            self._stir.set()

    def _add(self, item: Item) -> None:
        self._lanes.add(item)
        self._shares[item.sequence] += 1

    def _skip(self, floor: int, why: str) -> None:
        log.error(
            "events were forgotten before a sink had them", sink=self.outlet.name, after=self._cursor, floor=floor
        )
        self.books.missed(self._ears.now(), floor - self._cursor, why)
        self._cursor = floor
        self._changed = True

    # -- sending

    async def _dispatch(self, group: asyncio.TaskGroup) -> None:
        while True:
            now = self._ears.now().timestamp()
            held = bool(self.books.disabled) or self._gathering()
            batch = None if held else self._lanes.next(now)
            if batch is not None:
                group.create_task(self._deliver(batch), name=f"{self.outlet.name}.deliver")
                continue
            self._stir.clear()
            wait = None if held else self._lanes.wait(now)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._stir.wait()

    async def _deliver(self, items: Sequence[Item]) -> None:
        now = self._ears.now().timestamp()
        counted = all(item.due <= now for item in items)
        try:
            answer = await self._attempt(items)
        except Gone as error:
            self._disable(items, error.detail)
        except SlowDown as error:
            self._fail(items, error.detail)
            self._lanes.slowed(items, now + min(error.after, retry.LONGEST_PAUSE))
        except GiveUp as error:
            await self._bury(items, error.detail)
        except (TryLater, TimeoutError, OSError) as error:
            await self._retry(items, error, counted)
        except Exception as error:
            # A bug of ours: kept where somebody can look at it, and never in the way of the next message.
            log.error("a sink failed on a message", sink=self.outlet.name, sequence=items[0].sequence, exc_info=error)
            await self._bury(items, f"{type(error).__name__}: {error}")
        else:
            if answer:
                newest = self._events[items[-1].sequence]
                self.books.sent(self._ears.now(), newest.recorded, answer, len(items))
            self._settle(items, delivered=bool(answer))
        self._changed = True
        self._stir.set()

    async def _attempt(self, items: Sequence[Item]) -> str | None:
        """What the receiver said; "" or None when there is no message for it."""
        events = [await self._event(item.sequence) for item in items]
        message = self.outlet.kind.render(events, items[0].lane, self.outlet)
        if message is None:
            return None
        await self._bind(items)
        reach("delivery.before-send")
        try:
            async with asyncio.timeout(TRY_SECONDS):
                answer = await self.transport.send(message)
        except TimeoutError as error:
            raise TryLater(str(error) or f"no answer within {TRY_SECONDS:g} s") from None
        reach("delivery.after-send")
        return answer

    async def _bind(self, items: Sequence[Item]) -> None:
        """What the receiver will recognise as one message stays one, on disk before it is sent: a later try with other
        events would have another id, and say twice what was taken although we did not hear so."""
        if self.outlet.kind.recognises and self.outlet.most > 1 and not items[0].together:
            for item in items:
                item.together = items[0].sequence
            await self._save()

    async def _event(self, sequence: int) -> Recorded:
        if sequence in self._events:
            return self._events[sequence]
        found = await self._ears.reader.by_sequence(sequence)
        if found is None:
            stored = await self._ears.bus.fetch(sequence - 1, 1)
            found = recorded(stored[0]) if stored and stored[0].sequence == sequence else None
        if found is None:
            raise GiveUp("the history has forgotten the event")
        self._events[sequence] = found
        return found

    async def _retry(self, items: Sequence[Item], error: Exception, counted: bool) -> None:
        detail = getattr(error, "detail", "") or str(error) or type(error).__name__
        self._fail(items, detail)
        now = self._ears.now().timestamp()
        for item in items:
            item.failures += 1 if counted else 0
        wished = getattr(error, "after", 0.0)
        pause = retry.again(max(item.failures for item in items), wished)
        if pause is None:
            await self._bury(items, detail)
            return
        # A look at a receiver that is away is no try: the item keeps its own next moment.
        self._lanes.failed(items, now, now + pause if counted else max(item.due for item in items))

    def _fail(self, items: Sequence[Item], detail: str) -> None:
        self.books.failed(self._ears.now(), detail, items[0].sequence)
        for item in items:
            item.error = detail

    def _disable(self, items: Sequence[Item], detail: str) -> None:
        log.warning("a receiver wants nothing any more, its sink is off", sink=self.outlet.name, why=detail)
        self._fail(items, detail)
        self.books.disabled = detail
        now = self._ears.now().timestamp()
        self._lanes.failed(items, now, now)

    async def _bury(self, items: Sequence[Item], detail: str) -> None:
        self.books.failed(self._ears.now(), detail, items[0].sequence)
        for delay in delays(0.5, 30):
            try:
                while items:
                    await self._bury_one(items[0], detail)
                    self._settle(items[:1], delivered=False, keep_busy=len(items) > 1)
                    items = items[1:]
                return
            except TryLater as error:
                log.warning("a dead letter waits", sink=self.outlet.name, error=error.detail)
                await asyncio.sleep(delay)

    async def _bury_one(self, item: Item, detail: str) -> None:
        dead = deadletters.letter(
            self.outlet.name, self._events.get(item.sequence), sequence=item.sequence, lane=item.lane,
            failures=item.failures, error=detail, since=datetime.fromtimestamp(item.since, UTC),
        )  # fmt: skip
        number = await deadletters.bury(self._ears.bus, dead)
        self.books.dead()
        log.warning("a message went to the dead letters", sink=self.outlet.name, number=number, why=detail)

    def _settle(self, items: Sequence[Item], *, delivered: bool, keep_busy: bool = False) -> None:
        if keep_busy:
            self._lanes.drop(items)
        elif delivered:
            self._lanes.delivered(items)
        else:
            self._lanes.done(items)
        for item in items:
            # An event that goes to several lanes is kept until the last of them has it.
            self._shares[item.sequence] -= 1
            if self._shares[item.sequence] <= 0:
                del self._shares[item.sequence]
                self._events.pop(item.sequence, None)
        self._changed = True
        self._room.set()

    # -- keeping

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            if not self._changed:
                self.health()
                continue
            with suppress(TryLater):
                await self._save()

    async def _save(self) -> None:
        if not self._begun:
            return
        self._changed = False
        now = position.Position(
            cursor=self._cursor, open=[position.kept(item) for item in self._lanes.open()],
            disabled=self.books.disabled, health=self.health(),
        )  # fmt: skip
        try:
            await position.save(self._ears.bus, self.outlet.name, now)
        except TryLater:
            self._changed = True
            raise

    async def _hold(self) -> None:
        """Keep the transport's own work going."""
        for delay in delays(0.5, 60):
            try:
                await self.transport.run()
                return
            except (TryLater, OSError) as error:
                log.info("a sink's connection waits", sink=self.outlet.name, why=str(error))
            await asyncio.sleep(delay)

    def _trip(self, error: Exception) -> None:
        found = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
        self.books.broken = f"{type(found).__name__}: {found}"
        self.books.failed(self._ears.now(), self.books.broken)
        log.error("a sink tripped and begins again", sink=self.outlet.name, exc_info=error)
        self._lanes.rest()


def wanted(outlet: Outlet, now: datetime) -> Node:
    """The events that a sink's settings ask for; `Refused` says where a query is wrong."""
    settings = outlet.settings
    return both(params.topics(settings.topics), parse(settings.query, now))


def begin(outlet: Outlet, now: datetime) -> params.Place:
    """Where a new sink begins; `Refused` when the settings do not say it in a form that is known."""
    return params.place("since", outlet.settings.since, now)
