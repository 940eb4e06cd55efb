"""How pages write numbers, times and cursors. Pure; templates use these as filters.

In: numbers, moments (UTC), the present. Out: text by the rules of the copy guide: "1,184", "1 h 22 min", "47 min ago"
up to seven days and then the date, cursors without leading zeros in groups of three. Nothing here knows HTML.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

MINUTE: Final = 60
HOUR: Final = 3_600
DAY: Final = 86_400


def number(value: int | float) -> str:
    """1184 is "1,184"."""
    return f"{value:,.0f}"


def rate(per_second: float) -> str:
    """ "14.2/s"; slow ones by the minute or hour: "6/min", "2/h"."""
    if per_second >= 1:
        return f"{per_second:,.1f}/s"
    if per_second * MINUTE >= 1:
        return f"{per_second * MINUTE:,.0f}/min"
    return f"{per_second * HOUR:,.0f}/h"


def span(seconds: float) -> str:
    """A duration: "0.4 s", "48 s", "47 min", "1 h 22 min", "3 days"."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s" if seconds % 1 >= 0.05 else f"{max(seconds, 0):.0f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * MINUTE:
        return f"{seconds / MINUTE:.0f} min"
    if seconds < 2 * DAY:
        hours, rest = divmod(round(seconds / MINUTE), 60)
        return f"{hours} h {rest:02d} min" if rest else f"{hours} h"
    return f"{seconds / DAY:.0f} days"


def limit(seconds: float) -> str:
    """A round duration from the settings: "30 min", "6 h", "1 day"."""
    for size, word in ((DAY, "day"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {word}{'s' if word == 'day' and count > 1 else ''}"
    return span(seconds)


def ago(moment: datetime, now: datetime) -> str:
    """How long ago, up to seven days, then the date."""
    seconds = (now - moment).total_seconds()
    if seconds < 1:
        return "just now"
    if seconds < 7 * DAY:
        short = f"{int(seconds // HOUR)} h" if HOUR * 1.5 <= seconds < 2 * DAY else span(int(seconds))
        return f"{short} ago"
    return date(moment, now)


def date(moment: datetime, now: datetime) -> str:
    """ "27 October", with the year when it is another one."""
    text = f"{moment.day} {moment:%B}"
    return text if moment.year == now.year else f"{text} {moment.year}"


def clock(moment: datetime) -> str:
    """ "14:32:07"."""
    return f"{moment.astimezone(UTC):%H:%M:%S}"


def exact(moment: datetime) -> str:
    """ "2016-10-27 14:32:07 UTC", for titles."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def iso(moment: datetime) -> str:
    """What `<time datetime>` holds: RFC 3339 with milliseconds."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def fact(moment: datetime, now: datetime) -> str:
    """ "27 Oct, 10:06:06 UTC", with the year when it is another one."""
    moment = moment.astimezone(UTC)
    year = "" if moment.year == now.year else f" {moment.year}"
    return f"{moment.day} {moment:%b}{year}, {moment:%H:%M:%S} UTC"


def cursor(sequence: int) -> str:
    """48210337 is "48 210 337"."""
    return f"{sequence:,}".replace(",", " ")


def cursor20(sequence: int) -> str:
    """A cursor as programs write it: 20 digits."""
    return f"{sequence:020d}"


def plural(count: int, one: str, many: str = "") -> str:
    """ "1 event", "2,031 events"."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def size(octets: int) -> str:
    """ "2,314 bytes", "1.2 MB"."""
    return plural(octets, "byte") if octets < 100_000 else f"{octets / 1_000_000:.1f} MB"


def between(first: datetime, last: datetime, now: datetime) -> str:
    """A range of days: "20 to 27 October", "27 October", "27 December 2015 to 2 January 2016"."""
    if first.date() == last.date():
        return date(first, now)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {date(last, now)}"
    return f"{date(first, now)} to {date(last, now)}"


def whole(moment: datetime, step: timedelta) -> datetime:
    """The beginning of the step (minute, hour, day) that a moment lies in."""
    seconds = int(step.total_seconds())
    return datetime.fromtimestamp(int(moment.timestamp()) // seconds * seconds, UTC)
