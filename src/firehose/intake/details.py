"""Details: the bulk that belongs to an event and is stored, not streamed.

In: an event's identity and bytes. Out: the bytes again. One compressed file each, written whole and on disk before the
event is published, so that whoever reads the event finds its detail. It knows nothing of what is in it.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import zstandard

from firehose.errors import TryLater

MOST: int = 64 * 2**20
"""Bytes of one detail, unpacked."""


class Details:
    """A folder of details."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, identity: str, detail: bytes) -> None:
        """Keep it; `TryLater` when the disk does not take it. The same identity again is the same detail."""
        try:
            await asyncio.to_thread(self._write, identity, detail)
        except OSError as error:
            raise TryLater(f"a detail cannot be written: {error.strerror}", after=30) from None

    async def get(self, identity: str) -> bytes | None:
        """The detail of an event, None when there is none (or no longer)."""
        return await asyncio.to_thread(self._read, identity)

    def _file(self, identity: str) -> Path:
        return self._folder / identity[:2] / f"{identity}.zst"

    def _write(self, identity: str, detail: bytes) -> None:
        file = self._file(identity)
        if file.exists():
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}.part")
        with part.open("wb") as out:
            out.write(zstandard.compress(detail))
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)

    def _read(self, identity: str) -> bytes | None:
        try:
            packed = self._file(identity).read_bytes()
        except FileNotFoundError:
            return None
        return zstandard.decompress(packed, max_output_size=MOST)
