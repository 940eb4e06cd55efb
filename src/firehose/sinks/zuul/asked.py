"""What Zuul was asked for already, by event id, kept beyond a crash: an event acts once, however often it comes.

In: ids before and after a request. Out: whether one is new, done, or in doubt (asked, and no answer came). It holds
the newest ids only: more than can be on their way between two savings of a sink's position.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from firehose.sink import Notes

MOST: Final = 2_000
_KEY: Final = "asked"


class Asked:
    """The memory of one sink. For each id the moment (epoch seconds) of a request in doubt, 0 when it was taken."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._ids: dict[str, int] | None = None
        self._one = asyncio.Lock()

    async def find(self, id_: str) -> int | None:
        """None: never asked; 0: taken; else when it was asked without an answer."""
        async with self._one:
            return (await self._known()).get(id_)

    async def note(self, id_: str, moment: int | None) -> None:
        """Remember, on disk when this returns; None forgets: it was refused, so it was not done."""
        async with self._one:
            ids = {key: value for key, value in (await self._known()).items() if key != id_}
            if moment is not None:
                ids[id_] = moment
            kept = dict(list(ids.items())[-MOST:])
            await self._notes.put(_KEY, msgspec.json.encode(kept))
            self._ids = kept

    async def _known(self) -> dict[str, int]:
        if self._ids is None:
            found = await self._notes.get(_KEY)
            self._ids = msgspec.json.decode(found, type=dict[str, int]) if found else {}
        return self._ids
