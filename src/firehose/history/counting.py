"""Counts: from roll-ups where they can answer, from the index where it is exact, else event by event within a limit.

In: a query, a grouping, a width of time buckets, and a store's `Numbers`. Out: `Count` values. Times here are times of
recording: `since` inclusive, `until` exclusive. Roll-ups are by the hour; where a range begins or ends within an hour,
that hour is counted by its events. Counts by when things happened have no roll-ups and look at each event.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Final, Protocol

from firehose.errors import Refused
from firehose.event import Recorded
from firehose.history.compile import LATEST, And, Index, Phrase, Plan, conjunction, plan
from firehose.history.marks import FIELDS, NAME, URI, mark
from firehose.history.row import DAY, GROUPS, HOUR, micros, moment
from firehose.history.store import Count, Counts
from firehose.plumbing.clock import monotonic
from firehose.query.match import predicate
from firehose.query.tree import Everything, Is, Node

WIDTHS: Final = {"minute": 60_000_000, "hour": HOUR, "day": DAY}
PATIENCE: Final = 3.0
"""Seconds after which counting event by event gives up."""

QUESTION: Final = 20
"""Events that could be looked at in the time of one question to the index, and a hundredth of what it walks over."""
Ranges = list[tuple[int, int, int]]
Counted = tuple[int, int, str]
"""A bucket, how many times -1, a group: as they are sorted."""
Groups = tuple[int, int, tuple[str, ...]]
"""When an event was recorded and when it happened, microseconds, and its values of `GROUPS`."""


class Numbers(Protocol):
    """What a store gives to count with. Ranges are inclusive."""

    def rolled(self, field: str, value: str | None, width: int, first: int, last: int) -> list[tuple[str, int, int]]:
        """Roll-ups (value, start, n) of a field, or of one value; `width` and starts in seconds / in widths."""
        ...

    def rolled_sums(self, field: str, width: int, first: int, last: int) -> list[tuple[str, int]]:
        """Roll-ups of a field by value, summed over time."""
        ...

    def hour_ranges(self, first: int, last: int) -> list[tuple[int, int, int]]:
        """(hour, first sequence, last sequence) of hours since 1970, in order."""
        ...

    def group_rows(self, wanted: Plan, low: int, high: int) -> Iterator[Groups]:
        """What the index finds between two sequences."""
        ...

    def happened(self, first: int, last: int) -> tuple[int, int]:
        """Between which sequences everything lies that happened between two times, microseconds; (1, 0) for nothing."""
        ...

    def events(self, wanted: Plan, low: int, high: int) -> Iterator[Recorded]:
        """The same, as events."""
        ...

    def match_count(self, index: Index, low: int, high: int) -> int | None:
        """How much the index finds between two sequences, without a look at events; None when it cannot say."""
        ...


def newest(found: list[Counted], limit: int) -> list[Counted]:
    """Of counts in order at most `limit`: the newest buckets, each whole; of one that is too large the first."""
    if len(found) <= limit:
        return found
    # The first bucket that can be whole begins where another one ends.
    begin = next((at for at in range(len(found) - limit, len(found)) if found[at - 1][0] != found[at][0]), None)
    if begin is not None:
        return found[begin:]
    return [count for count in found if count[0] == found[-1][0]][:limit]


class Tally:
    """One count."""

    def __init__(
        self, numbers: Numbers, query: Node, by: str, per: str, bounds: tuple[datetime | None, datetime | None]
    ) -> None:
        if by and by not in GROUPS:
            raise Refused(f"events are not counted by {by!r}, but by {', '.join(GROUPS)}", slug="bad-field", field="by")
        if per and per not in WIDTHS:
            raise Refused(f"{per!r} is not minute, hour or day", slug="bad-field", field="per")
        self._numbers = numbers
        self._query, self._by, self._per = query, by, per
        since, until = bounds
        self._since = 0 if since is None else micros(since)
        self._until = LATEST if until is None else micros(until)
        self._found: dict[tuple[str, int], int] = defaultdict(int)

    def counts(self, limit: int, *, happened: bool = False) -> Counts:
        """The counts: by time, then the most frequent group first; the newest buckets when there are too many."""
        if self._until > self._since:
            one = None if happened else self._single()
            if happened:
                self._by_happening()
            elif one is not None and self._per != "minute":
                self._from_rollups(*one)
            else:
                self._from_events(self._since, self._until)
        width = WIDTHS.get(self._per, 0)
        found = sorted([(start, -n, group) for (group, start), n in self._found.items() if n])
        kept = newest(found, limit)
        counts = (Count(group, -n, moment(start * width) if width else None) for start, n, group in kept)
        return Counts(counts, sum(self._found.values()), truncated=len(kept) < len(found))

    def _single(self) -> tuple[str, str | None] | None:
        """The field and value whose roll-ups hold the answer."""
        match self._query:
            case Everything():
                return (self._by, None)
            case Is(field, value) if field in GROUPS and self._by in ("", field):
                return None if field == "source" and self._is_uri(value) else (field, value)
            case _:
                return None

    def _is_uri(self, value: str) -> bool:
        """`source:` takes names and URIs; the roll-ups know names only."""
        uri, name = Phrase((mark(URI, value),)), Phrase((mark(NAME, value),))
        return next(self._numbers.group_rows(Plan(And((uri,), (name,))), 0, LATEST), None) is not None

    def _from_rollups(self, field: str, value: str | None) -> None:
        low, high = -(-self._since // HOUR), self._until // HOUR
        if self._until == LATEST:
            high = LATEST // DAY * 24
        if low > high:
            self._from_events(self._since, self._until)
            return
        self._from_events(self._since, low * HOUR)
        self._from_events(high * HOUR, self._until)
        first, last = -(-low // 24), high // 24
        if self._per == "hour" or first >= last:
            self._add(field, value, 3600, (low, high))
        else:
            self._add(field, value, 3600, (low, first * 24))
            self._add(field, value, 86400, (first, last))
            self._add(field, value, 3600, (last * 24, high))

    def _add(self, field: str, value: str | None, width: int, span: tuple[int, int]) -> None:
        if span[0] >= span[1]:
            return
        if value is None and not self._per:
            for group, n in self._numbers.rolled_sums(field, width, span[0], span[1] - 1):
                self._found[group if self._by else "", 0] += n
            return
        # Thousands of rows come here for a quarter of hours, so this loop looks up nothing twice.
        wide, scale, found = WIDTHS.get(self._per, 0), width * 1_000_000, self._found
        rows = self._numbers.rolled(field, value, width, span[0], span[1] - 1)
        same = wide == scale
        for group, start, n in rows:
            bucket = start if same else start * scale // wide if wide else 0
            place = (group if self._by else "", bucket)
            found[place] = found.get(place, 0) + n

    def _from_events(self, since: int, until: int) -> None:
        if since >= until:
            return
        ranges = self._numbers.hour_ranges(since // HOUR, min(until - 1, LATEST) // HOUR)
        if not ranges:
            return
        wanted = plan(self._query)
        low, high = max(wanted.low, min(r[1] for r in ranges)), min(wanted.high, max(r[2] for r in ranges))
        if low > high:
            return
        if wanted.exact and self._from_index(wanted, (low, high), ranges, (since, until)):
            return
        self._one_by_one(wanted, (low, high), (since, until), happened=False)

    def _by_happening(self) -> None:
        wanted = plan(self._query)
        first, last = self._numbers.happened(self._since, self._until - 1)
        low, high = max(wanted.low, first), min(wanted.high, last)
        if low <= high:
            self._one_by_one(wanted, (low, high), (self._since, self._until), happened=True)

    def _one_by_one(self, wanted: Plan, span: tuple[int, int], times: tuple[int, int], *, happened: bool) -> None:
        column = GROUPS.index(self._by) if self._by else -1
        width = WIDTHS.get(self._per, 0)
        deadline = monotonic() + PATIENCE
        found = self._numbers.group_rows(wanted, *span) if wanted.exact else self._sifted(wanted, *span)
        for looked, (recorded, time, groups) in enumerate(found, 1):
            at = time if happened else recorded
            if times[0] <= at < times[1]:
                self._found[groups[column] if self._by else "", at // width if width else 0] += 1
            if looked % 1_000 == 0 and monotonic() > deadline:
                raise Refused(
                    "too many events would have to be counted one by one; narrow the time or the query",
                    slug="too-broad", status=422, field="q",
                )  # fmt: skip

    def _from_index(self, wanted: Plan, span: tuple[int, int], ranges: Ranges, times: tuple[int, int]) -> bool:
        """Count by the index alone, a question for each group and bucket, where that is less work than a look at each
        event. Buckets must be whole hours whose sequences do not overlap."""
        ordered = all(one[2] < other[1] for one, other in itertools.pairwise(ranges))
        whole = (times[0] % HOUR == 0 or times[0] <= 0) and (times[1] % HOUR == 0 or times[1] == LATEST)
        if self._per == "minute" or not ordered or not whole:
            return False
        most = self._numbers.match_count(wanted.index, *span)
        if most is None:
            return False
        wide = WIDTHS.get(self._per, 0)
        buckets: dict[int, tuple[int, int]] = {}
        for hour, first, last in ranges:
            bucket = hour * HOUR // wide if wide else 0
            buckets[bucket] = buckets.get(bucket, (first, last))[0], last
        days = ranges[0][0] // 24, ranges[-1][0] // 24
        values = {value for value, _ in self._numbers.rolled_sums(self._by, 86_400, *days)} if self._by else set()
        if (len(values) + 1) * len(buckets) * (QUESTION + most // (100 * len(buckets))) > most:
            return False
        for bucket, (first, last) in buckets.items():
            self._count_bucket(wanted, bucket, (max(first, span[0]), min(last, span[1])), values)
        return True

    def _count_bucket(self, wanted: Plan, bucket: int, span: tuple[int, int], values: set[str]) -> None:
        """The empty value has no mark: it is what the others leave."""
        left = self._numbers.match_count(wanted.index, *span) or 0
        letter = NAME if self._by == "source" else FIELDS.get(self._by, "")
        for value in values - {""} if left else ():
            index = Phrase((mark(letter, value),))
            n = self._numbers.match_count(conjunction([wanted.index, index]), *span) or 0
            self._found[value, bucket] += n
            left -= n
        self._found["", bucket] += left

    def _sifted(self, wanted: Plan, low: int, high: int) -> Iterator[Groups]:
        """Events that the index cannot tell for sure."""
        fits = predicate(wanted.rest)
        nothing: tuple[str, ...] = ("",) * len(GROUPS)
        for event in self._numbers.events(wanted, low, high):
            if fits(event):
                envelope = event.envelope
                yield (
                    micros(event.recorded),
                    micros(envelope.time),
                    (event.name, envelope.kind, envelope.project, envelope.actor, envelope.outcome, envelope.severity),
                )
            else:
                yield -1, -1, nothing
