"""Tells people: the book of rules as one more sink of the delivery room, with a lane for each place and schedule.

In: events, one at a time, in order; the papers. Out: notes by the carriers, and what was told, noted before an item
counts as settled. A message at once is an item of its own. A digest is one item, the first event that it holds: the
rest is read again from the stream when it is due, up to where the room had read then, so that a thousand events of a
night cost no more than one. Its end is fixed on disk before the first try; whatever is killed where, a try is the same
message as before. What a place was told is never told there again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import structlog

from firehose.delivery import position
from firehose.delivery.room import RESERVED
from firehose.delivery.runner import Ears
from firehose.errors import FirehoseError, GiveUp, Gone, Refused, TryLater
from firehose.errors import words as said
from firehose.event import Recorded
from firehose.history import replay
from firehose.history.papers import Digest, Paper, Papers, Told
from firehose.notify import when, words
from firehose.notify.book import Book, Hit
from firehose.notify.carriers import Carriers
from firehose.notify.links import Links
from firehose.notify.rules import Place, Rule
from firehose.notify.words import Note
from firehose.plumbing import metrics
from firehose.plumbing.crashpoint import reach
from firehose.query.parse import either
from firehose.query.tree import Everything
from firehose.sink import Message, Outlet, Settings, SinkKind

log = structlog.get_logger("notify")
LOOK_SECONDS: Final = 0.5
BURST: Final = 20
BURST_SPAN: Final = timedelta(minutes=10)
"""So many messages at once within this time; what is more comes together."""
MOST: Final = 2_000
"""Events of one digest; what is more makes another one right after it."""
KEEP: Final = timedelta(days=60)
WINDOW: Final = 8_000
_SEQUENCE: Final = "sequence"
_RECORDED: Final = "recorded"


class Memory(msgspec.Struct, frozen=True):
    """What is remembered of an event that somebody was told: sentence, kind, link, the rules' titles, the why-word."""

    title: str
    kind: str = ""
    subject: str = ""
    rules: tuple[str, ...] = ()
    word: str = ""


class Notifier:
    """See the module. `load()` first, then `outlet()` for the room and `jobs()` to run. cursor: how far the room has
    placed events."""

    def __init__(
        self, papers: Papers, ears: Ears, carriers: Carriers, links: Links, hub: tuple[str, str]
    ) -> None:  # fmt: skip
        self.papers = papers
        self.book = Book((), ears.now())
        self.cursor: Callable[[], int] = lambda: 0
        self._ears = ears
        self._carriers = carriers
        self._links = links
        self._hub = hub
        self._version = -1
        self._open: dict[tuple[str, str], int] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._failing: set[str] = set()
        self._recent: dict[str, deque[datetime]] = {}
        self._letters_wait: dict[str, datetime] = {}
        self._forgot = ears.now()

    async def load(self) -> None:
        """Read the papers again when they changed."""
        version = await asyncio.to_thread(self.papers.version)
        if version != self._version:
            # A thousand rules take 0.2 s to compile, and events go on meanwhile.
            self.book = await asyncio.to_thread(self._read)
            self._version = version

    def _read(self) -> Book:
        return Book(self.papers.all(), self._ears.now())

    def outlet(self) -> Outlet:
        """The sink that the room runs."""
        kind = SinkKind(
            name="notify", title="Notifications", family="people", settings=Settings, render=render,
            connect=lambda outlet, tools: self, lanes=self.lanes, due=self.due, apart=True, window=WINDOW,
            idle=lambda: not self.book,
            to=lambda settings: "people",
        )  # fmt: skip
        return Outlet(name=RESERVED, kind=kind, settings=Settings(kind="notify", concurrency=16))

    def jobs(self) -> Sequence[tuple[str, Coroutine[Any, Any, None]]]:
        """Named, without end."""
        return [("notification rules", self._watch())]

    # -- placing

    def lanes(self, event: Recorded, settings: Any) -> Sequence[str]:
        """A lane for each place that is told."""
        return [lane for hit in self.book.match(event) if (lane := self._lane(hit, event.sequence))]

    def _lane(self, hit: Hit, sequence: int) -> str:
        place, name = hit.place.id, str(hit.schedule)
        if name == "now" and self._much(place):
            name = when.BURST
        if name != "now":
            # One item stands for all that follow until it is sent.
            if (place, name) in self._open:
                return ""
            self._open[place, name] = sequence
        return f"{place}.{name}"

    def _much(self, place: str) -> bool:
        """Whether a place gets too much at once, or cannot be reached."""
        if place in self._failing or (place, when.BURST) in self._open:
            return True
        now = self._ears.now()
        recent = self._recent.setdefault(place, deque())
        while recent and recent[0] <= now - BURST_SPAN:
            recent.popleft()
        if len(recent) >= BURST:
            return True
        recent.append(now)
        return False

    def due(self, now: datetime, lane: str, settings: Any) -> datetime | None:
        """When a lane goes that got an event at a moment, by the hours of whoever is told."""
        id_, _, name = lane.partition(".")
        place = self.book.places.get(id_)
        person = self.book.people.get(place.owner) if place is not None else None
        # Too much at once is too much now, however old it is.
        return when.due(name, person, self._ears.now() if name == when.BURST else now)

    # -- sending (see `sink.Transport`)

    async def send(self, message: Message) -> str:
        """Tell one place. "" when there is nothing to tell any more: told before, muted, or the rule is gone."""
        id_, _, name = message.to.partition(".")
        place = self.book.places.get(id_)
        self._open.pop((id_, name), None)
        if place is None or place.state != "ready":
            return ""
        event = Recorded.from_body(
            int(message.headers[_SEQUENCE]), datetime.fromisoformat(message.headers[_RECORDED]), message.body
        )
        try:
            # An event may come by two lanes after a change of rules: whoever is second must see what the first told.
            async with self._turns[id_]:
                answer = await (self._now(place, event) if name == "now" else self._digest(place, name, event))
        except Gone as error:
            await self._stop(place, error.detail)
            return ""
        except GiveUp as error:
            await self._stop(place, error.detail)
            raise
        except TryLater:
            self._failing.add(id_)
            raise
        self._failing.discard(id_)
        return answer

    async def _now(self, place: Place, event: Recorded) -> str:
        hit = self.book.at(event, place.id)
        told = await asyncio.to_thread(self.papers.known, place.id, [event.sequence])
        if hit is None or told:
            return ""
        word = self._word(place, event, hit.rules)
        note = words.single(event, place, hit.rules, self._hub, (self._links.why(word), self._links.stop(word)))
        answer = await self._carriers.send(place, note)
        reach("notify.carried")
        await self._told(place, [(event, hit)], note, word)
        return answer

    async def _digest(self, place: Place, name: str, first: Recorded) -> str:
        """Everything from the first event on that was placed by now. After a crash that is more than the digest that
        was begun before it: then the rest follows in another one."""
        start, horizon, answer = first.sequence, max(self.cursor(), first.sequence), ""
        while start <= horizon:
            begun = await asyncio.to_thread(self.papers.begin, place.id, name, start, horizon)
            if not begun.sent:
                word, begun = await self._send_digest(place, name, begun)
                answer = word or answer
            start = begun.upto + 1
        return answer

    async def _send_digest(self, place: Place, name: str, begun: Digest) -> tuple[str, Digest]:
        """What the carrier said, and the digest as far as it went."""
        found, begun = await self._gather(place, name, begun)
        if not found:
            await asyncio.to_thread(self.papers.finish, place.id, name, begun)
            return "", begun
        asked = {rule.id: rule for _, hit in found for rule in hit.rules}
        events, rules = [event for event, _ in found], list(asked.values())
        word = self._word(place, events[0], rules)
        links = (self._links.why(word), self._links.stop(word))
        # One event has nothing to be gathered with, and reads better by itself.
        one = words.single(events[0], place, rules, self._hub, links)
        mark = f"{name} {begun.first}"
        note = one if len(events) == 1 else words.digest(events, place, rules, self._hub, links, mark)
        answer = await self._carriers.send(place, note)
        reach("notify.carried")
        await self._told(place, found, note, word, (name, begun))
        return answer, begun

    async def _gather(self, place: Place, name: str, digest: Digest) -> tuple[list[tuple[Recorded, Hit]], Digest]:
        """What belongs into a digest by the rules of this moment, and its end, sooner when there is too much."""
        nodes = self.book.nodes(place.id)
        node = either(*nodes) if nodes else Everything()
        waiting = await self._waiting(place.id)
        found: list[tuple[Recorded, Hit]] = []
        ears, cursor = self._ears, digest.first - 1
        steps = replay.events(ears.live, ears.reader, cursor, node, bus=ears.bus)
        async for step in steps:
            fitting = [
                (event, hit) for event in step.events
                if event.sequence <= digest.upto and (hit := self.book.at(event, place.id)) is not None
                and _belongs(event, hit, name, waiting)
            ]  # fmt: skip
            known = await asyncio.to_thread(self.papers.known, place.id, [event.sequence for event, _ in fitting])
            found += [(event, hit) for event, hit in fitting if event.sequence not in known]
            cursor = step.cursor
            if cursor >= digest.upto or len(found) >= MOST:
                break
        await steps.aclose()
        if cursor < digest.upto or len(found) > MOST:
            found = found[:MOST]
            digest = msgspec.structs.replace(digest, upto=found[-1][0].sequence)
        return found, digest

    async def _waiting(self, place: str) -> dict[str, int]:
        """The digests of a place that are to come, by schedule, each with its first event: those of an earlier life
        of this hub, too."""
        kept = await position.load(self._ears.bus, RESERVED)
        lanes = [(one.lane.partition("."), one.sequence) for one in (kept.open if kept is not None else ())]
        firsts = [(name, sequence) for (id_, _, name), sequence in lanes if id_ == place]
        firsts += [(name, sequence) for (id_, name), sequence in self._open.items() if id_ == place]
        # The lowest of each comes last, and counts.
        return dict(sorted(firsts, key=lambda one: -one[1]))

    async def _told(
        self, place: Place, found: Sequence[tuple[Recorded, Hit]], note: Note, word: str,
        digest: tuple[str, Digest] | None = None,
    ) -> None:  # fmt: skip
        now = self._ears.now()
        entries = [
            Told(
                place=place.id, sequence=event.sequence, owner=hit.person or place.owner, message=note.id, time=now,
                body=msgspec.json.encode(
                    Memory(event.envelope.summary or event.envelope.subject, event.envelope.kind,
                           event.envelope.subject, tuple(rule.title for rule in hit.rules), word)
                ),
            )
            for event, hit in found
        ]  # fmt: skip
        await asyncio.to_thread(self.papers.tell, entries, digest)

    async def run(self) -> None:
        """Hold what the carriers hold."""
        await self._carriers.run()

    async def close(self) -> None:
        """Close the carriers."""
        await self._carriers.close()

    def _word(self, place: Place, event: Recorded, rules: Sequence[Rule]) -> str:
        return self._links.reason(place.id, event.sequence, [rule.id for rule in rules])

    async def _stop(self, place: Place, why: str) -> None:
        """A place that takes nothing any more is not tried again until somebody says so."""
        log.warning("a place of notifications is stopped", place=place.id, kind=place.kind, why=why)

        def stopped(paper: Paper) -> Paper:
            kept = msgspec.json.decode(paper.body, type=Place)
            return msgspec.structs.replace(
                paper, body=msgspec.json.encode(msgspec.structs.replace(kept, state="stopped", why=why[:300]))
            )

        await asyncio.to_thread(self.papers.change, "place", place.id, stopped)
        await self.load()

    # -- letters: what is sent without an event (to confirm a place, to try it)

    async def _watch(self) -> None:
        while True:
            with suppress(TryLater):
                await self.load()
                for letter in list(self.book.letters):
                    await self._letter(letter)
                await self._forget()
            await asyncio.sleep(LOOK_SECONDS)

    async def _letter(self, letter: Paper) -> None:
        now = self._ears.now()
        if self._letters_wait.get(letter.name, now) > now:
            return
        about: dict[str, str] = msgspec.json.decode(letter.body)
        place = self.book.places.get(about["place"])
        try:
            if place is not None:
                await self._carriers.send(place, self._note(letter, about["what"], place))
        except (TryLater, TimeoutError, OSError) as error:
            log.info("a letter waits", place=about["place"], why=_why(error))
            self._letters_wait[letter.name] = now + timedelta(seconds=30)
            return
        except Exception as error:
            # Whatever a carrier stumbles over, the letter is on disk: it would end this hub at every start.
            known = isinstance(error, (GiveUp, Gone, Refused))
            log.warning("a letter is dropped", place=about["place"], why=str(error), exc_info=None if known else error)
            metrics.notify_letters.labels("dropped").inc()
            if place is not None:
                await self._stop(place, _why(error))
        else:
            metrics.notify_letters.labels("sent").inc()
        self._letters_wait.pop(letter.name, None)
        await asyncio.to_thread(self.papers.drop, "letter", letter.name)

    def _note(self, letter: Paper, what: str, place: Place) -> Note:
        if what == "confirm":
            link = self._links.confirm(place.id, place.to)
            title = f"Confirm that {self._hub[0]} may write to you here"
            text = f"{place.owner} asks {self._hub[0]} for notifications to {place.to}. If that is not you, do nothing."
        else:
            link, title = f"{self._hub[1]}/notify", f"{self._hub[0]} reaches you here"
            text = f"{place.owner} pressed “Send a test”."
        item = words.Item(time=f"{self._ears.now():%Y-%m-%d %H:%M} UTC", kind="notify", project="", text=title,
                          link=link, page=link)  # fmt: skip
        return Note(id=letter.name, title=title, items=(item,), count=1, because=text, why=link, stop="")

    async def _forget(self) -> None:
        now = self._ears.now()
        if now - self._forgot > timedelta(hours=1):
            self._forgot = now
            floor = (await self._ears.reader.span()).floor
            await asyncio.to_thread(self.papers.forget, now - KEEP, max(floor, self.cursor() - 1_000_000))


def _belongs(event: Recorded, hit: Hit, name: str, waiting: Mapping[str, int]) -> bool:
    """Whether a digest tells an event. Rules and hours may have changed since the event was placed, and nothing says
    any more where: a digest tells also what is now wanted sooner than it goes, and what is wanted later if none is to
    come that would hold it. What another lane tells first is known by then."""
    own = when.ORDER.index("now" if name == when.BURST else name)
    return when.ORDER.index(hit.schedule) <= own or waiting.get(hit.schedule, event.sequence + 1) > event.sequence


def _why(error: Exception) -> str:
    return error.detail if isinstance(error, FirehoseError) else said(error)


def render(events: Sequence[Recorded], lane: str, outlet: Outlet) -> Message:
    """The event itself: what is said of it depends on the rules of the moment at which it is sent."""
    (event,) = events
    headers = {_SEQUENCE: str(event.sequence), _RECORDED: event.recorded.isoformat()}
    return Message(id=f"{lane}.{event.sequence}", to=lane, body=event.body, headers=headers)
