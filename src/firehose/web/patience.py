"""How long a reader may take nothing before it is cut.

In: seconds, and word of when a write begins and ends. Out: `TimeoutError` in the task that is kept waiting. There is
one timer a reader and not one a write: with hundreds of readers timers were a third of what an event costs. It knows
neither events nor HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from firehose.plumbing.clock import monotonic


class Patience:
    """`with` it while something is written, all of it within `limit()`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since = 0.0

    def __enter__(self) -> Self:
        self._since = monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self._since = 0.0

    @asynccontextmanager
    async def limit(self) -> AsyncIterator[None]:
        """`TimeoutError` when one write takes longer than the seconds."""
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._seconds, lambda: look())
        async with asyncio.timeout(None) as limit:

            def look() -> None:
                nonlocal timer
                now = monotonic()
                left = (self._since or now) + self._seconds - now
                if left > 0:
                    timer = loop.call_later(left, look)
                else:
                    limit.reschedule(loop.time())

            try:
                yield
            finally:
                timer.cancel()
