"""The bus in memory, for fast tests. `tests/conformance/test_bus.py` holds it to the same promises as the real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from functools import partial

from firehose.bus.contract import Ack, Kept, Message, Span, Stored
from firehose.errors import TryLater
from firehose.plumbing.clock import Now, now


class MemoryBus:
    """`contract.Bus` without a disk. `away = True` makes it unreachable."""

    def __init__(self, clock: Now = now, first: int = 1) -> None:
        self.away = False
        self._clock = clock
        self._first = first
        self._stored: list[Stored] = []
        self._ids: dict[str, int] = {}
        self._tables: dict[tuple[str, str], bytes] = {}
        self._shelves: dict[int, tuple[str, Kept]] = {}
        self._number = 0
        self._news = asyncio.Condition()

    async def publish(self, messages: Sequence[Message]) -> list[Ack]:
        """See `contract.Bus.publish`."""
        self._check()
        acks = [self._take(message) for message in messages]
        async with self._news:
            self._news.notify_all()
        return acks

    def _take(self, message: Message) -> Ack:
        if message.id in self._ids:
            return Ack(self._ids[message.id], duplicate=True)
        sequence = self._first + len(self._stored)
        moment: datetime = self._clock()
        self._stored.append(Stored(sequence, moment, message.subject, message.payload))
        self._ids[message.id] = sequence
        return Ack(sequence)

    async def span(self) -> Span:
        """See `contract.Bus.span`."""
        self._check()
        return Span(self._first, self._first + len(self._stored) - 1)

    async def follow(self, after: int) -> AsyncIterator[list[Stored]]:
        """See `contract.Bus.follow`."""
        cursor = after
        while True:
            batch = self._after(cursor, 2_000)
            if batch:
                cursor = batch[-1].sequence
                yield batch
                continue
            # Looked at again under the lock: what came while this waited for the lock has notified already.
            async with self._news:
                await self._news.wait_for(partial(self._after, cursor, 1))

    async def fetch(self, after: int, limit: int) -> list[Stored]:
        """See `contract.Bus.fetch`."""
        self._check()
        return self._after(after, limit)

    def _after(self, after: int, limit: int) -> list[Stored]:
        start = max(0, after - self._first + 1)
        return self._stored[start : start + limit]

    async def put(self, bucket: str, key: str, value: bytes) -> None:
        """See `contract.Bus.put`."""
        self._check()
        self._tables[bucket, key] = value

    async def get(self, bucket: str, key: str) -> bytes | None:
        """See `contract.Bus.get`."""
        self._check()
        return self._tables.get((bucket, key)) or None

    async def shelve(self, shelf: str, payload: bytes) -> int:
        """See `contract.Bus.shelve`."""
        self._check()
        self._number += 1
        self._shelves[self._number] = (shelf, Kept(self._number, self._clock(), payload))
        return self._number

    async def shelf(self, shelf: str, *, before: int = 0, limit: int = 50) -> list[Kept]:
        """See `contract.Bus.shelf`."""
        self._check()
        found = [
            kept for name, kept in self._shelves.values() if name == shelf and (not before or kept.number < before)
        ]
        return sorted(found, key=lambda kept: -kept.number)[:limit]

    async def unshelve(self, shelf: str, number: int) -> bool:
        """See `contract.Bus.unshelve`."""
        self._check()
        if self._shelves.get(number, ("",))[0] != shelf:
            return False
        del self._shelves[number]
        return True

    def _check(self) -> None:
        if self.away:
            raise TryLater("the stream does not answer", after=2)
