"""The recorder: from the stream into the history, in order, each event once.

In: a bus and a store. Out: committed events, and word of how far they reach. Its cursor *is* the store's head,
written in the same transaction as the events, which is more than "acknowledge after commit": there is no moment at
which the two can disagree. A store that refuses (full disk) is asked again until it works; nothing is skipped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

import structlog

from firehose.bus.contract import Bus, Stored
from firehose.bus.live import recorded
from firehose.errors import TryLater
from firehose.history.row import Row
from firehose.history.store import Store
from firehose.plumbing import metrics
from firehose.plumbing.backoff import delays
from firehose.plumbing.crashpoint import reach

log = structlog.get_logger(__name__)
_T = TypeVar("_T")
_Prepared = tuple[Sequence[Row], int]
BATCH: Final = 4_000
"""Events in one transaction at most. Under load larger batches, when it is quiet one event at a time."""


class Recorder:
    """Records until it is cancelled. `told` hears the head after every commit. `refusals`: how often the store could
    not be written."""

    def __init__(self, bus: Bus, store: Store, told: Callable[[int], None] = lambda head: None) -> None:
        self._bus = bus
        self._store = store
        self._told = told
        # Two threads: the next batch is prepared while the database writes the last one.
        self._preparer = ThreadPoolExecutor(1, thread_name_prefix="recorder-prepare")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="recorder-write")
        self._waiting: list[Stored] = []
        self._room = asyncio.Event()
        self._some = asyncio.Event()
        self.head = 0
        self.refusals = 0

    async def run(self) -> None:
        """Follow the stream from the store's head, without end."""
        try:
            await self._run()
        finally:
            # A thread that still asks the store when it is closed brings the whole process down.
            self._preparer.shutdown(wait=True)
            self._writer.shutdown(wait=True)

    async def _run(self) -> None:
        self.head = (await self._in(self._writer, self._store.span)).last
        self._tell()
        await self._look_for_gap()
        self._room.set()
        prepared: asyncio.Queue[_Prepared] = asyncio.Queue(1)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name="recorder.follow")
            group.create_task(self._prepare(prepared), name="recorder.prepare")
            group.create_task(self._write(prepared), name="recorder.write")

    async def _follow(self) -> None:
        async for batch in self._bus.follow(self.head):
            await self._room.wait()
            self._waiting.extend(batch)
            self._some.set()
            if len(self._waiting) >= 2 * BATCH:
                self._room.clear()

    async def _prepare(self, prepared: asyncio.Queue[_Prepared]) -> None:
        while True:
            await self._some.wait()
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            if not self._waiting:
                self._some.clear()
            if len(self._waiting) < 2 * BATCH:
                self._room.set()
            made = await self._in(self._preparer, partial(self._made, batch))
            await prepared.put((made, batch[-1].sequence))

    def _made(self, batch: Sequence[Stored]) -> Sequence[Row]:
        return self._store.prepare(list(map(recorded, batch)))

    async def _write(self, prepared: asyncio.Queue[_Prepared]) -> None:
        while True:
            await self._commit(*await prepared.get())

    async def _commit(self, batch: Sequence[Row], upto: int) -> None:
        """Until it is on disk. `upto`: the last sequence looked at, also when it was no event."""
        for delay in delays(0.2, 10):
            try:
                await self._in(self._writer, lambda: self._transact(batch))
            except TryLater as problem:
                self.refusals += 1
                log.warning("the history cannot be written, trying again", cause=problem.detail, after=round(delay, 1))
                await asyncio.sleep(delay)
                continue
            break
        self.head = max(self.head, upto)
        self._tell()

    def _transact(self, batch: Sequence[Row]) -> None:
        reach("recorder.before-commit")
        self._store.write(batch)
        reach("recorder.after-commit")

    def _tell(self) -> None:
        metrics.recorded_head.set(self.head)
        self._told(self.head)

    async def _look_for_gap(self) -> None:
        """What the stream dropped before it was recorded cannot be had any more: never silent."""
        span = await self._bus.span()
        if self.head and span.first > self.head + 1:
            log.error(
                "the stream no longer holds what follows the history's head; events between are not recorded",
                head=self.head, stream_first=span.first,
            )  # fmt: skip

    @staticmethod
    async def _in(threads: ThreadPoolExecutor, job: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(threads, job)
