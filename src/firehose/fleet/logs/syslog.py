"""Syslog over a byte stream: where a message ends (RFC 6587, RFC 5425) and what it says (RFC 5424). Pure.

In: pieces of a connection, cut anywhere. Out: lines. Octet counting (`52 <34>1 …`) and line ends are told apart at each
message's first byte, as RFC 6587 says receivers do. The older form that `logger` and routers still write (RFC 3164) is
read as far as it goes. What is neither is a line all the same, marked broken.
"""

from __future__ import annotations

import re
from typing import Final

from firehose.errors import Refused
from firehose.fleet.logs.line import SYSLOG, TEXT_LIMIT, Line
from firehose.fleet.logs.shapes import moment

FRAME_LIMIT: Final = 1_048_576
"""Largest message, in bytes."""
_DIGITS: Final = 7
_NEW: Final = re.compile(rb"<(\d{1,3})>[1-9]\d? (\S+) (\S+) (\S+) \S+ \S+ ")
_OLD: Final = re.compile(
    rb"<(\d{1,3})>(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d (\S+) )?(?:([^\s:\[\]]{1,48})(?:\[[^\]]{0,64}\])?: )?"
)
_ELEMENT: Final = re.compile(rb'\[[^ =\]"]{1,64}(?: [^ =\]"]{1,64}="(?:[^"\\]|\\.)*")*\]')
_BOM: Final = b"\xef\xbb\xbf"


class Frames:
    """Takes a connection apart into messages. `problem` is set when lengths cannot be right: then the connection has
    lost its place and must be closed; what came before counts."""

    def __init__(self) -> None:
        self._buffer = b""
        self.problem: Refused | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that end in this piece."""
        buffer = self._buffer + data if self._buffer else data
        found: list[bytes] = []
        at = 0
        while at < len(buffer):
            first = buffer[at]
            if 0x31 <= first <= 0x39:  # a digit: octet counting
                try:
                    end = self._counted(buffer, at)
                except Refused as problem:
                    self.problem, end = problem, None
                if end is None:
                    break
                start, at = end
                found.append(buffer[start:at])
            elif first in b"\n\r\0 ":
                at += 1
            else:
                end_of_line = _line_end(buffer, at)
                if end_of_line < 0:
                    break
                found.append(buffer[at:end_of_line])
                at = end_of_line + 1
        self._buffer = buffer[at:]
        if len(self._buffer) > FRAME_LIMIT + _DIGITS + 1:
            self.problem = Refused(f"a message is larger than {FRAME_LIMIT} bytes", slug="too-large", status=413)
        return found

    def end(self) -> bytes:
        """What came after the last whole message."""
        rest, self._buffer = self._buffer, b""
        return rest

    def _counted(self, buffer: bytes, at: int) -> tuple[int, int] | None:
        """Where a counted message begins and ends; None: not all of it is here."""
        space = buffer.find(b" ", at, at + _DIGITS + 1)
        if space < 0:
            if len(buffer) - at > _DIGITS:
                raise Refused("a length is not followed by a space", slug="bad-frame")
            return None
        digits = buffer[at:space]
        if not digits.isdigit() or int(digits) > FRAME_LIMIT:
            raise Refused(f"{digits[:20]!r} is no length of a message", slug="bad-frame")
        end = space + 1 + int(digits)
        return (space + 1, end) if end <= len(buffer) else None


def _line_end(buffer: bytes, at: int) -> int:
    """A line feed ends a message, or the zero byte that some senders write."""
    line, zero = buffer.find(b"\n", at), buffer.find(b"\0", at)
    return min(line, zero) if line >= 0 and zero >= 0 else max(line, zero)


def read(frame: bytes) -> Line:
    """What one message says. `size` is the whole message's."""
    size = len(frame)
    match = _NEW.match(frame)
    if match is not None and int(match[1]) < 192:
        text = _message(frame, match.end())
        return Line(
            text=text.decode("utf-8", "replace")[:TEXT_LIMIT], size=size, severity=SYSLOG[int(match[1]) & 7],
            time=0.0 if match[2] == b"-" else moment(match[2].decode("ascii", "replace")),
            host=_known(match[3]), unit=_known(match[4]),
        )  # fmt: skip
    match = _OLD.match(frame)
    if match is not None and int(match[1]) < 192:
        return Line(
            text=frame[match.end() :].rstrip(b"\r\n").decode("utf-8", "replace")[:TEXT_LIMIT], size=size,
            severity=SYSLOG[int(match[1]) & 7], host=_known(match[2] or b"-"), unit=_known(match[3] or b"-"),
        )  # fmt: skip
    text = frame.rstrip(b"\r\n")
    return Line(text=text.decode("utf-8", "replace")[:TEXT_LIMIT], size=size, severity="notice", whole=False)


def _message(frame: bytes, at: int) -> bytes:
    """What comes after the structured data, which begins at `at`."""
    if frame[at : at + 1] == b"-":
        at += 1
    else:
        while (element := _ELEMENT.match(frame, at)) is not None:
            at = element.end()
    return frame[at:].removeprefix(b" ").removeprefix(_BOM).rstrip(b"\r\n")


def _known(word: bytes) -> str:
    return "" if word == b"-" else word.decode("utf-8", "replace")[:200]
