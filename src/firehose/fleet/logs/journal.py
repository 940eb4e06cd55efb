"""The journal's export format, as `systemd-journal-upload` streams it. Pure.

In: pieces of a stream, cut anywhere. Out: entries, as lines. An entry is fields, one a line, ended by an empty line; a
field whose value holds a line feed is its name, a line feed, the length (64 bits, little endian), the bytes.
https://systemd.io/JOURNAL_EXPORT_FORMATS/
"""

from __future__ import annotations

import re
from typing import Final

from firehose.errors import Refused
from firehose.fleet.logs.line import TEXT_LIMIT, Line, severity

MEDIA: Final = "application/vnd.fdo.journal"
FIELD_LIMIT: Final = 4 * 2**20
"""Largest field, in bytes; the journal's own default is 768 KiB."""
FIELDS_LIMIT: Final = 1_024
_NAME: Final = re.compile(rb"[A-Za-z0-9_.]{1,64}")
_WANTED: Final = frozenset(
    (b"MESSAGE", b"PRIORITY", b"__REALTIME_TIMESTAMP", b"_HOSTNAME", b"SYSLOG_IDENTIFIER", b"_SYSTEMD_UNIT", b"_COMM")
)


class Entries:
    """Takes an export stream apart. `feed` gives what is complete; `end` what was cut off. `problem` is set when it is
    not the format: nothing more can be read then, what came before counts."""

    def __init__(self) -> None:
        self.problem: Refused | None = None
        self._buffer = b""
        self._fields: dict[bytes, bytes] = {}
        self._count = 0

    def feed(self, data: bytes) -> list[Line]:
        """The entries that end in this piece."""
        buffer = self._buffer + data if self._buffer else data
        found: list[Line] = []
        at = 0
        while (end := buffer.find(b"\n", at)) >= 0:
            if end == at:
                if self._count:
                    found.append(_line(self._fields))
                self._fields, self._count = {}, 0
                at += 1
                continue
            name, equals, value = buffer[at:end].partition(b"=")
            if not _NAME.fullmatch(name) or self._count > FIELDS_LIMIT:
                self._bad("a field has no name that a journal could have, or there are too many")
                break
            after = end + 1
            if not equals:
                if len(buffer) < after + 8:
                    break
                size = int.from_bytes(buffer[after : after + 8], "little")
                if size > FIELD_LIMIT:
                    self._bad(f"a field is larger than {FIELD_LIMIT} bytes")
                    break
                if len(buffer) < after + 8 + size + 1:
                    break
                value = buffer[after + 8 : after + 8 + size]
                after += 8 + size + 1
            self._count += 1
            if name in _WANTED:
                self._fields[name] = value
            at = after
        self._buffer = buffer[at:]
        if len(self._buffer) > FIELD_LIMIT + 1_024:
            self._bad(f"a field is larger than {FIELD_LIMIT} bytes")
        return found

    def _bad(self, detail: str) -> None:
        self.problem = Refused(f"this is no journal in the export format: {detail}", slug="bad-journal")

    def end(self) -> list[Line]:
        """A last entry that no empty line ends; an incomplete field of it is lost to nobody: it counts as broken."""
        if not self._count and not self._buffer:
            return []
        line = _line(self._fields)
        whole = not self._buffer
        self._fields, self._count, self._buffer = {}, 0, b""
        return [line if whole else Line(text=line.text, size=line.size, severity=line.severity, whole=False)]


def _line(fields: dict[bytes, bytes]) -> Line:
    message = fields.get(b"MESSAGE", b"")
    stamp = fields.get(b"__REALTIME_TIMESTAMP", b"")
    unit = fields.get(b"SYSLOG_IDENTIFIER") or fields.get(b"_SYSTEMD_UNIT") or fields.get(b"_COMM", b"")
    return Line(
        text=message.decode("utf-8", "replace")[:TEXT_LIMIT],
        size=len(message),
        severity=severity(fields.get(b"PRIORITY", b"6").decode("ascii", "replace")),
        time=int(stamp) / 1e6 if stamp.isdigit() and len(stamp) < 20 else 0.0,
        host=fields.get(b"_HOSTNAME", b"").decode("utf-8", "replace")[:200],
        unit=unit.decode("utf-8", "replace")[:200],
    )
