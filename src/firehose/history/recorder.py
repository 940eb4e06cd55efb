"""The recorder: from the stream into the history, in order, each event once.

In: a bus and a store. Out: committed events, and word of how far they reach. Its cursor *is* the store's head,
written in the same transaction as the events, which is more than "acknowledge after commit": there is no moment at
which the two can disagree. A store that refuses (full disk) is asked again until it works; nothing is skipped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import structlog

from firehose.bus.contract import Bus
from firehose.bus.live import recorded
from firehose.errors import TryLater
from firehose.event import Recorded
from firehose.history.store import Store
from firehose.plumbing import metrics
from firehose.plumbing.backoff import delays
from firehose.plumbing.crashpoint import reach

_T = TypeVar("_T")
log = structlog.get_logger(__name__)
BATCH: Final = 4_000
"""Events in one transaction at most. Under load larger batches, when it is quiet one event at a time."""


class Recorder:
    """Records until it is cancelled. `told` hears the head after every commit."""

    def __init__(self, bus: Bus, store: Store, told: Callable[[int], None] = lambda head: None) -> None:
        self._bus = bus
        self._store = store
        self._told = told
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="recorder")
        self._waiting: list[Recorded] = []
        self._room = asyncio.Event()
        self._some = asyncio.Event()
        self.head = 0

    async def run(self) -> None:
        """Follow the stream from the store's head, without end."""
        self.head = (await self._in_thread(self._store.span)).last
        self._tell()
        await self._look_for_gap()
        self._room.set()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow(), name="recorder.follow")
                group.create_task(self._write(), name="recorder.write")
        finally:
            self._writer.shutdown(wait=True)

    async def _follow(self) -> None:
        async for batch in self._bus.follow(self.head):
            await self._room.wait()
            self._waiting.extend(map(recorded, batch))
            self._some.set()
            if len(self._waiting) >= 2 * BATCH:
                self._room.clear()

    async def _write(self) -> None:
        while True:
            await self._some.wait()
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            if not self._waiting:
                self._some.clear()
            if len(self._waiting) < 2 * BATCH:
                self._room.set()
            await self._commit(batch)

    async def _commit(self, batch: list[Recorded]) -> None:
        """Until it is on disk."""
        for delay in delays(0.2, 10):
            try:
                await self._in_thread(lambda: self._append(batch))
            except TryLater as problem:
                log.warning("the history cannot be written, trying again", cause=problem.detail, after=round(delay, 1))
                await asyncio.sleep(delay)
                continue
            break
        self.head = max(self.head, batch[-1].sequence)
        self._tell()

    def _append(self, batch: list[Recorded]) -> None:
        reach("recorder.before-commit")
        self._store.append(batch)
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

    async def _in_thread(self, job: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, job)
