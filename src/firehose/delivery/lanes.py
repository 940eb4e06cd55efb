"""Which message goes next: pure. Order within a lane, freedom between lanes, and patience with a receiver that is away.

In: items (an event for a lane), what became of each try, the time. Out: the next items to send together, or how long
to wait. A lane is busy, ready, or waits until a moment. When several lanes fail in a row and none succeeds, the
receiver counts as away: then one item at a time is a probe, and the first success lets all lanes go on that failed
meanwhile, instead of leaving each to its own long wait. It knows no clock, no sink and no event.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import Final

from firehose.delivery import retry

AWAY_AFTER: Final = 3
"""Lanes that fail in a row, none succeeding, until the receiver counts as away."""


@dataclass(eq=False)
class Item:
    """An event on its way into one lane. `failures`: tries that counted and failed; `due`: not before (epoch
    seconds); `error`: the last failure; `number`: the dead letter that it was, 0 for none; `together`: the mark of
    those that were sent in one message and must be again, 0 for none."""

    sequence: int
    lane: str
    failures: int = 0
    due: float = 0.0
    error: str = ""
    since: float = 0.0
    number: int = 0
    together: int = 0


@dataclass(eq=False)
class _Lane:
    items: deque[Item] = field(default_factory=deque)
    busy: bool = False
    until: float = 0.0
    failed_away: bool = False


class Lanes:
    """The open items of one sink. `concurrency`: lanes busy at a time; `most`: items sent together; `apart`: lanes
    have receivers of their own, so there is none that could be away for all."""

    def __init__(self, concurrency: int, most: int = 1, *, apart: bool = False) -> None:
        self._apart = apart
        self._concurrency = max(1, concurrency)
        self._most = most
        self._lanes: dict[str, _Lane] = {}
        self._ready: deque[str] = deque()
        self._waiting: list[tuple[float, str]] = []
        self._busy = 0
        self._count = 0
        self._failed_in_row: set[str] = set()
        self._looks = 0
        self._probe_at = 0.0
        self.paused_until = 0.0

    def __len__(self) -> int:
        return self._count

    @property
    def away(self) -> bool:
        """Whether the receiver counts as away."""
        return len(self._failed_in_row) >= AWAY_AFTER

    @property
    def busy(self) -> int:
        """Lanes that are being sent now."""
        return self._busy

    def open(self) -> list[Item]:
        """Every item that is not settled, oldest event first."""
        return sorted((item for lane in self._lanes.values() for item in lane.items), key=lambda item: item.sequence)

    def add(self, item: Item) -> None:
        """Put an item at the end of its lane."""
        lane = self._lanes.get(item.lane)
        self._count += 1
        if lane is not None:
            lane.items.append(item)
            return
        lane = self._lanes[item.lane] = _Lane(deque((item,)))
        self._set(item.lane, lane, item.due)

    def next(self, now: float) -> list[Item] | None:
        """The items to send together now, all of one lane, which is busy from here on; None when there are none."""
        if now < self.paused_until:
            return None
        if self.away:
            name = self._probe(now)
        else:
            self._ripen(now)
            name = self._ready.popleft() if self._ready and self._busy < self._concurrency else None
        if name is None:
            return None
        lane = self._lanes[name]
        lane.busy = True
        self._busy += 1
        first = lane.items[0]
        if first.together:
            return list(takewhile(lambda item: item.together == first.together, lane.items))
        # What waits for a later hour is another digest's.
        due = max(now, first.due)
        most = islice(lane.items, self._most)
        return list(takewhile(lambda item: not item.together and item.due <= due, most))

    def wait(self, now: float) -> float | None:
        """Seconds until `next` may have something, None when only news can change that."""
        if self._busy >= self._concurrency or not self._count or (self.away and self._busy):
            return None
        if self.paused_until > now:
            return self.paused_until - now
        if self.away:
            return max(0.0, self._probe_at - now)
        if self._ready:
            return 0.0
        return max(0.0, self._waiting[0][0] - now) if self._waiting else None

    def done(self, items: Sequence[Item]) -> None:
        """Settled for good: delivered, or given up and kept elsewhere."""
        name = items[0].lane
        lane = self._release(name)
        for _ in items:
            lane.items.popleft()
        self._count -= len(items)
        if lane.items:
            self._set(name, lane, lane.items[0].due)
        else:
            del self._lanes[name]

    def drop(self, items: Sequence[Item]) -> None:
        """Settled, while others of the same try are not yet: the lane stays busy."""
        lane = self._lanes[items[0].lane]
        for _ in items:
            lane.items.popleft()
        self._count -= len(items)

    def rest(self) -> None:
        """Whoever was sending is gone without a word: what was busy is ready again."""
        for name, lane in self._lanes.items():
            if lane.busy:
                self._release(name)
                self._set(name, lane, 0.0)

    def delivered(self, items: Sequence[Item]) -> None:
        """The receiver took them: it is there, so whatever failed only because it was away may go on."""
        self.done(items)
        if self.away:
            for name, lane in self._lanes.items():
                if lane.failed_away and not lane.busy:
                    self._set(name, lane, 0.0)
        self._failed_in_row.clear()
        self._looks = 0

    def failed(self, items: Sequence[Item], now: float, until: float) -> None:
        """Not now; again at `until`. Every lane that fails while none succeeds adds to the suspicion."""
        name = items[0].lane
        lane = self._release(name)
        if not self._apart:
            self._failed_in_row.add(name)
        if self.away:
            self._probe_at = now + retry.probe(self._looks)
            self._looks += 1
        lane.failed_away = True
        for item in items:
            item.due = until
        self._set(name, lane, until)

    def slowed(self, items: Sequence[Item], until: float) -> None:
        """The receiver wants a pause from all: nothing is sent before `until`."""
        lane = self._release(items[0].lane)
        self.paused_until = max(self.paused_until, until)
        self._set(items[0].lane, lane, 0.0)

    def was_away(self) -> None:
        """The receiver counted as away in an earlier life: look whether it is there, and the first success lets all
        go on, instead of leaving each lane to its own long wait."""
        for name, lane in self._lanes.items():
            if lane.items[0].failures:
                lane.failed_away = True
                self._failed_in_row.add(name)

    def hurry(self) -> None:
        """Somebody says that it works now: try everything again at once."""
        self._failed_in_row.clear()
        self.paused_until = 0.0
        for name, lane in self._lanes.items():
            # What waits for its hour and never failed goes on waiting.
            if lane.failed_away and not lane.busy:
                self._set(name, lane, 0.0)

    def _release(self, name: str) -> _Lane:
        lane = self._lanes[name]
        lane.busy = False
        self._busy -= 1
        return lane

    def _set(self, name: str, lane: _Lane, until: float) -> None:
        lane.until = until
        lane.failed_away = lane.failed_away and until > 0
        if until <= 0:
            self._ready.append(name)
        else:
            heapq.heappush(self._waiting, (until, name))

    def _ripen(self, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            until, name = heapq.heappop(self._waiting)
            lane = self._lanes.get(name)
            # Entries of lanes that went on meanwhile are stale.
            if lane is not None and not lane.busy and lane.until == until and until > 0:
                self._set(name, lane, 0.0)
        while self._ready and self._stale(self._ready[0]):
            self._ready.popleft()

    def _stale(self, name: str) -> bool:
        lane = self._lanes.get(name)
        return lane is None or lane.busy or lane.until > 0

    def _probe(self, now: float) -> str | None:
        if self._busy or now < self._probe_at or not self._count:
            return None
        # The lane that is due next anyway, else the oldest event's.
        return min((lane.until, lane.items[0].sequence, name) for name, lane in self._lanes.items())[2]
