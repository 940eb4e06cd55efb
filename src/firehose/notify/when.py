"""When a message goes: at once, with the hour or the day, or when the night is over. Pure; hours are the person's own.

In: a rule's wish, a person's hours, a moment. Out: a schedule (the word that names its lane) and the moment it is due.
An event's schedule depends on when it was recorded and on nothing else, so that it can be found out again later.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from firehose.notify.rules import Person, When, hour, zone

Schedule = Literal["now", "quiet", "hourly", "daily"]
ORDER: Final[tuple[Schedule, ...]] = ("now", "quiet", "hourly", "daily")
"""Soonest first: an event that several rules want for one place goes by the first of these."""
BURST: Final = "burst"
"""The lane of what was to go at once, but is too much: together after a while."""
BURST_WAIT: Final = timedelta(minutes=10)
_DAY: Final = timedelta(days=1)


def schedule(wish: When, person: Person | None, recorded: datetime) -> Schedule:
    """How an event goes. `person` None: a team's place, which never sleeps."""
    if wish == "daily" or person is None or not quiet(person, recorded):
        return wish
    return "quiet"


def quiet(person: Person, moment: datetime) -> bool:
    """Whether a moment lies in somebody's quiet hours."""
    if not person.quiet_from or person.quiet_from == person.quiet_to:
        return False
    local = f"{moment.astimezone(zone(person.zone)):%H:%M}"
    begin, end = person.quiet_from, person.quiet_to
    return begin <= local < end if begin < end else local >= begin or local < end


def due(name: str, person: Person | None, now: datetime) -> datetime | None:
    """When a lane that gets its first event now is to be sent; None is at once."""
    match name:
        case "hourly":
            full = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
            return awake(person, full)
        case "daily":
            return _next(person.daily if person else "08:00", person, now)
        case "quiet":
            return awake(person, now)
        case "burst":
            return awake(person, now + BURST_WAIT)
        case _:
            return None


def awake(person: Person | None, moment: datetime) -> datetime:
    """A moment, or the end of the quiet hours that it lies in."""
    if person is None or not quiet(person, moment):
        return moment
    ends = (*_at(person.quiet_to, person, moment, 0), *_at(person.quiet_to, person, moment, 1))
    return min(end for end in ends if end > moment and not quiet(person, end))


def _next(at: str, person: Person | None, now: datetime) -> datetime:
    # By the first time that the clock shows it: one a day, also when clocks go back.
    return min(moment for moment in _at(at, person, now, 0) if moment > now)


def _at(at: str, person: Person | None, now: datetime, fold: int) -> list[datetime]:
    """A time of day, today and on the next two days, for a day may leave it out; `fold` 1: the second time that the
    clock shows it, where it does. In UTC: times of one zone compare by what the clock shows, and that may go back."""
    clock = hour(at, "")
    today = now.astimezone(zone(person.zone) if person else UTC).replace(
        hour=clock.hour, minute=clock.minute, second=0, microsecond=0
    )
    # The day is added to the local date: a day has 23 or 25 hours when clocks are changed.
    return [(today + _DAY * days).replace(fold=fold).astimezone(UTC) for days in range(3)]
