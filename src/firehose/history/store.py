"""The seam of the history: what every store promises. `sqlite.py` and `postgres.py` keep it, one suite checks both.

In: recorded events in order. Out: pages, counts, graphs. Keyset cursors only (a sequence), never offsets. A page that
would cost too much to fill ends early with a cursor to go on from (`Page.more`), instead of timing out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from firehose.event import Recorded
from firehose.history.row import Row
from firehose.query.tree import Node


class Page(msgspec.Struct, frozen=True):
    """Events in the wanted order. `cursor` is where to go on (exclusive), None when there is nothing further.
    `partial`: the search stopped at its cost limit before the page was full; `cursor` goes on from there.
    `reached` is the last sequence that was looked at."""

    events: list[Recorded]
    cursor: int | None = None
    partial: bool = False
    reached: int = 0


class Count(msgspec.Struct, frozen=True):
    """How many events a group had in a bucket of time. `start` is the bucket's beginning, None without buckets."""

    group: str
    count: int
    start: datetime | None = None


class Counts(list[Count]):
    """Counts by time, then the largest first. `total` is the number of all events that were counted; `truncated`:
    there are more counts than these, which are the largest, or with buckets of time those of the newest."""

    def __init__(self, counts: Iterable[Count] = (), total: int = 0, *, truncated: bool = False) -> None:
        super().__init__(counts)
        self.total = total
        self.truncated = truncated


class Span(msgspec.Struct, frozen=True):
    """What the history holds: first sequence, the last one that was ever recorded (0, 0 when there never was any;
    `first == last + 1` when all were forgotten), number of events. Everything up to `floor` was forgotten by rule."""

    first: int
    last: int
    count: int
    floor: int = 0


class Store(Protocol):
    """A history. All calls block: callers on an event loop go through `Reader` (a small pool of threads)."""

    def append(self, events: Sequence[Recorded]) -> None:
        """Write events with rising sequences in one transaction. A sequence that is there already is left alone."""
        ...

    def prepare(self, events: Sequence[Recorded]) -> Sequence[Row]:
        """The part of `append` that needs no database, for a thread of its own: `append` is `write(prepare(…))`."""
        ...

    def write(self, prepared: Sequence[Row]) -> None:
        """The other part: the transaction. On disk when it returns; `TryLater` when the disk is full or away."""
        ...

    def span(self) -> Span:
        """What is held now."""
        ...

    def known(self, identities: Sequence[str]) -> Mapping[str, int]:
        """Which of these `Event.identity` values are recorded, with their sequences."""
        ...

    def by_sequence(self, sequence: int) -> Recorded | None:
        """One event by its cursor."""
        ...

    def by_id(self, id_: str) -> list[Recorded]:
        """Events with this `id`, of whatever source."""
        ...

    def find(self, query: Node, *, after: int = 0, before: int = 0, descending: bool = True, limit: int = 100) -> Page:
        """The next page of events that match. `after` and `before` are exclusive sequences, 0 is open."""
        ...

    def replay(self, after: int, *, upto: int = 0, chunk: int = 2_000) -> Iterator[list[Recorded]]:
        """Everything after a sequence in order, in chunks, as fast as it can be read; `upto` included, 0 is open."""
        ...

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
        """Numbers of matching events by `source|kind|project|actor|outcome|severity` ("" is one group) and per
        `minute|hour|day` ("" is all time), by time of recording: `since` inclusive, `until` exclusive. `limit`: most
        counts; a bucket is given whole or not at all, but for the newest. `Refused` (`too-broad`, 422) when it would
        take seconds."""
        ...

    def happenings(
        self, query: Node, *, by: str = "", per: str = "", since: datetime, until: datetime, limit: int = 1_000
    ) -> Counts:
        """The same by the time that events happened. There are no roll-ups for that: it looks at each event."""
        ...

    def graph(self, subject: str, *, limit: int = 500) -> list[Recorded]:
        """Events about a subject and about what is tied to it by refs, oldest first."""
        ...

    def at_time(self, moment: datetime) -> int:
        """The last sequence that was recorded before a moment; 0 when there is none."""
        ...

    def forget(self, upto: int, query: Node | None = None) -> int:
        """Remove events up to a sequence (that match); how many."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...
