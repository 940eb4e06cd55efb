"""What readers share that compare what is with what was: a memory in parts, and telling what is new.

In: things as they were found, in order. Out: deliveries, and the memory kept after them. A crash between the two tells
again under the same ids. It refuses to know where things come from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import structlog

from firehose.errors import TryLater
from firehose.intake.instance import Instance
from firehose.intake.session import Doors, Session
from firehose.intake.znodes import PARTS, Memory
from firehose.plumbing.clock import Now
from firehose.source import Delivery, Inventory, Seen, Znodes

log = structlog.get_logger("remembering")


class Keep(Protocol):
    """Where the memory lies."""

    async def get(self, part: str) -> bytes | None:
        """A part; None when it was never put."""
        ...

    async def put(self, part: str, value: bytes) -> None:
        """Keep a part."""
        ...


class Remembering(Session):
    """A session with a memory."""

    def __init__(self, instance: Instance, doors: Doors, keep: Keep, now: Now) -> None:
        super().__init__(instance, doors, now)
        self._keep_in = keep
        self._memory = Memory({})

    async def _tell(self, found: Sequence[Seen], want: Znodes | Inventory, now: datetime) -> None:
        """Let the source look at what was found, hand over what it says, and keep that it was told."""
        # What is new is noted first: when it is gone after a crash, its end is told.
        await self._remind()
        observed = [self._memory.observe(seen, want) for seen in found]
        channel = "zookeeper" if isinstance(want, Znodes) else "poll"
        deliveries = [
            Delivery(source=self._instance.name, body=one.body, received=now, channel=channel)
            for one in observed
            if one.body is not None
        ]
        if deliveries:
            await self._pass(deliveries)
            self._moved(f"{max(seen.mzxid for seen in found):x}", now)
        await self._remind()

    async def _remember(self) -> Memory:
        waits = self._waits()
        while True:
            try:
                parts = {part: await self._keep_in.get(part) for part in (f"znodes{number}" for number in range(PARTS))}
                return Memory({part: value for part, value in parts.items() if value})
            except TryLater as error:
                log.info("the memory is not readable yet", source=self._instance.name, why=error.detail)
                await asyncio.sleep(next(waits))

    async def _remind(self) -> None:
        """Keep what changed in the memory, as long as it takes."""
        waits = self._waits()
        waiting = list(self._memory.changed())
        while waiting:
            try:
                await self._keep_in.put(*waiting[0])
                waiting.pop(0)
            except TryLater as error:
                log.info("the memory is not kept yet", source=self._instance.name, why=error.detail)
                await asyncio.sleep(next(waits))
