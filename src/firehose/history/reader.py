"""The history for an event loop: every question runs in a small pool of threads.

In: a store, whose calls block. Out: the same questions to await. The pool is the bound: no more than `threads`
searches run at a time, the others wait in line.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

import structlog

from firehose.errors import TryLater
from firehose.event import Recorded
from firehose.history.store import Counts, Page, Span, Store
from firehose.plumbing import metrics
from firehose.query.tree import Node

log = structlog.get_logger(__name__)
LOOK_SECONDS: Final = 0.25
"""How often the store is asked for its head where nobody tells it."""
_T = TypeVar("_T")


class Reader:
    """See `store.Store` for what each question means. `wait(sequence)` is until the history holds it."""

    def __init__(self, store: Store, threads: int = 4) -> None:
        self.store = store
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="history")
        self._head = 0
        self._news: asyncio.Future[None] | None = None

    async def span(self) -> Span:
        """What is held now."""
        return await self._ask(self.store.span)

    async def known(self, identities: Sequence[str]) -> Mapping[str, int]:
        """Which identities are recorded, with their sequences."""
        return await self._ask(partial(self.store.known, identities))

    async def by_sequence(self, sequence: int) -> Recorded | None:
        """One event by its cursor."""
        return await self._ask(partial(self.store.by_sequence, sequence))

    async def by_id(self, id_: str) -> list[Recorded]:
        """Events with this `id`, of whatever source."""
        return await self._ask(partial(self.store.by_id, id_))

    async def find(
        self, query: Node, *, after: int = 0, before: int = 0, descending: bool = True, limit: int = 100
    ) -> Page:
        """The next page of events that match."""
        return await self._ask(
            partial(self.store.find, query, after=after, before=before, descending=descending, limit=limit)
        )

    async def counts(
        self,
        query: Node,
        *,
        by: str = "",
        per: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 1_000,
    ) -> Counts:
        """Numbers of matching events by group and bucket of time."""
        return await self._ask(partial(self.store.counts, query, by=by, per=per, since=since, until=until, limit=limit))

    async def happenings(
        self, query: Node, *, by: str = "", per: str = "", since: datetime, until: datetime, limit: int = 1_000
    ) -> Counts:
        """The same by the time that events happened."""
        asked = partial(self.store.happenings, query, by=by, per=per)
        return await self._ask(partial(asked, since=since, until=until, limit=limit))

    async def graph(self, subject: str, *, limit: int = 500) -> list[Recorded]:
        """Events about a subject and what is tied to it, oldest first."""
        return await self._ask(partial(self.store.graph, subject, limit=limit))

    async def at_time(self, moment: datetime) -> int:
        """The last sequence that was recorded before a moment; 0 when there is none."""
        return await self._ask(partial(self.store.at_time, moment))

    async def replay(self, after: int, *, upto: int = 0, chunk: int = 2_000) -> AsyncIterator[list[Recorded]]:
        """Everything after a sequence in order, in chunks; the next chunk is read while this one is used."""
        chunks = self.store.replay(after, upto=upto, chunk=chunk)
        coming = self._submit(lambda: next(chunks, None))
        try:
            while (events := await coming) is not None:
                coming = self._submit(lambda: next(chunks, None))
                yield events
        finally:
            # A generator cannot be closed while another thread is in it.
            coming.add_done_callback(lambda _: None)
            coming.cancel()

    @property
    def head(self) -> int:
        """The last sequence that is known to be recorded."""
        return self._head

    def recorded(self, head: int) -> None:
        """The recorder committed everything up to here: wake who waits."""
        self._head = max(self._head, head)
        news, self._news = self._news, None
        if news is not None and not news.done():
            news.set_result(None)

    async def wait(self, sequence: int, seconds: float) -> bool:
        """Until the history holds a sequence; False when `seconds` passed first. Somebody must tell `recorded`: the
        recorder, or `look` where it runs elsewhere."""
        deadline = asyncio.get_running_loop().time() + seconds
        if self._head < sequence:
            last = (await self.span()).last
            # Compared after the answer: what was recorded meanwhile must not be taken back.
            self._head = max(self._head, last)
        while self._head < sequence:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return False
            if self._news is None:
                self._news = asyncio.get_running_loop().create_future()
            try:
                await asyncio.wait_for(asyncio.shield(self._news), left)
            except TimeoutError:
                return False
        return True

    async def look(self) -> None:
        """Where the recorder is on another machine: see for ourselves how far it is. Never returns."""
        while True:
            try:
                head = (await self.span()).last
                if head != self._head:
                    self.recorded(head)
                    metrics.recorded_head.set(head)
            except TryLater as problem:
                log.debug("the history does not say how far it is", cause=problem.detail)
            await asyncio.sleep(LOOK_SECONDS)

    def close(self) -> None:
        """Wait for the questions that run, then let go of the store."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self.store.close()

    async def _ask(self, question: Callable[[], _T]) -> _T:
        return await self._submit(question)

    def _submit(self, question: Callable[[], _T]) -> asyncio.Future[_T]:
        return asyncio.get_running_loop().run_in_executor(self._pool, question)
