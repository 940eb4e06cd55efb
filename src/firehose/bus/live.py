"""The live end of the stream: the newest events in memory, once, for every reader in this process.

In: the bus, followed by one task. Out: `since(cursor)` from a ring, and `wait(cursor)` until there is more. Readers
keep their own cursor and pull; there is no buffer per reader, so a slow one costs nothing: when its cursor has left
the ring it reads on from the history (`history/replay.py`). All readers share one decoded and encoded event.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Sequence

from firehose.bus.contract import Bus, Stored
from firehose.event import Recorded, sound
from firehose.plumbing import metrics

RING = 20_000
"""Events held in memory (about 2 KB each)."""


class Live:
    """The newest events. `head` is the newest sequence seen, `floor` the oldest one still in the ring."""

    def __init__(self, ring: int = RING) -> None:
        self._ring: list[Recorded] = []
        self._sequences: list[int] = []
        self._most = ring
        self._waiters: dict[asyncio.Future[None], float] = {}
        self._bell: asyncio.TimerHandle | None = None
        self._bell_at = 0.0
        self.head = 0

    @property
    def floor(self) -> int:
        """The oldest sequence in the ring; `head + 1` when it is empty."""
        return self._sequences[0] if self._sequences else self.head + 1

    def start_at(self, head: int) -> None:
        """Say where the stream stands before anything is followed."""
        self.head = head

    async def follow(self, bus: Bus) -> None:
        """Take in everything after `head`, without end."""
        async for batch in bus.follow(self.head):
            self.take([recorded(stored) for stored in batch if sound(stored.payload)])

    def take(self, events: Sequence[Recorded]) -> None:
        """Add events with rising sequences and wake the readers."""
        fresh = [event for event in events if event.sequence > self.head]
        if not fresh:
            return
        self._ring.extend(fresh)
        self._sequences.extend(event.sequence for event in fresh)
        if len(self._ring) > self._most + self._most // 8:
            cut = len(self._ring) - self._most
            del self._ring[:cut], self._sequences[:cut]
        self.head = fresh[-1].sequence
        metrics.head.set(self.head)
        waiters, self._waiters = self._waiters, {}
        for waiter in waiters:
            _wake(waiter)

    def since(self, after: int, limit: int = 500) -> list[Recorded] | None:
        """Up to `limit` events after a cursor; None when the ring no longer reaches back that far."""
        if after >= self.head:
            return []
        if after + 1 < self.floor:
            return None
        start = bisect_right(self._sequences, after)
        return self._ring[start : start + limit]

    async def wait(self, after: int, seconds: float) -> bool:
        """Until there is something after a cursor; False when `seconds` passed first."""
        if self.head > after:
            return True
        # Hundreds of readers wake up for each event, and a timer for each would be most of what that costs: all share
        # one, which rings for the earliest.
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters[waiter] = deadline = loop.time() + seconds
        if self._bell is None or self._bell_at > deadline:
            self._ring_at(loop, deadline)
        try:
            await waiter
        finally:
            self._waiters.pop(waiter, None)
        return self.head > after

    def _ring_at(self, loop: asyncio.AbstractEventLoop, when: float) -> None:
        if self._bell is not None:
            self._bell.cancel()
        # Remembered here, for uvloop's handle of a time that is over does not know when it was.
        self._bell_at = when
        self._bell = loop.call_at(when, self._timeout, loop)

    def _timeout(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake whose time is over, and ring again for the earliest of the others."""
        self._bell = None
        now = loop.time() + 0.001
        for waiter in [one for one, deadline in self._waiters.items() if deadline <= now]:
            del self._waiters[waiter]
            _wake(waiter)
        if self._waiters:
            self._ring_at(loop, min(self._waiters.values()))


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def recorded(stored: Stored) -> Recorded:
    """A stored message as an event at its place."""
    return Recorded(stored.sequence, stored.time, stored.payload)
