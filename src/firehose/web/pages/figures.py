"""The figures of the Search page: its range of time, its histogram, and numbers of events by a facet.

In: a query and the range that an address asks for. Out: a `Span`, a `Histogram`, counts. Ranges and bars are of when
things happened, as long as not too many were recorded in them to look at each; beyond, of when they were recorded,
which the history has summed up already. Knows nothing of results, links or templates.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

from firehose.errors import Refused
from firehose.event import rfc3339
from firehose.history.store import Counts
from firehose.query import params
from firehose.query.tree import Between, Everything, Node, both
from firehose.web.hub import Hub
from firehose.web.pages import charts, wording

RANGES: Final = (("1h", "1 h"), ("24h", "24 h"), ("7d", "7 days"), ("30d", "30 days"), ("earliest", "All"))
LOOKED: Final = 60_000
"""Up to how many events of a range are looked at one by one."""
MOST_BARS: Final = 168
FINE: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 10, 30))
STEPS: Final = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """The range that is looked at, from `first` (included) to `last`, the word of its button, and whether its times are
    those of happening. `asked` is what the address says of it; `cut`: the history has more before it."""

    first: datetime
    last: datetime
    word: str
    happened: bool
    asked: tuple[datetime | None, datetime | None]
    cut: bool = True

    @property
    def node(self) -> Node:
        """What the address asks for, as a part of the query."""
        since, until = self.asked
        low = Between("time", rfc3339(since), None) if since else Everything()
        high = Between("time", None, rfc3339(until), high_included=False) if until else Everything()
        return both(low, high)


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """Events over the range: starts of the steps in epoch seconds, all and failed; `step` in seconds. `cut`: there is
    more before the range."""

    per: str
    step: int
    starts: list[int]
    all: list[int]
    bad: list[int]
    spark: charts.Spark
    first: datetime
    last: datetime
    top: int
    happened: bool
    cut: bool

    def of_day(self, day: datetime) -> int | None:
        """How many of a day (UTC) are in the range; None where the bars are not of when things happened."""
        begin = int(day.timestamp())
        inside = [count for start, count in zip(self.starts, self.all, strict=True) if begin <= start < begin + 86_400]
        return sum(inside) if self.happened and inside else None

    @property
    def total(self) -> int:
        """All events of the range."""
        return sum(self.all)

    @property
    def failures(self) -> int:
        """Those that failed."""
        return sum(self.bad)


async def span_of(hub: Hub, asked: params.Request, now: datetime) -> Span:
    """The range to look at. Without one in the address: seven days, or all there is."""
    since = asked.since.moment if asked.since else None
    until = asked.until.moment if asked.until else None
    held = await hub.reader.span()
    oldest = await hub.reader.by_sequence(held.first) if held.first else None
    begin = min(oldest.recorded, oldest.envelope.time) if oldest else now - timedelta(hours=1)
    last = until or now
    if asked.since is None:
        first, word = max(begin, now - timedelta(days=7)) - timedelta(seconds=1), "7d"
    elif since is None:
        first, word = begin - timedelta(seconds=1), "earliest"
    else:
        first, word = since, "" if until else _word(since, now)
    happened = await few(hub, first, last)
    return Span(first=first, last=last, word=word, happened=happened, asked=(since, until), cut=first > begin)


async def few(hub: Hub, first: datetime, last: datetime) -> bool:
    """Whether few enough events were recorded in a range to look at each."""
    recorded = await hub.reader.counts(Everything(), since=first, until=last)
    return sum(count.count for count in recorded) <= LOOKED


async def hour(hub: Hub, since: datetime, now: datetime) -> Span:
    """The last hour, for the Live page. Events of this instant are in it."""
    last = now + timedelta(seconds=1)
    return Span(first=since, last=last, word="1h", happened=await few(hub, since, last), asked=(since, None))


def _word(since: datetime, now: datetime) -> str:
    for word, _ in RANGES[:-1]:
        moment = params.place("since", word, now).moment
        if moment is not None and abs(moment - since) < timedelta(seconds=1):
            return word
    return ""


async def counted(hub: Hub, node: Node, span: Span, by: str, per: str = "", limit: int = 1_000) -> Counts:
    """Numbers of matching events in the range, by a field and by steps."""
    since, until = span.first, span.last
    if span.happened:
        try:
            return await hub.reader.happenings(node, by=by, per=per, since=since, until=until, limit=limit)
        except Refused as refused:
            if refused.slug != "too-broad":
                raise
    return await hub.reader.counts(node, by=by, per=per, since=since, until=until, limit=limit)


async def histogram(hub: Hub, node: Node, span: Span, now: datetime) -> Histogram:
    """Bars over the range, in steps that give not too many of them where the store's steps allow that."""
    per, step, word = steps(span)
    begin = wording.whole(span.first, step)
    counts = await counted(hub, node, span, "outcome", per, 50_000)
    bars = min(int((span.last - begin) / step) + 1, 4_000)
    all_, bad = [0] * bars, [0] * bars
    for count in counts:
        place = int((count.start - begin) / step) if count.start else -1
        if 0 <= place < bars:
            all_[place] += count.count
            bad[place] += count.count if count.group == "failure" else 0
    top = max([*all_, 0])
    label = f"Events by {word}, {wording.between(span.first, span.last, now)}: {sum(all_):,}, at most {top:,} in one"
    return Histogram(
        per=word, step=int(step.total_seconds()), all=all_, bad=bad, spark=charts.spark(all_, bad, 84, label),
        starts=[int((begin + at * step).timestamp()) for at in range(bars)],
        first=span.first, last=span.last, top=top, happened=span.happened, cut=span.cut,
    )  # fmt: skip


def steps(span: Span) -> tuple[str, timedelta, str]:
    """The store's step, the step of a bar, and the bar's word: fine ones where each event is looked at anyway."""
    length = span.last - span.first
    if span.happened:
        for step in FINE:
            if length / step <= MOST_BARS:
                minutes = int(step.total_seconds() // 60)
                return "minute", step, "minute" if minutes == 1 else f"{minutes} minutes"
    per = next((word for word, step in STEPS.items() if length / step <= MOST_BARS + 1), "day")
    return per, STEPS[per], per
