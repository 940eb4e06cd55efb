"""A rule tried on the past before it may speak: what it would have said, when, and what it would have left out.

In: a rule that nobody kept yet, the book as it is, the history. Out: numbers for each day, samples, and how much of
the range was looked at. Bounded in time and events: a rule that meets too much gets a part of the range, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from firehose.event import Recorded, rfc3339
from firehose.history.reader import Reader
from firehose.notify import when
from firehose.notify.book import Aim, Book
from firehose.notify.rules import TEAM, Place, Rule
from firehose.plumbing.clock import Now
from firehose.query.match import predicate

PAGE: Final = 1_000
MOST_EVENTS: Final = 20_000
SECONDS: Final = 3.0
SAMPLE: Final = 12
Why = Literal["own", "muted", "excluded", "another rule"]


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a trial. why: the reason when it was left out, "" when it was told."""

    sequence: str
    time: str
    kind: str
    project: str
    summary: str
    outcome: str
    why: str = ""


class Day(msgspec.Struct, frozen=True):
    """A day (UTC) of a trial: events that would have been told and that would have been left out."""

    day: str
    told: int
    left: int


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule would have said. events: that it would have told of, in so many messages; left: reason -> events.
    most: messages of the fullest hour. since: the beginning of what was looked at; whole: that is all that was asked
    for; days: as asked."""

    days: int
    since: str
    whole: bool
    events: int
    messages: int
    most: int
    left: dict[str, int]
    per_day: tuple[Day, ...]
    told: tuple[Sample, ...]
    silent: tuple[Sample, ...]


async def attempt(book: Book, rule: Rule, days: int, reader: Reader, now: Now) -> Trial:
    """Try a rule on the last days; it need not be kept, and if it is, it does not count against itself."""
    begin = now() - timedelta(days=days)
    after = await reader.at_time(begin)
    node = book.node(rule, whole=False)
    found: list[Recorded] = []
    before, whole, end = 0, node is not None, now() + timedelta(seconds=SECONDS)
    while node is not None:
        page = await reader.find(node, after=after, before=before, descending=True, limit=PAGE)
        found += page.events
        if page.cursor is None:
            break
        before = page.cursor
        if len(found) >= MOST_EVENTS or now() > end:
            whole = False
            begin = found[-1].recorded if found else begin
            break
    return judged(book, rule, found, (days, begin, whole))


def judged(book: Book, rule: Rule, found: Sequence[Recorded], about: tuple[int, datetime, bool]) -> Trial:
    """The trial of events, newest first."""
    # A rule that has no place yet is tried as if it had one of its own.
    mine = None if rule.owner.startswith(TEAM) else book.person(rule.owner)
    aims = book.aims(rule) or [Aim(rule, Place(id="", owner=rule.owner, kind="page"), mine)]
    whole = book.node(rule)
    fits = predicate(whole) if whole is not None else lambda _: False
    told: list[Recorded] = []
    silent: list[tuple[Recorded, Why]] = []
    for event in found:
        why = _silent(book, aims, event) if fits(event) else "excluded"
        if why:
            silent.append((event, why))
        else:
            told.append(event)
    left: dict[str, int] = {}
    for _, reason in silent:
        left[reason] = left.get(reason, 0) + 1
    sent = _messages(rule, aims, told)
    hours: dict[datetime, int] = {}
    for moment in sent:
        hour = moment.replace(minute=0, second=0, microsecond=0)
        hours[hour] = hours.get(hour, 0) + 1
    days, begin, complete = about
    return Trial(
        days=days, since=rfc3339(begin), whole=complete, events=len(told), messages=len(sent),
        most=max(hours.values(), default=0), left=left, per_day=_days(begin, days, told, [one for one, _ in silent]),
        told=tuple(sample(event) for event in told[:SAMPLE]),
        silent=tuple(sample(event, reason) for event, reason in silent[:SAMPLE]),
    )  # fmt: skip


def _silent(book: Book, aims: Sequence[Aim], event: Recorded) -> Why | Literal[""]:
    """Why nobody would have heard of an event by this rule, "" when somebody would."""
    reasons: list[Why] = []
    others = {hit.place.id: hit for hit in book.match(event)}
    for aim in aims:
        left = book.left_out(event, aim)
        if left:
            reasons.append(left)
            continue
        hit = others.get(aim.place.id)
        if hit is None or all(rule.id == aim.rule.id for rule in hit.rules):
            return ""
        # Both would tell the same place: the sooner one does, and at a draw the one that was there before.
        mine = when.ORDER.index(when.schedule(aim.rule.when, aim.person, event.recorded))
        if mine < min(when.ORDER.index(hit.schedule), len(when.ORDER)):
            return ""
        reasons.append("another rule")
    return reasons[0] if reasons else ""


def _messages(rule: Rule, aims: Sequence[Aim], told: Sequence[Recorded]) -> list[datetime]:
    """The moments of the messages, for the first of those who would have been told."""
    person = aims[0].person if aims else None
    moments: list[datetime] = []
    gathered: dict[datetime, None] = {}
    for event in told:
        due = when.due(when.schedule(rule.when, person, event.recorded), person, event.recorded)
        if due is None:
            moments.append(event.recorded)
        else:
            gathered[due] = None
    return [*moments, *gathered]


def _days(begin: datetime, days: int, told: Sequence[Recorded], silent: Sequence[Recorded]) -> tuple[Day, ...]:
    counts = {f"{begin + timedelta(days=number):%Y-%m-%d}": [0, 0] for number in range(days + 1)}
    for place, events in enumerate((told, silent)):
        for event in events:
            counts.setdefault(f"{event.recorded:%Y-%m-%d}", [0, 0])[place] += 1
    return tuple(Day(day, both[0], both[1]) for day, both in sorted(counts.items()))[-(days + 1) :]


def sample(event: Recorded, why: str = "") -> Sample:
    """An event as trials show it."""
    envelope = event.envelope
    return Sample(
        sequence=event.cursor, time=rfc3339(event.recorded), kind=envelope.kind, project=envelope.project,
        summary=envelope.summary or envelope.subject, outcome=envelope.outcome, why=why,
    )  # fmt: skip
