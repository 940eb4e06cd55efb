"""The history in one SQLite file: WAL, fsync at every commit, one inverted index (FTS5) for text and fields.

In: recorded events. Out: what `store.py` promises. One writer at a time (a lock, and SQLite's own for other
processes), any number of readers, each thread with a connection of its own. It knows neither the bus nor the web.
A search walks windows of sequences and stops at its time limit with a cursor, so no question can hold a thread.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, Final

from firehose.errors import TryLater
from firehose.event import Recorded
from firehose.history import match_fts, named
from firehose.history.compile import LATEST, Plan, plan
from firehose.history.counting import Tally
from firehose.history.graph import walk
from firehose.history.marks import REF
from firehose.history.migrate import missing
from firehose.history.packing import SAMPLES, Packer, learn
from firehose.history.row import HOUR, Row, micros, moment, row, rows, tally
from firehose.history.sifting import Sift
from firehose.history.store import Count, Page, Span
from firehose.query.tree import Everything, Node

BLOCK: Final = 12
"""Bits of a sequence below the block number: 4,096 events share one note of their times."""
_BUSY_SECONDS: Final = 10.0


class SqliteStore:
    """See `store.Store`. `budget`: seconds that one search may take before it answers with a partial page.
    `samples`: how many events a compression dictionary is learned from."""

    def __init__(self, path: Path | str, *, budget: float = 0.05, samples: int = SAMPLES) -> None:
        self._path = str(path)
        self._budget = budget
        self._sql = named.load("queries_sqlite.sql")
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._lock = threading.RLock()
        with _trouble():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._writer = self._connect()
            self._migrate()
            self._packer = Packer(self._dictionaries)
        self._samples: list[bytes] | None = None if self._packer.trained else []
        self._wanted = samples

    # -- writing

    def append(self, events: Sequence[Recorded]) -> None:
        """See `store.Store.append`."""
        self.write(self.prepare(events))

    def prepare(self, events: Sequence[Recorded]) -> list[Row]:
        """See `store.Store.prepare`."""
        frames = [event.frame for event in events]
        if self._samples is not None:
            self._learn(frames)
        return rows(events, self._packer.pack_all(frames))

    def write(self, prepared: Sequence[Row]) -> None:
        """See `store.Store.write`."""
        with self._lock, _trouble(), self._transaction():
            head = self._state()["head"]
            fresh = [new for new in prepared if new.sequence > head or not self._present(new.sequence)]
            if fresh:
                self._insert(fresh)
                self._writer.execute(self._sql["raise_state"], (max(new.sequence for new in fresh), "head"))

    def _insert(self, fresh: Sequence[Row]) -> None:
        self._many(
            "append_event",
            [(new.sequence, new.recorded, new.time, new.identity, *new.groups, new.subject, new.body) for new in fresh],
        )
        self._many("append_words", [(new.sequence, _terms(new)) for new in fresh])
        self._many("add_count", [(*key, n) for key, n in tally(fresh).items()])
        blocks: dict[int, tuple[int, int]] = {}
        hours: dict[int, tuple[int, int]] = {}
        for new in fresh:
            block, hour = new.sequence >> BLOCK, new.recorded // HOUR
            low, high = blocks.get(block, (new.time, new.time))
            blocks[block] = min(low, new.time), max(high, new.time)
            first, last = hours.get(hour, (new.sequence, new.sequence))
            hours[hour] = min(first, new.sequence), max(last, new.sequence)
        self._many("widen_block", [(key, *value) for key, value in blocks.items()])
        self._many("widen_hour", [(key, *value) for key, value in hours.items()])

    def _many(self, name: str, values: list[tuple[Any, ...]]) -> None:
        """Insert many rows with few calls into the database.

        Each call gives up the interpreter's lock and must win it back, which beside a busy event loop takes up to
        5 ms: row by row, a batch would take seconds.
        """
        one = self._sql[name]
        head, _, rest = one.partition("values (")
        places, _, tail = rest.partition(")")
        done = 0
        for size in (400, 50):
            many = f"{head}values {', '.join([f'({places})'] * size)}{tail}"
            while len(values) - done >= size:
                self._writer.execute(many, list(chain.from_iterable(values[done : done + size])))
                done += size
        self._writer.executemany(one, values[done:])

    def _learn(self, frames: Sequence[bytes]) -> None:
        """Once, when enough events have come by: it takes about a second."""
        with self._lock, _trouble():
            if self._samples is None:
                return
            self._samples.extend(frames[: self._wanted - len(self._samples)])
            if len(self._samples) < self._wanted:
                return
            learned, self._samples = learn(self._samples), None
            if learned is not None:
                with self._transaction() as writer:
                    writer.execute(self._sql["add_dictionary"], learned)
                self._packer.add(*learned)

    def forget(self, upto: int, query: Node | None = None) -> int:
        """See `store.Store.forget`."""
        removed, after = 0, 0
        query = query or Everything()
        while True:
            page = self.find(query, after=after, before=min(upto, LATEST - 1) + 1, descending=False, limit=500)
            with self._lock, _trouble(), self._transaction() as writer:
                gone = [row(event) for event in page.events if self._present(event.sequence)]
                self._many("drop_words", [(old.sequence, _terms(old)) for old in gone])
                writer.executemany(self._sql["forget_event"], [(old.sequence,) for old in gone])
                self._many("add_count", [(*key, -n) for key, n in tally(gone).items()])
                writer.execute(self._sql["drop_empty_counts"])
                if page.cursor is None and isinstance(query, Everything):
                    writer.execute(self._sql["raise_state"], (min(upto, self._state()["head"]), "floor"))
            removed += len(gone)
            if page.cursor is None:
                return removed
            after = page.cursor

    # -- reading

    def span(self) -> Span:
        """See `store.Store.span`."""
        state = dict(self._all("state"))
        (first,), (count,) = self._all("first_sequence")[0], self._all("total")[0]
        return Span(first or (state["head"] + 1 if state["head"] else 0), state["head"], count, state["floor"])

    def known(self, identities: Sequence[str]) -> Mapping[str, int]:
        """See `store.Store.known`."""
        found = ((one, self._all("known", bytes.fromhex(one))[0][0]) for one in identities)
        return {one: sequence for one, sequence in found if sequence is not None}

    def by_sequence(self, sequence: int) -> Recorded | None:
        """See `store.Store.by_sequence`."""
        found = self._all("by_sequence", min(sequence, LATEST))
        return self._event(found[0]) if found else None

    def by_id(self, id_: str) -> list[Recorded]:
        """See `store.Store.by_id`."""
        found = self._all("match_up", match_fts.one("i", id_), 0, LATEST, 1_000)
        return [event for event in map(self._event, found) if event.envelope.id == id_]

    def find(self, query: Node, *, after: int = 0, before: int = 0, descending: bool = True, limit: int = 100) -> Page:
        """See `store.Store.find`."""
        wanted = plan(query)
        low = max(after + 1, wanted.low)
        high = min(before - 1 if before else LATEST, wanted.high, dict(self._all("state"))["head"])
        if wanted.times is not None and low <= high:
            first, last = self._all("block_range", *wanted.times)[0]
            if first is None:
                return Page([], None, reached=low if descending else high)
            low, high = max(low, first << BLOCK), min(high, ((last + 1) << BLOCK) - 1)
        sift = Sift(wanted.rest, low, high, descending=descending, limit=limit, budget=self._budget)
        return sift.run(lambda low, high, most: self._window(wanted, low, high, descending, most))

    def _window(self, wanted: Plan, low: int, high: int, descending: bool, most: int) -> Iterator[Recorded]:
        match = match_fts.render(wanted.index)
        way = "down" if descending else "up"
        if match is None:
            found = self._rows(f"range_{way}", low, high, most)
        elif match:
            found = self._rows(f"match_{way}", match, low, high, most)
        else:
            return
        yield from map(self._event, found)

    def replay(self, after: int, *, upto: int = 0, chunk: int = 2_000) -> Iterator[list[Recorded]]:
        """See `store.Store.replay`."""
        while True:
            found = [self._event(one) for one in self._all("range_up", after + 1, upto or LATEST, chunk)]
            if found:
                yield found
            if len(found) < chunk:
                return
            after = found[-1].sequence

    def counts(
        self,
        query: Node,
        *,
        by: str = "",
        per: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 1_000,
    ) -> list[Count]:
        """See `store.Store.counts`."""
        return Tally(self, query, by, per, (since, until)).counts(limit)

    def rolled(self, field: str, value: str | None, width: int, first: int, last: int) -> list[tuple[str, int, int]]:
        """See `counting.Numbers.rolled`."""
        if value is None:
            return self._all("rolled", field, width, first, last)
        return self._all("rolled_value", field, width, value, first, last)

    def hour_ranges(self, first: int, last: int) -> list[tuple[int, int, int]]:
        """See `counting.Numbers.hour_ranges`."""
        return self._all("hour_ranges", first, last)

    def group_rows(self, wanted: Plan, low: int, high: int) -> Iterator[tuple[int, tuple[str, ...]]]:
        """See `counting.Numbers.group_rows`."""
        match = match_fts.render(wanted.index)
        if match == "":
            return
        rows = self._rows("group_rows", low, high) if match is None else self._rows("group_matches", match, low, high)
        yield from ((found[0], found[1:]) for found in rows)

    def events(self, wanted: Plan, low: int, high: int) -> Iterator[Recorded]:
        """See `counting.Numbers.events`."""
        return self._window(wanted, low, high, False, LATEST)

    def graph(self, subject: str, *, limit: int = 500) -> list[Recorded]:
        """See `store.Store.graph`."""
        return walk(subject, limit, self._tied)

    def _tied(self, subject: str, most: int) -> list[Recorded]:
        match = f"{match_fts.one('u', subject)} OR {match_fts.one(REF, subject)}"
        return [self._event(found) for found in self._all("match_down", match, 0, LATEST, most)]

    def at_time(self, moment: datetime) -> int:
        """See `store.Store.at_time`: by halving, as recording times rise with the sequence."""
        wanted = micros(moment)
        span = self.span()
        low, high = span.first - 1, span.last
        while low < high:
            middle = (low + high + 1) // 2
            found = self._all("recorded_at", middle)
            if found and found[0][1] < wanted:
                low = max(middle, min(found[0][0], high))
            else:
                high = middle - 1
        return low if span.count and low >= span.first else 0

    def close(self) -> None:
        """See `store.Store.close`."""
        with self._lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    # -- below

    def _event(self, found: tuple[int, int, bytes]) -> Recorded:
        return Recorded(found[0], moment(found[1]), self._packer.unpack(found[2]))

    def _all(self, name: str, *values: Any) -> list[Any]:
        with _trouble():
            return self._reader().execute(self._sql[name], values).fetchall()

    def _rows(self, name: str, *values: Any) -> Iterator[Any]:
        with _trouble():
            cursor = self._reader().execute(self._sql[name], values)
        try:
            while True:
                with _trouble():
                    found = cursor.fetchmany(100)
                if not found:
                    return
                yield from found
        finally:
            cursor.close()

    def _state(self) -> dict[str, int]:
        return dict(self._writer.execute(self._sql["state"]).fetchall())

    def _present(self, sequence: int) -> bool:
        return self._writer.execute(self._sql["present"], (sequence,)).fetchone() is not None

    def _dictionaries(self) -> Mapping[int, bytes]:
        return dict(self._all("dictionaries"))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._writer.execute("begin immediate")
        try:
            yield self._writer
            self._writer.execute("commit")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("rollback")
            raise

    def _reader(self) -> sqlite3.Connection:
        reader: sqlite3.Connection | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = self._connect()
            reader.execute("pragma query_only = 1")
        return reader

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        with self._lock:
            self._connections.append(connection)
        for pragma in ("journal_mode = wal", "synchronous = full", "cache_size = -32768", "temp_store = memory"):
            connection.execute(f"pragma {pragma}")
        return connection

    def _migrate(self) -> None:
        self._writer.execute("begin immediate")
        self._writer.execute("create table if not exists migrations (name text primary key) without rowid")
        applied = [name for (name,) in self._writer.execute("select name from migrations")]
        steps = missing("sqlite", applied)
        self._writer.execute("commit")
        for name, script in steps:
            self._writer.executescript(f"begin immediate; {script}\ninsert into migrations values ('{name}'); commit;")


def _terms(of: Row) -> str:
    return " ".join((*of.words, *of.marks))


@contextmanager
def _trouble() -> Iterator[None]:
    """A full disk, a lock held too long, a failing device: all of them may pass."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise TryLater(f"the history cannot be used now: {error}") from error
