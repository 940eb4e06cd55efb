"""What a log line is, however it came: text, how bad, when, from where, and of which file.

In: nothing; these are the room's nouns. Out: `Line`, `File`, `Tally`, and how severities of all senders read. They
know nothing of budgets, stores and events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec

from firehose.event import fingerprint

TEXT_LIMIT: Final = 65_536
"""Longest text that is kept of a line, in characters; its bytes are counted whole."""
SEVERITIES: Final = ("info", "notice", "warning", "error")
SYSLOG: Final = ("error", "error", "error", "error", "warning", "notice", "info", "info")
"""RFC 5424's severities 0 to 7 in our four words."""
_WORDS: Final = {
    **dict.fromkeys(("emerg", "emergency", "panic", "alert", "crit", "critical", "fatal", "err", "error"), "error"),
    **dict.fromkeys(("severe", "0", "1", "2", "3"), "error"),
    **dict.fromkeys(("warn", "warning", "4"), "warning"),
    **dict.fromkeys(("notice", "5", "audit"), "notice"),
}
_LONGEST: Final = 10


def severity(word: object) -> str:
    """A sender's word or number for how bad it is; what nobody knows is `info`."""
    if isinstance(word, str):
        return _WORDS.get(word, "") or (_WORDS.get(word.lower(), "info") if len(word) <= _LONGEST else "info")
    if isinstance(word, int) and not isinstance(word, bool):
        return SYSLOG[word] if 0 <= word < len(SYSLOG) else "info"
    return "info"


class File(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The file that lines belong to, as the sender names it. `build` and `name` identify it (a URL does alone);
    `outcome` is the build's, where the sender knows it."""

    name: str
    build: str = ""
    url: str = ""
    project: str = ""
    change: str = ""
    outcome: str = ""

    @property
    def key(self) -> str:
        """What makes it one file, whoever sends its lines."""
        return fingerprint(self.build or self.url, self.name)


class Record(Protocol):
    """What a line was read from, which knows more of it than a line that is only counted is worth."""

    def finish(self, line: Any) -> Any:
        """The line with time, host and unit."""


class Line(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line as it is kept. `time`: seconds since the epoch, 0 where the sender gave none; `size`: its bytes as they
    came. `record` fills in time, host and unit where they are not there yet."""

    text: str
    size: int
    severity: str = "info"
    time: float = 0.0
    host: str = ""
    unit: str = ""
    file: File | None = None
    whole: bool = True
    record: Record | None = None

    def finished(self) -> Line:
        """The line with all that is known of it."""
        found: Line = self.record.finish(self) if self.record is not None else self
        return found


class Tally(msgspec.Struct, kw_only=True):
    """Counts that add up: `lines` = `kept_lines` + `over_lines`, the same for bytes; `severities` sum to `lines`.

    broken: lines that were no sound record of their format (kept or counted like any other). late: lines of a file
    that was finished already. files_over: lines of files beyond the file budget. unannounced: new templates that got
    no event, since too many were new at once.
    """

    lines: int = 0
    bytes: int = 0
    kept_lines: int = 0
    kept_bytes: int = 0
    over_lines: int = 0
    over_bytes: int = 0
    broken: int = 0
    late: int = 0
    files_over: int = 0
    unannounced: int = 0
    severities: dict[str, int] = msgspec.field(default_factory=dict)

    def count(self, severity: str, size: int, kept: bool, times: int = 1) -> None:
        """One more line (or `times` lines of `size` bytes together)."""
        self.lines += times
        self.bytes += size
        if kept:
            self.kept_lines += times
            self.kept_bytes += size
        else:
            self.over_lines += times
            self.over_bytes += size
        self.severities[severity] = self.severities.get(severity, 0) + times

    def passed(self, size: int, words: Mapping[str, int]) -> None:
        """Lines of `size` bytes together that were only counted, by severity."""
        times = sum(words.values())
        self.lines += times
        self.over_lines += times
        self.bytes += size
        self.over_bytes += size
        for word, more in words.items():
            self.severities[word] = self.severities.get(word, 0) + more

    def add(self, other: Tally) -> None:
        """The counts of both."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for word, times in other.severities.items():
            self.severities[word] = self.severities.get(word, 0) + times


_NUMBERS: Final = tuple(name for name in Tally.__struct_fields__ if name != "severities")
