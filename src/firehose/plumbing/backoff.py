"""Waiting times between tries: pure, so that the loops that wait stay short."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Final

LEAST_PAUSES: Final = (1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds that a receiver is left alone at least when it wants a pause for the 1st, 2nd, … time and takes nothing."""


def delays(first: float = 0.5, most: float = 60.0, factor: float = 1.8, jitter: float = 0.2) -> Iterator[float]:
    """Seconds to wait before the 1st, 2nd, … further try: growing, bounded, and spread by `jitter` (0 to 1)."""
    wait = first
    while True:
        yield wait * (1 + random.uniform(-jitter, jitter))
        wait = min(most, wait * factor)


class Pauses:
    """How long somebody is left alone who wants a pause: as long as it says, but never without a limit to how often it
    is asked, as it may say "none" each time. `clock`: seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._row = 0
        self._next = 0.0

    def again(self, wished: float) -> float:
        """Seconds to wait, now that a pause is wanted. Wishes that come together, of requests under way at the same
        time, are one."""
        now = self._clock()
        if self._row == 0 or now >= self._next:
            self._row += 1
        pause = max(wished, LEAST_PAUSES[min(self._row, len(LEAST_PAUSES)) - 1])
        # Half of it, as who waits may count from the moment at which it asked.
        self._next = now + min(pause, LEAST_PAUSES[-1]) / 2
        return pause

    def over(self) -> None:
        """It took something: the next pause is the first again."""
        self._row = 0
