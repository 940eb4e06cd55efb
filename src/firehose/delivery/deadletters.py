"""Dead letters: messages that a sink did not take, kept whole, to be looked at and sent again.

In: items that were given up. Out: entries of a shelf of the bus. Sending again and switching on go through a second
shelf, the orders, so that a command reaches the process that runs the sink, wherever that is, and survives a crash.
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Final, Literal

import msgspec

from firehose.bus.contract import Bus, Kept
from firehose.errors import Refused
from firehose.event import Recorded

SHELF: Final = "deadletters"
ORDERS: Final = "sink-orders"


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was given up. `sequence` and `body` are its event, `recorded` when that was stored; `lane` where
    it was to go, `error` the last failure, `failures` how many tries failed, `since` when it was first due."""

    sink: str
    sequence: int
    lane: str
    failures: int
    error: str
    since: datetime
    recorded: datetime | None = None
    body: str = ""

    @property
    def event(self) -> Recorded | None:
        """The event, None when the history had forgotten it."""
        if not self.body or self.recorded is None:
            return None
        return Recorded.from_body(self.sequence, self.recorded, base64.b64decode(self.body))


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants a sink to do: send a dead letter again, switch on after it was disabled, not wait."""

    sink: str
    action: Literal["replay", "enable", "hurry"]
    letter: DeadLetter | None = None
    number: int = 0


def letter(sink: str, event: Recorded | None, **about: object) -> DeadLetter:
    """The letter about an event."""
    given = {"sink": sink, **about}
    if event is not None:
        given |= {"recorded": event.recorded, "body": base64.b64encode(event.body).decode()}
    return msgspec.convert(given, DeadLetter)


async def bury(bus: Bus, dead: DeadLetter) -> int:
    """Keep a letter; its number, once it is on disk."""
    return await bus.shelve(SHELF, msgspec.json.encode(dead))


async def letters(bus: Bus, *, before: int = 0, limit: int = 50) -> list[tuple[Kept, DeadLetter]]:
    """The newest letters, newest first."""
    return [(kept, read(kept)) for kept in await bus.shelf(SHELF, before=before, limit=limit)]


async def find(bus: Bus, number: int) -> tuple[Kept, DeadLetter]:
    """One letter; `Refused` (404) when there is none."""
    for kept in await bus.shelf(SHELF, before=number + 1, limit=1):
        if kept.number == number:
            return kept, read(kept)
    raise Refused(f"there is no dead letter {number}", slug="not-found", status=404)


async def replay(bus: Bus, number: int) -> DeadLetter:
    """Order that a letter is sent again. It leaves the dead letters; should it fail again, it comes back."""
    _, dead = await find(bus, number)
    await order(bus, Order(sink=dead.sink, action="replay", letter=dead, number=number))
    await bus.unshelve(SHELF, number)
    return dead


async def discard(bus: Bus, number: int) -> bool:
    """Remove a letter for good; False when it is not there."""
    return await bus.unshelve(SHELF, number)


async def order(bus: Bus, given: Order) -> int:
    """Give an order; it is on disk when this returns."""
    return await bus.shelve(ORDERS, msgspec.json.encode(given))


async def orders(bus: Bus, limit: int = 100) -> list[tuple[int, Order]]:
    """Orders that nobody carried out yet, oldest first."""
    found = await bus.shelf(ORDERS, limit=limit)
    return [(kept.number, msgspec.json.decode(kept.payload, type=Order)) for kept in reversed(found)]


def read(kept: Kept) -> DeadLetter:
    """A letter as it was kept."""
    return msgspec.json.decode(kept.payload, type=DeadLetter)
