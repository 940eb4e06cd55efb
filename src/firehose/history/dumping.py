"""The loop that makes dumps: every hour, as soon as the history is known to hold all of it.

In: dumps, the history and the stream. Out: files. An hour is complete when everything that the stream held a moment
after its end is recorded; a recorder that lags behind delays dumps, and never makes them lack anything.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from firehose.bus.contract import Bus
from firehose.errors import TryLater
from firehose.history.dumps import Dumps
from firehose.history.reader import Reader
from firehose.plumbing.clock import Now

log = structlog.get_logger(__name__)
EVERY_SECONDS: Final = 60
MARGIN: Final = timedelta(seconds=30)
"""How far the clocks of hub and engine may differ."""


async def dump_hourly(dumps: Dumps, reader: Reader, bus: Bus, now: Now, keep: timedelta | None = None) -> None:
    """Without end. `keep`: how old a dump may become (None: without end); its hour stays in the index as removed."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="dumps")
    try:
        while True:
            try:
                await _once(dumps, reader, bus, now, thread)
                if keep is not None:
                    await asyncio.get_running_loop().run_in_executor(thread, discard, dumps, now() - keep)
            except (TryLater, OSError) as problem:
                log.warning("dumps wait", cause=str(problem))
            await asyncio.sleep(EVERY_SECONDS)
    finally:
        thread.shutdown(wait=False, cancel_futures=True)


async def _once(dumps: Dumps, reader: Reader, bus: Bus, now: Now, thread: ThreadPoolExecutor) -> None:
    until = now() - MARGIN
    if await reader.wait((await bus.span()).last, EVERY_SECONDS):
        job = partial(dumps.make, reader.store, until)
        for entry in await asyncio.get_running_loop().run_in_executor(thread, job):
            log.info("dumped an hour", name=entry.name, events=entry.count, bytes=entry.bytes)


def discard(dumps: Dumps, before: datetime) -> None:
    """Remove dumps that are too old; the index says why."""
    gone = dumps.remove(before, "older than history.keep_dumps")
    if gone:
        log.info("removed dumps that need not be kept any more", first=gone[0], last=gone[-1], dumps=len(gone))
