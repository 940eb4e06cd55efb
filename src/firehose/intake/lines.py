"""Bytes of a connection become whole lines of bounded length: pure, so that every cut can be tried.

In: chunks as they come. Out: lines without their end, and `Oversize` for a line that is longer than a delivery may be
(its bytes are let go while it comes). What has no end yet stays inside; it is lost with the connection, and the gap's
recovery brings it again.
"""

from __future__ import annotations

from typing import Final

import msgspec

from firehose.source import MAX_BODY

SHOWN: Final = 200


class Oversize(msgspec.Struct, frozen=True):
    """A line over the limit: its length in bytes and how it began."""

    size: int
    head: bytes


class Lines:
    """The splitter of one connection."""

    def __init__(self, limit: int = MAX_BODY) -> None:
        self._limit = limit
        self._held = bytearray()
        self._skipped = 0
        self._head = b""

    def feed(self, chunk: bytes) -> list[bytes | Oversize]:
        """The lines that are complete with this chunk. Blank lines are left out."""
        found: list[bytes | Oversize] = []
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            self._add(part)
            line = self._end()
            if line:
                found.append(line)
        self._add(rest)
        return found

    def _add(self, part: bytes) -> None:
        if not self._skipped and len(self._held) + len(part) > self._limit:
            self._head = bytes(self._held[:SHOWN] or part[:SHOWN])
            self._skipped = len(self._held)
            self._held.clear()
            self._skipped += len(part)
        elif self._skipped:
            self._skipped += len(part)
        else:
            self._held += part

    def _end(self) -> bytes | Oversize:
        if self._skipped:
            line: bytes | Oversize = Oversize(self._skipped, self._head)
            self._skipped, self._head = 0, b""
            return line
        whole = bytes(self._held).strip()
        self._held.clear()
        return whole
