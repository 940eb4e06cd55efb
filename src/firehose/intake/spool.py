"""The spool: deliveries of senders that cannot ask again wait on disk while the stream is away.

In: deliveries (a Gerrit's SSH line, an MQTT message at QoS 0). Out: the same, in the same order, into the gate as soon
as the stream is back. A delivery that was spooled is on disk (fsync) before `accept` returns. The file is bounded; when
it is full the sender is told to slow down, which for a line means that the connection stops reading.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import IO, Any

import msgspec
import structlog

from firehose.errors import Refused, SlowDown, TryLater
from firehose.plumbing import metrics
from firehose.plumbing.backoff import delays
from firehose.source import Delivery

log = structlog.get_logger("spool")
LIMIT = 256 * 2**20
"""Bytes per source."""


class Spool:
    """A source's deliveries that wait. `run()` drains them, `accept()` is used in place of the gate's."""

    def __init__(self, file: Path, deliver: Callable[[Delivery], Awaitable[Any]], *, limit: int = LIMIT) -> None:
        self._file = file
        self._deliver = deliver
        self._limit = limit
        self._lock = asyncio.Lock()
        self._filled = asyncio.Event()
        file.parent.mkdir(parents=True, exist_ok=True)
        self._handle: IO[bytes] = file.open("a+b")
        self._name = file.stem
        if self._size:
            self._filled.set()

    @property
    def _size(self) -> int:
        return os.fstat(self._handle.fileno()).st_size

    async def accept(self, delivery: Delivery) -> None:
        """Hand on, or keep until that is possible; what the gate refuses is in quarantine and done with."""
        if not self._filled.is_set():
            try:
                await self._deliver(delivery)
                return
            except Refused as problem:
                log.info("refused", source=delivery.source, detail=problem.detail)
                return
            except TryLater as error:
                log.warning("the stream is away, deliveries wait on disk", source=delivery.source, error=error.detail)
        await self._keep(delivery)

    async def _keep(self, delivery: Delivery) -> None:
        async with self._lock:
            if self._size >= self._limit:
                raise SlowDown(f"the spool of {self._name} is full ({self._limit:,} bytes)", after=5)
            line = msgspec.json.encode(delivery) + b"\n"
            await asyncio.get_running_loop().run_in_executor(None, self._write, line)
            metrics.spooled.labels(self._name).inc()
            self._filled.set()

    def _write(self, line: bytes) -> None:
        before = self._size
        try:
            self._handle.seek(0, os.SEEK_END)
            self._handle.write(line)
            self._handle.flush()
            os.fsync(self._handle.fileno())
        except OSError as error:
            self._undo(before)
            raise SlowDown(f"the spool of {self._name} cannot be written: {error.strerror}", after=5) from None

    def _undo(self, size: int) -> None:
        """Take back a line that is on disk in part, and forget what the handle still holds of it."""
        with contextlib.suppress(OSError):
            self._handle.close()
        os.truncate(self._file, size)
        self._handle = self._file.open("a+b")

    async def run(self) -> None:
        """Drain whatever waits, in order, without end."""
        while True:
            await self._filled.wait()
            await self._drain()

    async def _drain(self) -> None:
        done = 0
        waits = delays(first=0.5, most=10.0)
        while True:
            async with self._lock:
                self._handle.seek(done)
                line = self._handle.readline()
                if not line.endswith(b"\n"):
                    # Everything was handed on (or the last write was cut by a crash: its sender was not answered).
                    self._handle.truncate(0)
                    self._filled.clear()
                    metrics.spooled.labels(self._name).set(0)
                    return
            delivery = msgspec.json.decode(line, type=Delivery)
            try:
                await self._deliver(delivery)
            except Refused as problem:
                log.info("refused", source=delivery.source, detail=problem.detail)
            except TryLater:
                await asyncio.sleep(next(waits))
                continue
            done += len(line)

    def close(self) -> None:
        """Let go of the file; what waits stays on disk for the next start."""
        self._handle.close()
