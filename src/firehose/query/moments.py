"""Points in time as people and programs write them: RFC 3339, dates, epochs, "so long ago".

In: text and the present moment (this module reads no clock). Out: the span that the text covers, so that a day is a
day and an instant an instant; None when it is none of the known forms.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

_CLOCK: Final = r"(\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*([Zz]|[+-]\d{2}:?\d{2})?"
_STAMP: Final = re.compile(rf"(\d{{4}})(?:-(\d{{2}})(?:-(\d{{2}})(?:[Tt ]{_CLOCK})?)?)?")
_DURATION: Final = re.compile(r"(?:\d{1,7}(?:ms|[smhdw]))+")
_PART: Final = re.compile(r"(\d+)(ms|[smhdw])")
_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_EPOCH: Final = re.compile(r"-?\d{10}(?:\.\d{1,6})?|\d{13}")
_TICK: Final = timedelta(microseconds=1)
FORMS: Final = "an RFC 3339 time, a date, an epoch of 10 or 13 digits, or a duration such as 10m or 7d"


class Moment(NamedTuple):
    """A span of time, `start` included, `stop` excluded: one microsecond for an instant, a day for a date."""

    start: datetime
    stop: datetime

    @property
    def instant(self) -> bool:
        """Whether the text named one instant."""
        return self.stop - self.start <= _TICK


def read(text: str, now: datetime) -> Moment | None:
    """The span that a text names; None for any other text, also for a date that does not exist."""
    try:
        return _read(text.strip(), now)
    except (ValueError, OverflowError):
        return None


def duration(text: str) -> timedelta | None:
    """`10m`, `1h30m`, `7d`, `500ms`; None for any other text."""
    if not _DURATION.fullmatch(text):
        return None
    seconds = sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(text))
    return timedelta(seconds=seconds) if seconds < 10**10 else None


def _read(text: str, now: datetime) -> Moment | None:
    if text in ("now", "latest"):
        return Moment(now, now + _TICK)
    if text in ("today", "yesterday"):
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        start = midnight - timedelta(days=text == "yesterday")
        return Moment(start, start + timedelta(days=1))
    span = duration(text)
    if span is not None:
        return _instant(now - span)
    if _EPOCH.fullmatch(text) and text.isascii():
        value = float(text)
        return _instant(datetime.fromtimestamp(0, UTC) + timedelta(seconds=value if value < 10**11 else value / 1_000))
    found = _STAMP.fullmatch(text) if text.isascii() else None
    return _stamp(found) if found else None


def _instant(moment: datetime) -> Moment | None:
    moment = moment.astimezone(UTC)
    return Moment(moment, moment + _TICK) if 1900 <= moment.year <= 9998 else None


def _stamp(found: re.Match[str]) -> Moment | None:
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    micro = int((fraction or "").ljust(6, "0")[:6])
    # RFC 3339 knows the leap second 60; datetime does not.
    leap = second == "60"
    start = datetime(
        int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), 59 if leap else int(second or 0),
        micro, tzinfo=UTC,
    ) + timedelta(seconds=leap) - _offset(zone)  # fmt: skip
    if not 1900 <= start.year <= 9998:
        return None
    if month is None:
        return Moment(start, start.replace(year=start.year + 1))
    if day is None:
        return Moment(start, start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1))
    span = timedelta(days=1) if hour is None else timedelta(minutes=1) if second is None else _TICK
    return Moment(start, start + span)


def _offset(zone: str | None) -> timedelta:
    if not zone or zone in "Zz":
        return timedelta()
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    if hours > 23 or minutes > 59:
        raise ValueError(zone)
    span = timedelta(hours=hours, minutes=minutes)
    return -span if zone[0] == "-" else span
