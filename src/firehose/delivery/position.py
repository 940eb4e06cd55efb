"""Where a sink is, as it is kept in the bus: cursor, open items, books. One value, so that it is never half true.

In: the runner's state. Out: bytes, and back. Everything up to the cursor was looked at; what of it is not settled is
in `open`. A crash between two savings sends again what was sent after the first of them, with the same ids.
"""

from __future__ import annotations

from typing import Final

import msgspec

from firehose.bus.contract import Bus
from firehose.delivery.books import SinkHealth
from firehose.delivery.lanes import Item

TABLE: Final = "delivery"
NOTES: Final = "sink-notes"
ERROR: Final = 200


class Open(msgspec.Struct, frozen=True, array_like=True):
    """An item that is not settled; see `lanes.Item`."""

    sequence: int
    lane: str
    failures: int = 0
    due: float = 0.0
    error: str = ""
    since: float = 0.0
    number: int = 0
    together: int = 0


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """`disabled`: why the sink is switched off, "" when it is not."""

    cursor: int
    open: list[Open] = msgspec.field(default_factory=list)
    disabled: str = ""
    health: SinkHealth | None = None


class _Shown(msgspec.Struct):
    health: SinkHealth | None = None


def kept(item: Item) -> Open:
    """An item as it is kept."""
    return Open(
        item.sequence, item.lane, item.failures, item.due, item.error[:ERROR], item.since, item.number,
        item.together,
    )  # fmt: skip


def item(open_: Open) -> Item:
    """An item as it was kept."""
    return Item(
        open_.sequence, open_.lane, open_.failures, open_.due, open_.error, open_.since, open_.number,
        open_.together,
    )  # fmt: skip


async def load(bus: Bus, name: str) -> Position | None:
    """The position of a sink; None for one that never ran."""
    found = await bus.get(TABLE, name)
    return msgspec.json.decode(found, type=Position) if found else None


async def save(bus: Bus, name: str, position: Position) -> None:
    """Keep a position; it is on disk when this returns."""
    await bus.put(TABLE, name, msgspec.json.encode(position))


async def health(bus: Bus, name: str) -> SinkHealth | None:
    """The books of a sink, whatever process runs it; at most a second old while it runs."""
    found = await bus.get(TABLE, name)
    return msgspec.json.decode(found, type=_Shown).health if found else None


class Notes:
    """What a sink's transport keeps for itself, beside the sink's position."""

    def __init__(self, bus: Bus, name: str) -> None:
        self._bus = bus
        self._name = name

    async def get(self, key: str) -> bytes | None:
        """A value; None when there is none."""
        return await self._bus.get(NOTES, f"{self._name}.{key}")

    async def put(self, key: str, value: bytes) -> None:
        """Keep a value; it is on disk when this returns."""
        await self._bus.put(NOTES, f"{self._name}.{key}", value)
