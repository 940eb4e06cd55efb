"""The ledger over a restart: its counts are written to the bus now and then, once more at the end, and read at start.

In: the ledger of this process and the keys of the books. Out: the same ledger, which goes on where the last process
ended, and knows when a source last spoke to another process of this hub.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from firehose.bus.contract import Bus
from firehose.errors import TryLater
from firehose.intake.ledger import Ledger

log = structlog.get_logger("hub")
BUCKET: Final = "ledger"
WRITE_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 3.0
"""The end of the hub does not wait longer for a bus that is away."""


class Books:
    """`take_up()` first, then `run()`, which never returns, and `close()` when nothing is booked any more. key: where
    this process writes; others: where the others of the hub do."""

    def __init__(self, bus: Bus, ledger: Ledger, key: str, others: Sequence[str]) -> None:
        self._bus = bus
        self._ledger = ledger
        self._key = key
        self._others = others
        self._last = b""

    async def take_up(self) -> None:
        """Go on with the counts of the last process; `TryLater` when the bus does not answer."""
        kept = await self._bus.get(BUCKET, self._key)
        if kept:
            self._ledger.restore(kept)

    async def run(self) -> None:
        """Write what changed every few seconds, and hear of the others."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            for step in (self._hear, self.write):
                try:
                    await step()
                except TryLater as error:
                    log.debug("the books wait", error=error.detail)
                except Exception as error:
                    log.warning("trouble while keeping the books", error=repr(error))

    async def write(self) -> None:
        """Write the counts as they stand, unless they are there already."""
        books = self._ledger.dump()
        if books != self._last:
            await self._bus.put(BUCKET, self._key, books)
            self._last = books

    async def close(self) -> None:
        """Write what came since the last time: a clean restart loses no count."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.write()
        except (TryLater, TimeoutError) as error:
            log.warning("the last counts of the sources could not be written", error=repr(error))

    async def _hear(self) -> None:
        for other in self._others:
            self._ledger.overhear(await self._bus.get(BUCKET, other) or b"{}")
