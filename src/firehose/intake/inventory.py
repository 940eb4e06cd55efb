"""Lists of things as they are now, asked for again and again, and compared.

In: a source instance that asked for an `Inventory`, and the doors. Out: what came, changed and went, as deliveries. A
list that cannot be had this time says nothing about what is gone. A list has no transactions: the time of asking stands
for them, and what did not change since the last time is not looked at.
"""

from __future__ import annotations

import asyncio
import hashlib
from urllib.parse import urlsplit

import structlog

from firehose.errors import GiveUp, Refused, TryLater
from firehose.intake.instance import Instance
from firehose.intake.remembering import Keep, Remembering
from firehose.intake.session import Doors, obey
from firehose.intake.znodes import Listing
from firehose.plumbing.clock import Now, monotonic
from firehose.source import Inventory, Request, Seen

log = structlog.get_logger("inventory")


class InventoryReader(Remembering):
    """The lists of one source. `run()` never returns."""

    def __init__(self, instance: Instance, want: Inventory, doors: Doors, keep: Keep, now: Now) -> None:
        super().__init__(instance, doors, keep, now)
        self._want = want
        self._digests: dict[str, bytes] = {}

    async def run(self) -> None:
        """Round after round, without end."""
        self._state = await self._restore()
        self._memory = await self._remember()
        while True:
            began = monotonic()
            troubles = await self._round()
            told = "; ".join(troubles[:5])
            count = len(self._want.requests)
            connection = f"asks for {count} lists every {self._want.every:g} s"
            down = told if len(troubles) == count else ""
            self._doors.report(
                f"{connection}; {told}" if told and not down else connection, down, "compares with before"
            )
            await self._keep(now=True)
            obey()
            await asyncio.sleep(max(0.0, self._want.every - (monotonic() - began)))

    async def _round(self) -> list[str]:
        """Ask for all lists; what was in the way."""
        now = self._now()
        stamp = int(now.timestamp() * 1_000)
        lists: dict[str, dict[str, bytes]] = {}
        troubles: list[str] = []
        broken: set[str] = set()
        for request in self._want.requests:
            try:
                body = await self._doors.fetch(request)
                lists.setdefault(request.about, {}).update(self._want.things(request, body))
            except (TryLater, GiveUp, Refused) as error:
                broken.add(request.about)
                troubles.append(f"{_place(request)}: {error.detail}")
                log.info("a list cannot be had", source=self._instance.name, why=error.detail)
        found: list[Seen] = []
        for above, things in lists.items():
            if above not in broken:
                names = frozenset(path.rpartition("/")[2] for path in things)
                gone, _ = self._memory.listed(Listing(above, names, 0, stamp, 0), root=False)
                found += [Seen(path, None) for _, _, path in gone]
                for _, _, path in gone:
                    self._digests.pop(path, None)
            for path, record in things.items():
                mark = hashlib.blake2b(record, digest_size=8).digest()
                if self._digests.get(path) != mark:
                    self._digests[path] = mark
                    found.append(Seen(path, record, 0, stamp, 0, stamp))
        await self._tell(found, self._want, now)
        return troubles


def _place(request: Request) -> str:
    parts = urlsplit(request.url)
    return f"{parts.hostname}{parts.path}"
