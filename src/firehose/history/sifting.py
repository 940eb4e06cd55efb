"""The walk of a search: window by window of sequences, until a page is full, the end is reached, or time is up.

In: what is left to check event by event (`rest`), bounds, and a function that gives a window's events in order. Out:
a `Page`. A search always gets on by at least one window, so that following its cursor always ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from firehose.event import Recorded
from firehose.history.store import Page
from firehose.plumbing.clock import monotonic
from firehose.query.match import predicate
from firehose.query.tree import Everything, Node

WINDOW: Final = 250_000
"""Sequences that the first question to the database spans. Each question has a cost of its own, so where answers come
quickly the next one spans twice as many."""
QUICK: Final = 8
"""The part of the time that a quick answer takes at most."""
STEP: Final = 200
"""Events that are looked at between two looks at the clock."""

Window = Callable[[int, int, int], Iterator[Recorded]]
"""(low, high, most) -> events between two sequences, inclusive, in the wanted order."""


class Sift:
    """One search, from `low` to `high` inclusive."""

    def __init__(self, rest: Node, low: int, high: int, *, descending: bool, limit: int, budget: float) -> None:
        self._fits = None if isinstance(rest, Everything) else predicate(rest)
        self._low, self._high = low, high
        self._descending = descending
        self._limit = limit
        self._width = WINDOW
        self._quick = budget / QUICK
        self._deadline = monotonic() + budget

    def run(self, window: Window) -> Page:
        """The page."""
        found: list[Recorded] = []
        position = self._high if self._descending else self._low
        while self._low <= position <= self._high:
            low, high = self._bounds(position)
            begun = monotonic()
            most = self._limit + 1 - len(found) if self._fits is None else high - low + 1
            stopped = self._look(window(low, high, most), found)
            if len(found) > self._limit:
                last = found[self._limit - 1].sequence
                return Page(found[: self._limit], last, reached=last)
            edge = low if self._descending else high
            position = edge - 1 if self._descending else edge + 1
            if stopped is not None:
                return Page(found, stopped, partial=True, reached=stopped)
            now = monotonic()
            if now - begun < self._quick:
                self._width *= 2
            if now > self._deadline and self._low <= position <= self._high:
                return Page(found, edge, partial=True, reached=edge)
        return Page(found, None, reached=self._low if self._descending else self._high)

    def _bounds(self, position: int) -> tuple[int, int]:
        if self._descending:
            return max(self._low, position - self._width + 1), position
        return position, min(self._high, position + self._width - 1)

    def _look(self, events: Iterator[Recorded], found: list[Recorded]) -> int | None:
        """Take what fits; the sequence of the last event looked at when time ran out."""
        for looked, event in enumerate(events, 1):
            if self._fits is None or self._fits(event):
                found.append(event)
                if len(found) > self._limit:
                    return None
            if self._fits is not None and looked % STEP == 0 and monotonic() > self._deadline:
                return event.sequence
        return None
