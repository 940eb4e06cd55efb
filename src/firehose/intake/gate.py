"""The gate: every delivery passes here, is judged once, stored once, and answered only when it is on disk.

In: verified deliveries from all doors and connections. Out: a `Receipt` after the stream's acknowledgement. What
arrives while a batch is on its way to the stream shares the next one: one fsync, one acknowledgement, no waiting when
idle. Under load a second batch flies beside it, without anything that shares a key with the first (invariant 4). A
known id is dropped before the batch is made (recent ids here, older ones in the history), because the stream refuses a
batch whole that holds one. Invariants 1, 3, 4 and 8.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Literal

import msgspec
import structlog
from prometheus_client import Counter

from firehose.bus.contract import Bus, Message
from firehose.errors import Refused, TryLater
from firehose.event import Event
from firehose.intake.details import Details
from firehose.intake.instance import Instance
from firehose.intake.judge import Accepted, Invalid, Left, Unknown, judge
from firehose.intake.ledger import Ledger, Verdict
from firehose.intake.redact import scrub
from firehose.plumbing import metrics
from firehose.plumbing.clock import monotonic
from firehose.plumbing.crashpoint import reach
from firehose.source import MAX_BODY, Delivery

log = structlog.get_logger("gate")
QUARANTINE = "quarantine"
MOST_IN_BATCH = 1_000
MOST_BYTES = 8 * 2**20
FLIGHTS = 2
WORTH_A_FLIGHT = 256
"""Messages that must wait before a second batch flies: below, sharing the next fsync is cheaper than overlapping."""
MOST_WAITING = 50_000
RECENT = 200_000

Known = Callable[[Sequence[str]], Awaitable[Mapping[str, int]]]


class Receipt(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a delivery. `ids` and `sequences` run in parallel; `quarantine` is the entry's number, 0 none."""

    verdict: Verdict
    ids: tuple[str, ...] = ()
    sequences: tuple[int, ...] = ()
    kind: str = ""
    quarantine: int = 0


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that nobody could read, as it is kept: whole, with the reason."""

    delivery: Delivery
    verdict: Literal["unknown", "refused"]
    cause: str
    detail: str
    field: str = ""


class _Waiting(msgspec.Struct):
    """Messages of one delivery that want into the stream together."""

    messages: Sequence[Message]
    keys: Sequence[str]
    done: asyncio.Future[list[tuple[int, bool]]]
    since: float


class Gate:
    """The one way in. `run()` is its loop; `accept()` may be called from any number of tasks."""

    def __init__(self, bus: Bus, ledger: Ledger, instances: Mapping[str, Instance], known: Known) -> None:
        self.instances = instances
        self._bus = bus
        self._ledger = ledger
        self._known = known
        self._recent: dict[str, int] = {}
        self._waiting: list[_Waiting] = []
        self._news = asyncio.Event()
        self._flights = 0
        self._flying: set[str] = set()
        self.details: Details | None = None

    async def accept(self, delivery: Delivery) -> Receipt:
        """Judge, store, count. Raises `Refused` for what is invalid (it is in quarantine then, unless it is too large)
        and `TryLater` when the stream is away or too many deliveries wait: nothing is kept then, the sender must come
        again."""
        instance = self.instances[delivery.source]
        judgement = judge(delivery, instance)
        match judgement:
            case Accepted(events, messages):
                return await self._store(delivery.source, events, messages)
            case Left(kind):
                self._ledger.book(delivery.source, "ignored")
                return Receipt("ignored", kind=kind)
            case Unknown(kind, detail):
                number = await self._quarantine(delivery, "unknown", "unknown-kind", detail)
                return Receipt("unknown", kind=kind, quarantine=number)
            case Invalid(problem) if len(delivery.body) > MAX_BODY:
                # Nothing that large is kept: an entry would not fit into a message of the engine's, and the sender
                # would come again with it for ever.
                self.refuse(delivery.source, problem)
                raise problem
            case Invalid(problem):
                number = await self._quarantine(delivery, "refused", problem.slug, problem.detail, problem.field)
                if problem.__cause__ is not None:
                    log.error("a source stumbled", source=delivery.source, entry=number, exc_info=problem.__cause__)
                problem.extra = {**problem.extra, "quarantine": number}
                raise problem

    def refuse(self, source: str, problem: Refused) -> None:
        """Count a delivery that a door refused before it got here (bad signature, too large). Nothing of it is kept."""
        self._ledger.book(source, "refused", trouble=(problem.slug, problem.detail, ""))

    async def publish(self, name: str, message: Message) -> int:
        """Store an event of the hub's own; its sequence. It is no delivery, so it is in no book."""
        ((sequence, duplicate),) = await self._enqueue([message], [message.subject])
        if not duplicate:
            _stored(name).inc()
        return sequence

    async def again(self, number: int) -> Receipt:
        """Judge a quarantined delivery once more; it leaves the quarantine when it is readable now."""
        entry = await self.quarantined(number)
        instance = self.instances.get(entry.delivery.source)
        if instance is None:
            raise Refused(
                f"the source {entry.delivery.source!r} is no longer in the settings", slug="unknown-source", status=409
            )
        delivery = msgspec.structs.replace(entry.delivery, channel="again")
        match judge(delivery, instance):
            case Accepted(events, messages):
                receipt = await self._store(delivery.source, events, messages)
            case Left(kind):
                self._ledger.book(delivery.source, "ignored")
                receipt = Receipt("ignored", kind=kind)
            case Unknown(kind, detail):
                raise Refused(detail, slug="unknown-kind", status=409)
            case Invalid(problem):
                raise Refused(problem.detail, slug=problem.slug, status=409, field=problem.field)
        await self._bus.unshelve(QUARANTINE, number)
        return receipt

    async def quarantined(self, number: int) -> Quarantined:
        """One entry of the quarantine."""
        found = [
            kept for kept in await self._bus.shelf(QUARANTINE, before=number + 1, limit=1) if kept.number == number
        ]
        if not found:
            raise Refused(f"there is no quarantined delivery {number}", slug="not-found", status=404)
        return msgspec.json.decode(found[0].payload, type=Quarantined)

    async def discard(self, number: int) -> bool:
        """Remove an entry of the quarantine for good."""
        return await self._bus.unshelve(QUARANTINE, number)

    async def _quarantine(
        self, delivery: Delivery, verdict: Literal["unknown", "refused"], cause: str, detail: str, field: str = ""
    ) -> int:
        entry = Quarantined(delivery=delivery, verdict=verdict, cause=cause, detail=detail, field=field)
        number = await self._bus.shelve(QUARANTINE, msgspec.json.encode(entry))
        sample = scrub(delivery.body[:4_000]).decode("utf-8", "replace")
        self._ledger.book(delivery.source, verdict, trouble=(cause, detail, sample))
        return number

    async def _store(self, source: str, events: Sequence[Event], messages: Sequence[Message]) -> Receipt:
        for event in events:
            if event.detail and self.details is not None:
                await self.details.put(event.identity, event.detail)
        if not messages:
            self._ledger.book(source, "ignored")
            return Receipt("ignored", kind="no-events")
        places = await self._enqueue(messages, [event.key for event in events])
        fresh = sum(not duplicate for _, duplicate in places)
        self._ledger.book(source, "event" if fresh else "duplicate")
        if fresh:
            _stored(source).inc(fresh)
        return Receipt(
            "event" if fresh else "duplicate",
            ids=tuple(event.id for event in events),
            sequences=tuple(sequence for sequence, _ in places),
        )

    async def _enqueue(self, messages: Sequence[Message], keys: Sequence[str]) -> list[tuple[int, bool]]:
        known = self._recent
        if messages[0].id in known and all(message.id in known for message in messages):
            return [(known[message.id], True) for message in messages]
        if len(self._waiting) >= MOST_WAITING:
            raise TryLater("too many deliveries wait for the stream", after=2)
        done: asyncio.Future[list[tuple[int, bool]]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(messages, keys, done, monotonic()))
        self._news.set()
        return await done

    async def run(self) -> None:
        """Send what waits, batch after batch, without end."""
        async with asyncio.TaskGroup() as flights:
            for number in range(FLIGHTS):
                flights.create_task(self._fly(), name=f"gate flight {number}")

    async def _fly(self) -> None:
        while True:
            await self._news.wait()
            taken = self._take() if not self._flights or len(self._waiting) >= WORTH_A_FLIGHT else []
            if not taken:
                self._news.clear()  # whoever comes next, or lands next, sets it again
                continue
            keys = {key for waiting in taken for key in waiting.keys}
            self._flights += 1
            self._flying |= keys
            try:
                await self._send(taken)
            except TryLater as error:
                self._fail(taken, error)
            except Exception as error:
                log.exception("the gate could not send a batch")
                self._fail(taken, TryLater(f"the gate failed: {type(error).__name__}", after=5))
            finally:
                self._flights -= 1
                self._flying -= keys
                self._news.set()

    def _fail(self, taken: Sequence[_Waiting], error: TryLater) -> None:
        """Fail a batch, and what waits behind it about the same things: it would overtake what comes again."""
        failed = list(taken)
        keys = {key for waiting in taken for key in waiting.keys}
        staying: list[_Waiting] = []
        for waiting in self._waiting:
            if keys.isdisjoint(waiting.keys):
                staying.append(waiting)
            else:
                failed.append(waiting)
                keys.update(waiting.keys)
        self._waiting = staying
        fail(failed, error)

    def _take(self) -> list[_Waiting]:
        """The next batch: in order of arrival, but for what shares a key with a batch in flight."""
        taken: list[_Waiting] = []
        held: list[_Waiting] = []
        barred = set(self._flying)
        count = size = 0
        for place, waiting in enumerate(self._waiting):
            if barred and not barred.isdisjoint(waiting.keys):
                held.append(waiting)
                barred.update(waiting.keys)  # nor may anything overtake what is held
                continue
            count += len(waiting.messages)
            size += sum(len(message.payload) for message in waiting.messages)
            if taken and (count > MOST_IN_BATCH or size > MOST_BYTES):
                self._waiting = held + self._waiting[place:]
                return taken
            taken.append(waiting)
        self._waiting = held
        return taken

    async def _send(self, taken: list[_Waiting]) -> None:
        wanted = {message.id: message for waiting in taken for message in waiting.messages}
        places = {id_: (self._recent[id_], True) for id_ in wanted if id_ in self._recent}
        asked = [id_ for id_ in wanted if id_ not in places]
        for id_, sequence in (await self._known(asked)).items():
            places[id_] = (sequence, True)
        fresh = [id_ for id_ in asked if id_ not in places]
        if fresh:
            reach("gate.before-publish")
            acks = await self._bus.publish([wanted[id_] for id_ in fresh])
            reach("gate.after-publish")
            metrics.batch.observe(len(fresh))
            metrics.ack_seconds.observe(monotonic() - taken[0].since)
            places.update({id_: (ack.sequence, ack.duplicate) for id_, ack in zip(fresh, acks, strict=True)})
        self._remember(places)
        answer(taken, places)

    def _remember(self, places: Mapping[str, tuple[int, bool]]) -> None:
        self._recent.update({id_: sequence for id_, (sequence, _) in places.items()})
        if len(self._recent) > RECENT:
            for id_ in list(self._recent)[: len(self._recent) - RECENT + RECENT // 10]:
                del self._recent[id_]


@lru_cache(maxsize=1_024)
def _stored(source: str) -> Counter:
    return metrics.events.labels(source)


def answer(taken: Sequence[_Waiting], places: dict[str, tuple[int, bool]]) -> None:
    """Tell each delivery its places. Of two deliveries with one new id in a batch, the first one's is the new one."""
    for waiting in taken:
        mine = []
        for message in waiting.messages:
            place = places[message.id]
            mine.append(place)
            if not place[1]:
                places[message.id] = (place[0], True)
        if not waiting.done.done():
            waiting.done.set_result(mine)


def fail(taken: Sequence[_Waiting], error: TryLater) -> None:
    """Tell each delivery that it must come again."""
    for waiting in taken:
        if not waiting.done.done():
            waiting.done.set_exception(error)
