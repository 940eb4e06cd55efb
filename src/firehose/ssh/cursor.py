"""A reader's place in the stream, kept by the hub because the reader keeps none.

In: the reader's name, the bus's small tables, the history. Out: the cursor to go on from, never older than the hub
replays; saved when the reader is known to have what came before. It knows no connection.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from firehose.bus.contract import Bus
from firehose.bus.live import Live
from firehose.history.reader import Reader
from firehose.plumbing.clock import monotonic

log = structlog.get_logger("doors")
TABLE = "doors"
SAVE_SECONDS = 30.0
"""How often a cursor is written that moved only past events the reader does not want."""


class Place:
    """One reader's cursor."""

    def __init__(self, bus: Bus, name: str) -> None:
        self._bus = bus
        self._name = name
        self._saved = (-1, 0.0)

    async def open(self, live: Live, reader: Reader, oldest: datetime) -> int:
        """Where the reader goes on: after what it had, but not before `oldest`; the newest event for a new reader."""
        head = live.head  # as the reader came: what happens while we look is for it
        kept = await self._bus.get(TABLE, self._name)
        if kept is None:
            await self.save(head)
            return head
        cursor = int(kept)
        floor = max(await reader.at_time(oldest), (await reader.span()).floor)
        if cursor < floor:
            log.warning(
                "a reader was away too long: what is older is not replayed", reader=self._name, events=floor - cursor
            )
        return max(cursor, floor)

    async def save(self, cursor: int) -> None:
        """Remember that everything up to here has arrived."""
        if cursor != self._saved[0]:
            await self._bus.put(TABLE, self._name, str(cursor).encode())
            self._saved = (cursor, monotonic())

    async def pass_by(self, cursor: int) -> None:
        """Remember that nothing up to here was for the reader; not at once, as nothing is lost by looking again."""
        if monotonic() - self._saved[1] >= SAVE_SECONDS:
            await self.save(cursor)


def oldest(now: Callable[[], datetime], hours: int) -> datetime:
    """The moment before which nothing is replayed."""
    return now() - timedelta(hours=hours)
