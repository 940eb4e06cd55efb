"""The desk of one log source: every line that comes is counted, within the budget it is kept, and looked at.

In: lines of a publisher. Out: kept lines, counts, digests, in the book; a line's sender can wait until that is written.
Counting is exact always: counts, lines and what is told of them are one commit. Looking at templates is by sample where
a flood would make it dear. Neither sockets nor events are known here.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple, TypeVar

import msgspec
import structlog

from firehose.errors import TryLater
from firehose.fleet.logs.book import CLOSED, Book, Commit, FileState, Row
from firehose.fleet.logs.budget import Bucket, Budget
from firehose.fleet.logs.digest import Teller
from firehose.fleet.logs.line import TEXT_LIMIT, File, Line, Tally
from firehose.fleet.logs.scrub import Keys
from firehose.fleet.logs.templates import Found, Miner
from firehose.sources.logs.logs import Settings

log = structlog.get_logger("logs")
COMMIT_SECONDS: Final = 0.5
"""How long what came is gathered."""
ROOM: Final = 8 * 2**20
"""Bytes of kept lines that may wait for the disk; more wait at their senders."""
MINED: Final = 2_000
"""Lines a second that are looked at one by one; of more only every twentieth."""
SPARSE: Final = 20
PUBLISHERS: Final = 1_000
OTHERS: Final = "others"
"""Whose budget all share that come when so many publishers are known."""
FILES: Final = 10_000
"""Files that are read at once; of more the one that was opened first is finished."""
FORGET_SECONDS: Final = 60.0
HELD_KEYS: Final = 2_000
FUTURE: Final = 1e11
"""Seconds since the epoch beyond which no sender's time is believed."""
T = TypeVar("T")
encode: Final = msgspec.json.Encoder().encode


class Fresh:
    """What came since the last commit. `first`: the number that its first kept line has."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.rows: list[Row] = []
        self.size = 0
        self.spans: set[tuple[int, str]] = set()
        self.told: list[tuple[int, str, bytes]] = []
        self.totals: set[str] = set()
        self.files: set[str] = set()
        self.finished: list[FileState] = []
        self.digests: list[bytes] = []

    def keep(self, row: Row, size: int) -> None:
        """One more line."""
        self.rows.append(row)
        self.size += size


class Taken(msgspec.Struct, frozen=True):
    """What became of lines: how many were kept, and counted only; the number of the first that was kept."""

    lines: int
    kept: int
    over: int
    first: int = 0


class Batch(NamedTuple):
    """What lines that come together share. file, state: whose lines they are, and what is known of it (None: it is
    finished, or beyond its publisher's file budget)."""

    owner: tuple[str, Publisher]
    file: File | None
    state: FileState | None
    moment: float
    counts: Tally


class Publisher:
    """What is remembered of a publisher: its budgets, and since when a key runs through its lines."""

    def __init__(self, budget: Budget, starts: Bucket) -> None:
        self.budget = budget
        self.starts = starts
        self.keys: OrderedDict[tuple[str, str, str], Keys] = OrderedDict()

    def scrub(self, line: Line) -> str:
        """The line's text without secrets, also those that run over several lines."""
        place = (line.host, line.unit, line.file.key if line.file else "")
        keys = self.keys.get(place)
        if keys is None:
            keys = self.keys[place] = Keys()
            if len(self.keys) > HELD_KEYS:
                self.keys.popitem(last=False)
        return keys.scrub(line.text)


class Desk:
    """See the module. `clock`: seconds since the epoch. `run()` commits; `take()` waits for it, `give()` does not."""

    def __init__(self, settings: Settings, book: Book, base: str, clock: Callable[[], float]) -> None:
        self.settings = settings
        self.book = book
        self._clock = clock
        self._teller = Teller(book.name, base, settings.readers == "everybody")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="book")
        opened = book.open()
        moment = clock()
        self._learned = opened.born + settings.learn
        self._miner = Miner(list(opened.templates), opened.next_template, moment)
        self._spans: dict[tuple[int, str], Tally] = dict(opened.spans)
        self._totals: dict[str, Tally] = dict(opened.totals)
        self._span = 0
        self._files: OrderedDict[str, FileState] = OrderedDict((state.file.key, state) for state in opened.files)
        self._closed: OrderedDict[str, None] = OrderedDict.fromkeys(reversed(opened.closed))
        self._refused: OrderedDict[str, None] = OrderedDict()
        self._publishers: dict[str, Publisher] = {}
        together = settings.together
        self._shared = self._buckets(settings.lines_per_second * together, settings.bytes_per_second * together)
        self._mining = Bucket(MINED, 1.0, moment)
        self._announcing = Bucket(settings.announce / 60, 60.0, moment)
        self._passed = 0
        self._next = opened.number
        self._fresh = Fresh(self._next)
        self._writing: Commit | None = None
        self._news = asyncio.Event()
        self._done = asyncio.get_running_loop().create_future()
        self._room = asyncio.Event()
        self._room.set()
        self.told = asyncio.Event()

    def _buckets(self, lines: float, size: float) -> tuple[Bucket, Bucket]:
        moment, burst = self._clock(), self.settings.burst
        return Bucket(lines, burst, moment), Bucket(size, burst, moment)

    async def take(self, publisher: str, lines: Sequence[Line], broken: int = 0) -> Taken:
        """Count and keep; returns when that is on disk."""
        await self.room()
        taken = self.give(publisher, lines, broken)
        await self.committed()
        return taken

    async def room(self) -> None:
        """Until more lines may come: what waits for the disk is bounded."""
        await self._room.wait()

    async def committed(self) -> None:
        """Until what was given so far is on disk."""
        self._news.set()
        await asyncio.shield(self._done)

    def give(self, name: str, lines: Sequence[Line], broken: int = 0) -> Taken:
        """Count all of them, keep what the budget has room for. Nothing is on disk yet."""
        moment = self._clock()
        name, publisher = self._publisher(name)
        first, counts = self._next, Tally(broken=broken)
        try:
            self._each(lines, (name, publisher), moment, counts)
        finally:
            publisher.budget.spend(counts.kept_lines, counts.kept_bytes)
            self._tally(name, moment).add(counts)
            self._news.set()
        if self._fresh.size > ROOM:
            self._room.clear()
        return Taken(counts.lines, counts.kept_lines, counts.over_lines, first if counts.kept_lines else 0)

    def _each(self, lines: Sequence[Line], owner: tuple[str, Publisher], moment: float, counts: Tally) -> None:
        most, room = owner[1].budget.left(moment)
        for file, run in groupby(lines, attrgetter("file")):
            state = self._file(file, owner, moment) if file is not None else None
            batch = Batch(owner, file, state, moment, counts)
            rest = list(run)
            at = 0
            while at < len(rest) and counts.kept_lines < most and counts.kept_bytes < room:
                self._one(rest[at], batch, fits=True)
                at += 1
            self._beyond(rest[at:], batch)

    def _beyond(self, lines: list[Line], batch: Batch) -> None:
        """Lines that no budget has room for: each is counted, one of so many looked at. This is where a flood ends."""
        sample = self.settings.sample
        at = sample - 1 - self._passed % sample
        self._passed += len(lines)
        unseen: list[Line] = []
        start = 0
        for looked in range(at, len(lines), sample):
            unseen += lines[start:looked]
            start = looked + 1
            self._one(lines[looked], batch, fits=False)
        unseen += lines[start:]
        if not unseen:
            return
        if batch.file is not None and batch.state is None:
            self._homeless(batch.file, batch.counts, len(unseen))
        size = sum([line.size for line in unseen])
        words = Counter([line.severity for line in unseen])
        batch.counts.passed(size, words)
        if batch.state is not None:
            batch.state.tally.passed(size, words)
            batch.state.touched = batch.moment
            self._fresh.files.add(batch.state.file.key)

    def _one(self, line: Line, batch: Batch, *, fits: bool) -> None:
        state, counts = batch.state, batch.counts
        if batch.file is not None and state is None:
            self._homeless(batch.file, counts)
        line = line.finished()
        kept = self._keep(line, batch, fits=fits)
        counts.count(line.severity, line.size, kept)
        if state is not None:
            state.tally.count(line.severity, line.size, kept)
            state.touched = batch.moment
            if 0 < line.time < FUTURE:
                state.first = min(state.first or line.time, line.time)
                state.last = max(state.last, line.time)
            self._fresh.files.add(state.file.key)

    def _keep(self, line: Line, batch: Batch, *, fits: bool) -> bool:
        """Keep a line that fits, and one beyond the budget that is worth an event; True when it was kept."""
        name, publisher = batch.owner
        state, moment = batch.state, batch.moment
        clean = msgspec.structs.replace(line, text=publisher.scrub(line))
        told = self._look(clean, batch, 1.0 if fits else float(self.settings.sample))
        if not fits and not told:
            return False
        time = line.time if 0 < line.time < FUTURE else moment
        file = state.file.name if state is not None else ""
        self._fresh.keep(
            Row(time, line.severity, line.host, line.unit, name, file, clean.text), min(line.size, TEXT_LIMIT)
        )
        if state is not None and not state.number:
            state.number = self._next
        self._next += 1
        return True

    def _look(self, line: Line, batch: Batch, weight: float) -> bool:
        """Look what template a line is of; True when an event tells of it, which has the line's number to come."""
        (name, _), state, moment = batch.owner, batch.state, batch.moment
        if weight == 1.0:
            if self._mining.left(moment) < 1:
                self._passed += 1
                if self._passed % SPARSE:
                    return False
                weight = float(SPARSE)
            else:
                self._mining.spend(1)
        passing = line.file is not None and line.file.outcome == "success"
        found = self._miner.learn(line.text, moment, weight=weight, passing=passing)
        if state is not None:
            numbers = state.new if found.new else state.known
            if found.template.number not in state.new:
                numbers.add(found.template.number)
        if not self._worth(found, moment, batch.counts):
            return False
        found.template.told = True
        self._fresh.digests.append(self._teller.template(found, line, name, self._next))
        return True

    def _worth(self, found: Found, moment: float, counts: Tally) -> bool:
        new = found.new and not found.template.told and moment >= self._learned
        if not new and not found.burst:
            return False
        if self._announcing.left(moment) < 1:
            counts.unannounced += 1
            return False
        self._announcing.spend(1)
        return True

    def _publisher(self, name: str) -> tuple[str, Publisher]:
        known = self._publishers.get(name)
        if known is None:
            if len(self._publishers) >= PUBLISHERS:
                name = OTHERS
            settings = self.settings
            own = self._buckets(settings.lines_per_second, settings.bytes_per_second)
            starts = Bucket(settings.files_per_minute / 60, 60.0, self._clock())
            known = self._publishers.setdefault(name, Publisher(Budget(own, self._shared), starts))
        return name, known

    def _tally(self, name: str, moment: float) -> Tally:
        window = self.settings.window
        # A clock that went back opens no span that was told already.
        self._span = max(self._span, int(moment // window) * window)
        key = (self._span, name)
        self._fresh.spans.add(key)
        return self._spans.setdefault(key, Tally())

    def _file(self, file: File, owner: tuple[str, Publisher], moment: float) -> FileState | None:
        """The file that lines belong to; None when it was finished before, or is beyond the publisher's file budget."""
        key = file.key
        state = self._files.get(key)
        if state is not None or key in self._closed or key in self._refused:
            return state
        name, publisher = owner
        if publisher.starts.left(moment) < 1:
            self._refused[key] = None
            if len(self._refused) > CLOSED:
                self._refused.popitem(last=False)
            return None
        publisher.starts.spend(1)
        state = self._files[key] = FileState(file=file, publisher=name, opened=moment, touched=moment)
        if len(self._files) > FILES:
            self._finish(next(iter(self._files)), moment)
        return state

    def _homeless(self, file: File, counts: Tally, times: int = 1) -> None:
        if file.key in self._closed:
            counts.late += times
        else:
            counts.files_over += times

    def knows(self, file: File) -> bool:
        """Whether a file was finished already."""
        return file.key in self._closed

    def finish(self, file: File) -> None:
        """A file is complete: nothing more of it will come."""
        if file.key in self._files:
            self._finish(file.key, self._clock())
            self._news.set()

    def _finish(self, key: str, moment: float) -> None:
        state = self._files.pop(key)
        state.closed = moment
        self._fresh.finished.append(state)
        self._fresh.files.discard(key)
        self._fresh.digests.append(self._teller.file(state))
        self._closed[key] = None
        if len(self._closed) > CLOSED:
            self._closed.popitem(last=False)

    async def run(self) -> None:
        """Commit what came, several times a second; finish files and spans; remove what is too old."""
        forgot, synced = 0.0, self._clock()
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), 1.0)
            await asyncio.sleep(COMMIT_SECONDS)
            self._news.clear()
            await self.settle()
            if self.settings.sync and self._clock() - synced >= self.settings.sync:
                synced = self._clock()
                await self.in_book(self.book.sync)
            if self._clock() - forgot >= FORGET_SECONDS:
                forgot = self._clock()
                await self._forget(forgot)

    async def settle(self) -> None:
        """One commit of all that is to be written; tried again until the disk takes it."""
        self._turn(self._clock())
        fresh, done = self._fresh, self._done
        self._fresh = Fresh(self._next)
        self._done = asyncio.get_running_loop().create_future()
        commit = self._commit(fresh)
        if commit is not None:
            await self._write(commit)
            if commit.digests:
                self.told.set()
        done.set_result(None)
        self._room.set()

    async def _write(self, commit: Commit) -> None:
        self._writing = commit
        while self.book.newest is not commit:
            try:
                await self.in_book(lambda: self.book.commit(commit))
            except TryLater as error:
                log.error("lines wait for the disk", error=error.detail)
                await asyncio.sleep(error.after)
        self._writing = None

    def _commit(self, fresh: Fresh) -> Commit | None:
        miner = self._miner
        changed, gone = list(miner.changed.values()), miner.gone
        miner.changed, miner.gone = {}, []
        if not (fresh.rows or fresh.spans or fresh.files or fresh.finished or fresh.digests or changed):
            return None
        states = [self._files[key] for key in fresh.files] + fresh.finished
        # Encoded here: while the disk works, the counts go on.
        return Commit(
            moment=self._clock(), first=fresh.first, rows=fresh.rows, digests=fresh.digests, forgotten=gone,
            spans={key: encode(self._spans[key]) for key in fresh.spans},
            told=fresh.told, totals={name: encode(self._totals[name]) for name in fresh.totals},
            files=[(state.file.key, state.closed, encode(state)) for state in states],
            templates=[(template.number, encode(template)) for template in changed],
        )  # fmt: skip

    def _turn(self, moment: float) -> None:
        """Finish what has ended by the clock: files without lines for a while, spans that are over."""
        idle = [key for key, state in self._files.items() if moment - state.touched >= self.settings.file_idle]
        for key in idle:
            self._finish(key, moment)
        window = self.settings.window
        current = int(moment // window) * window
        for span in [span for span in self._spans if span[0] + window <= moment and span[0] < current]:
            start, name = span
            counts = self._spans.pop(span)
            total = self._totals.setdefault(name, Tally())
            total.add(counts)
            self._fresh.spans.discard(span)
            self._fresh.told.append((start, name, encode(counts)))
            self._fresh.totals.add(name)
            if counts.over_lines or counts.late or counts.files_over or counts.unannounced:
                self._fresh.digests.append(self._teller.overflow(name, (start, window), counts, total))

    async def _forget(self, moment: float) -> None:
        settings = self.settings
        before, most = moment - settings.keep * 86_400, settings.keep_mib * 2**20
        gone = await self.in_book(lambda: self.book.forget(before, most))
        if gone:
            log.info("old lines were removed", lines=gone, trust=settings.trust)

    def counts(self) -> dict[str, Tally]:
        """All that was ever counted, by publisher, what is not committed yet included."""
        found = {name: Tally() for name in (*self._totals, *(name for _, name in self._spans))}
        for name, tally in self._totals.items():
            found[name].add(tally)
        for (_, name), tally in self._spans.items():
            found[name].add(tally)
        return found

    async def in_book(self, job: Callable[[], T]) -> T:
        """Something that the book does, in its thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, job)

    async def close(self) -> None:
        """Write what is not written, and let go. `run()` must have ended, maybe in the middle of a commit."""
        if self._writing is not None:
            await self.in_book(lambda: None)
            await self._write(self._writing)
        await self.settle()
        await self.in_book(self.book.close)
        self._thread.shutdown()
