"""What both stores have in common: the promises of `store.py` in terms of named queries.

In: recorded events and questions. Out: rows for the dialect to write, and answers. A dialect says how a query is run
(`_all`, `_rows`), how a transaction is (`_transaction`), how rows are inserted and removed, and how one window of a
search is read; everything that decides is here, once.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Final

from firehose.event import Recorded
from firehose.history.compile import LATEST, Index, Plan, plan
from firehose.history.counting import Groups, Tally
from firehose.history.graph import walk
from firehose.history.packing import Packer, learn
from firehose.history.row import HOUR, Kept, Row, micros, row, rows, tally
from firehose.history.sifting import Sift
from firehose.history.store import Counts, Page, Span
from firehose.query.tree import Either, Everything, Is, Node

BLOCK: Final = 12
"""Bits of a sequence below the block number: 4,096 events share one note of their times."""
STEP: Final = 500
"""Events that are removed in one transaction."""


class SqlStore(ABC):
    """See `store.Store`. `budget`: seconds that one search may take before it answers with a partial page.
    `samples`: how many events a compression dictionary is learned from."""

    def __init__(self, budget: float, samples: int) -> None:
        self._budget = budget
        self._lock = threading.RLock()
        self._packer = Packer(lambda: dict(self._all("dictionaries")))
        self._samples: list[bytes] | None = None if self._packer.trained else []
        self._wanted = samples

    # -- what a dialect brings

    @abstractmethod
    def _all(self, name: str, *values: Any) -> list[Any]:
        """All rows of a named query, on this thread's reading connection."""

    @abstractmethod
    def _rows(self, name: str, *values: Any) -> Iterator[Any]:
        """The same, row by row."""

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[None]:
        """One transaction of the writing connection, alone; on disk when it ends without an error."""

    @abstractmethod
    def _do(self, name: str, *values: Any) -> list[Any]:
        """A named query within the transaction."""

    @abstractmethod
    def _many(self, name: str, values: list[tuple[Any, ...]]) -> None:
        """A named statement for many rows within the transaction."""

    @abstractmethod
    def _insert(self, fresh: Sequence[Row]) -> None:
        """Write events and their index terms within the transaction."""

    @abstractmethod
    def _remove(self, gone: Sequence[Row]) -> None:
        """Remove events and their index terms within the transaction."""

    @abstractmethod
    def _window(self, wanted: Plan, low: int, high: int, descending: bool, most: int) -> Iterator[Recorded]:
        """What the index finds between two sequences, in order, at most so many."""

    @abstractmethod
    def group_rows(self, wanted: Plan, low: int, high: int) -> Iterator[Groups]:
        """See `counting.Numbers.group_rows`."""

    def match_count(self, index: Index, low: int, high: int) -> int | None:
        """See `counting.Numbers.match_count`."""
        return None

    # -- writing

    def append(self, events: Sequence[Recorded]) -> None:
        """See `store.Store.append`."""
        self.write(self.prepare(events))

    def prepare(self, events: Sequence[Recorded]) -> list[Row]:
        """See `store.Store.prepare`."""
        if self._samples is not None:
            self._learn([event.frame for event in events])
        return rows(events, self._packer.pack_all)

    def write(self, prepared: Sequence[Row]) -> None:
        """See `store.Store.write`."""
        with self._transaction():
            head = dict(self._do("state"))["head"]
            fresh = prepared
            if prepared and prepared[0].sequence <= head:
                fresh = [new for new in prepared if new.sequence > head or not self._present(new.sequence)]
            if fresh:
                self._insert(fresh)
                self._note(fresh)
                self._do("raise_state", max(new.sequence for new in fresh), "head")

    def _note(self, fresh: Sequence[Row]) -> None:
        """Roll-ups, and where times are."""
        self._many("add_count", [(*key, n) for key, n in sorted(tally(fresh).items())])
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

    def _learn(self, frames: Sequence[bytes]) -> None:
        """Once, when enough events have come by: it takes about a second."""
        with self._lock:
            if self._samples is None:
                return
            self._samples.extend(frames[: self._wanted - len(self._samples)])
            if len(self._samples) < self._wanted:
                return
            learned, self._samples = learn(self._samples), None
            if learned is not None:
                with self._transaction():
                    self._do("add_dictionary", *learned)
                self._packer.add(*learned)

    def forget(self, upto: int, query: Node | None = None) -> int:
        """See `store.Store.forget`. In small transactions. The floor rises first: a reader who comes upon a hole finds
        a floor above it."""
        query = query or Everything()
        upto = min(upto, self.span().last)
        if isinstance(query, Everything):
            with self._transaction():
                self._do("raise_state", upto, "floor")
        removed, after = 0, 0
        while True:
            page = self.find(query, after=after, before=upto + 1, descending=False, limit=STEP)
            with self._transaction():
                gone = [row(event) for event in page.events if self._present(event.sequence)]
                self._remove(gone)
                less = sorted(tally(gone).items())
                self._many("add_count", [(*key, -n) for key, n in less])
                self._many("drop_count", [key for key, _ in less])
            removed += len(gone)
            if page.cursor is None:
                return removed
            after = page.cursor

    def _present(self, sequence: int) -> bool:
        return bool(self._do("present", sequence))

    # -- reading

    def span(self) -> Span:
        """See `store.Store.span`."""
        head, floor, first, count = self._all("span")[0]
        return Span(first or (head + 1 if head else 0), head, count, floor)

    def by_sequence(self, sequence: int) -> Recorded | None:
        """See `store.Store.by_sequence`."""
        found = self._all("range_up", min(sequence, LATEST), min(sequence, LATEST), 1)
        return self._event(found[0]) if found else None

    def by_id(self, id_: str) -> list[Recorded]:
        """See `store.Store.by_id`."""
        return self._pages(Is("id", id_), 1_000) if id_ else []

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

    def _pages(self, query: Node, most: int) -> list[Recorded]:
        """The newest events, however long it takes."""
        found: list[Recorded] = []
        before = 0
        while True:
            page = self.find(query, before=before, limit=most - len(found))
            found += page.events
            if page.cursor is None or len(found) >= most:
                return found
            before = page.cursor

    def replay(self, after: int, *, upto: int = 0, chunk: int = 2_000) -> Iterator[list[Recorded]]:
        """See `store.Store.replay`."""
        while True:
            rows_ = self._all("range_up", after + 1, upto or LATEST, chunk)
            frames = self._packer.unpack_all([one[2] for one in rows_])
            found: list[Recorded] = [Kept(one[0], one[1], frame) for one, frame in zip(rows_, frames, strict=True)]
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
    ) -> Counts:
        """See `store.Store.counts`."""
        return Tally(self, query, by, per, (since, until)).counts(limit)

    def happenings(
        self, query: Node, *, by: str = "", per: str = "", since: datetime, until: datetime, limit: int = 1_000
    ) -> Counts:
        """See `store.Store.happenings`."""
        return Tally(self, query, by, per, (since, until)).counts(limit, happened=True)

    def happened(self, first: int, last: int) -> tuple[int, int]:
        """See `counting.Numbers.happened`."""
        low, high = self._all("block_range", first, last)[0]
        return (1, 0) if low is None else (low << BLOCK, ((high + 1) << BLOCK) - 1)

    def rolled(self, field: str, value: str | None, width: int, first: int, last: int) -> list[tuple[str, int, int]]:
        """See `counting.Numbers.rolled`."""
        if value is None:
            days = first * width // 86_400, last * width // 86_400
            return self._all("rolled", field, width, first, last, field, *days)
        return self._all("rolled_value", field, width, value, first, last)

    def rolled_sums(self, field: str, width: int, first: int, last: int) -> list[tuple[str, int]]:
        """See `counting.Numbers.rolled_sums`."""
        return self._all("rolled_sums", field, width, first, last)

    def hour_ranges(self, first: int, last: int) -> list[tuple[int, int, int]]:
        """See `counting.Numbers.hour_ranges`."""
        return self._all("hour_ranges", first, last)

    def events(self, wanted: Plan, low: int, high: int) -> Iterator[Recorded]:
        """See `counting.Numbers.events`."""
        return self._window(wanted, low, high, False, LATEST)

    def graph(self, subject: str, *, limit: int = 500) -> list[Recorded]:
        """See `store.Store.graph`."""
        return walk(
            subject, limit, lambda name, most: self._pages(Either((Is("subject", name), Is("refs", name))), most)
        )

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

    def _event(self, found: tuple[int, int, bytes]) -> Recorded:
        return Kept(found[0], found[1], self._packer.unpack(found[2]))
