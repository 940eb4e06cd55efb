"""The seam of the bus: what the hub may ask of its stream. `nats.py` is the real one, `memory.py` its twin for tests.

Two streams carry events: the public one and one per audience. A message has a `subject` (NATS form of the canonical
topic), a deduplication `id` and a `payload` (an event's frame). The stream's sequence is the cursor of everything
that follows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

import msgspec


class Message(msgspec.Struct, frozen=True):
    """Something to store: NATS subject, deduplication id, bytes."""

    subject: str
    id: str
    payload: bytes


class Ack(msgspec.Struct, frozen=True):
    """The stream has it, on disk. A duplicate has the first one's sequence (0 when the stream no longer knows it)."""

    sequence: int
    duplicate: bool = False


class Stored(msgspec.Struct, frozen=True):
    """A message as the stream keeps it."""

    sequence: int
    time: datetime
    subject: str
    payload: bytes


class Span(msgspec.Struct, frozen=True):
    """What the stream holds: first and last sequence. Empty: `first == last + 1`."""

    first: int
    last: int


class Kept(msgspec.Struct, frozen=True):
    """An entry of a shelf (a small durable list, such as the quarantine): number, when, bytes."""

    number: int
    time: datetime
    payload: bytes


class Bus(Protocol):
    """The stream of public events, small durable state beside it, and deliveries that came in by NATS."""

    async def publish(self, messages: Sequence[Message]) -> list[Ack]:
        """Store all, in order, each at most once by id; one `Ack` each. `TryLater` when the stream cannot be reached:
        then none, some or all may be stored, and asking again with the same ids is safe."""
        ...

    async def span(self) -> Span:
        """What the stream holds now."""
        ...

    def follow(self, after: int) -> AsyncIterator[list[Stored]]:
        """Everything after a sequence, in order, without end, as small lists. Survives reconnects. Starts at the
        stream's first message when `after` is older."""
        ...

    async def fetch(self, after: int, limit: int) -> list[Stored]:
        """Up to `limit` stored messages after a sequence, right now."""
        ...

    async def put(self, bucket: str, key: str, value: bytes) -> None:
        """Write one key of a small durable table (cursors, health)."""
        ...

    async def get(self, bucket: str, key: str) -> bytes | None:
        """Read one key; None when it was never written or was deleted."""
        ...

    async def shelve(self, shelf: str, payload: bytes) -> int:
        """Append to a small durable list; its number, once it is on disk."""
        ...

    async def shelf(self, shelf: str, *, before: int = 0, limit: int = 50) -> list[Kept]:
        """The newest entries, newest first; with `before`, those with a smaller number."""
        ...

    async def unshelve(self, shelf: str, number: int) -> bool:
        """Remove an entry for good; False when it is not there."""
        ...
