"""The Search page: how many, when, of what, and the events themselves. Its address is its whole state.

In: the common parameters (`q`, `source`, `kind`, `project`, `actor`, `outcome`, `since`, `until`, `cursor`, `order`).
Out: a page with histogram, facets with counts, and one page of results; or what is wrong, what still works, and what
to try next. Each facet is counted without its own choice, so that a second value can be added.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
import structlog
from litestar import Request, Response, get
from markupsafe import Markup, escape

from firehose.errors import Refused
from firehose.history.store import Count, Page
from firehose.query import params
from firehose.query.tree import Node, Not, Text, walk
from firehose.web import asked as address
from firehose.web.given import GivenHub
from firehose.web.hub import Hub
from firehose.web.pages import charts, wording
from firehose.web.pages.asked import ask
from firehose.web.pages.families import family_of
from firehose.web.pages.render import page, sources_of
from firehose.web.pages.rows import MARKS, Row, rows

log = structlog.get_logger("pages")
SHOWN: Final = 50
FACETS: Final = (
    ("source", "Source"),
    ("outcome", "Outcome"),
    ("project", "Project"),
    ("kind", "Kind"),
    ("actor", "Actor"),
)
FACET_SHOWN: Final = 6
RANGES: Final = (("1h", "1 h"), ("24h", "24 h"), ("7d", "7 days"), ("30d", "30 days"), ("earliest", "All"))
STEPS: Final = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
MOST_BARS: Final = 200
Given = list[tuple[str, str]]


class Value(msgspec.Struct, frozen=True):
    """A value of a facet: its word, how often, whether it is chosen, its family and its share of the largest."""

    value: str
    word: str
    count: int
    on: bool
    width: str
    family: str = ""


class Facet(msgspec.Struct, frozen=True):
    """A way to narrow down. `more` values are not shown."""

    name: str
    title: str
    values: list[Value]
    more: int


class Day(msgspec.Struct, frozen=True):
    """Results of one day."""

    day: datetime
    rows: list[Row]


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """Counts over time: `starts` in seconds, all and failures beside them, and the words for it."""

    per: str
    starts: list[int]
    all: list[int]
    bad: list[int]
    spark: charts.Spark
    first: datetime
    last: datetime
    top: int

    @property
    def total(self) -> int:
        """All events of the range."""
        return sum(self.all)

    @property
    def failures(self) -> int:
        """Those that failed."""
        return sum(self.bad)


@get("/search", include_in_schema=False)
async def search(request: Request[Any, Any, Any], hub: GivenHub) -> Response[str]:
    """Search the history."""
    given = [pair for pair in address.pairs(request.scope["query_string"]) if pair[1]]
    now = hub.now()
    box = ask(next((value for name, value in given if name == "q"), ""), now)
    values: dict[str, Any] = {
        "asked": box, "given": given, "problem": None, "broken": False, "facets": [], "histogram": None, "days": [],
        "older": "", "newest": "", "took": 0, "ranges": RANGES, "range": "", "feed": feed(given), "partial": False,
        "with_": lambda **changes: link(given, **changes), "order": "desc", "wider": None, "shown": 0, "zoomed": False,
        "kept": [pair for pair in given if pair[0] in ("since", "until", "order")], "data": {}, "mark": escape,
    }  # fmt: skip
    if box.wrong is None:
        try:
            started = perf_counter()
            values |= await results(hub, given, now)
            values["took"] = round((perf_counter() - started) * 1_000)
        except Refused as refused:
            values["problem"] = refused.detail
        except Exception as error:
            log.error("the history does not answer the Search page", exc_info=error)
            values["broken"] = True
    status = 400 if box.wrong or values["problem"] else 503 if values["broken"] else 200
    return page(hub, "search.html", "search", values, status=status)


async def results(hub: Hub, given: Given, now: datetime) -> dict[str, Any]:
    """Everything that the history says about the request."""
    ask_ = params.read(given, now)
    first, last, chosen = await span_of(hub, ask_, now)
    window = await address.window(ask_, hub)
    node = ask_.node
    after = window.after or (await hub.reader.at_time(first))
    found, histogram, facets = await asyncio.gather(
        _find(hub, node, window, after, ask_.descending),
        count_by_time(hub, node, first, last, now),
        asyncio.gather(*(facet(hub, name, title, given, (first, last), now) for name, title in FACETS)),
    )
    listed = rows(found.events, sources_of(hub))
    base = [pair for pair in given if pair[0] != "cursor"]
    return {
        "facets": [one for one in facets if one.values],
        "histogram": histogram,
        "days": by_day(listed),
        "shown": len(listed),
        "older": f"/search?{urlencode([*base, ('cursor', wording.cursor20(found.cursor))])}" if found.cursor else "",
        "newest": f"/search?{urlencode(base)}" if ask_.cursor is not None else "",
        "partial": found.partial,
        "order": "desc" if ask_.descending else "asc",
        "range": chosen,
        "zoomed": any(name in ("since", "until") for name, _ in given),
        "wider": await wider(hub, node, first) if not listed and ask_.cursor is None else None,
        "mark": marker(node),
        "data": {"starts": histogram.starts, "all": histogram.all, "bad": histogram.bad, "per": histogram.per},
    }


async def _find(hub: Hub, node: Node, window: params.Window, after: int, descending: bool) -> Page:
    if window.empty:
        return Page([])
    return await hub.reader.find(node, after=after, before=window.before, descending=descending, limit=SHOWN)


async def span_of(hub: Hub, ask_: params.Request, now: datetime) -> tuple[datetime, datetime, str]:
    """The range to look at, and the word of the range that is chosen. Without one: seven days, or all there is."""
    held = await hub.reader.span()
    oldest = await hub.reader.by_sequence(held.first) if held.first else None
    begin = oldest.recorded if oldest else now - timedelta(hours=1)
    last = ask_.until.moment if ask_.until and ask_.until.moment else now
    if ask_.since is None:
        return max(begin, now - timedelta(days=7)) - timedelta(seconds=1), last, "7d"
    if ask_.since.moment is None:
        return begin - timedelta(seconds=1), last, "earliest"
    for word, _ in RANGES[:-1]:
        asked_ = params.place("since", word, now).moment
        if asked_ is not None and abs(asked_ - ask_.since.moment) < timedelta(seconds=1):
            return ask_.since.moment, last, word
    return ask_.since.moment, last, ""


async def count_by_time(hub: Hub, node: Node, first: datetime, last: datetime, now: datetime) -> Histogram:
    """The histogram of the range, in steps that give at most 200 bars where the store's steps allow that."""
    length = last - first
    per = next((word for word, step in STEPS.items() if length / step <= MOST_BARS), "day")
    step = STEPS[per]
    begin = wording.whole(first, step)
    counts = await hub.reader.counts(node, by="outcome", per=per, since=begin, until=last, limit=20_000)
    bars = min(int((last - begin) / step) + 1, 4_000)
    all_, bad = [0] * bars, [0] * bars
    for count in counts:
        place = int((count.start - begin) / step) if count.start else -1
        if 0 <= place < bars:
            all_[place] += count.count
            bad[place] += count.count if count.group == "failure" else 0
    top = max([*all_, 0])
    label = f"Events by {per}, {wording.between(first, last, now)}: {sum(all_):,}, at most {top:,} in one {per}"
    starts = [int((begin + at * step).timestamp()) for at in range(bars)]
    spark = charts.spark(all_, bad, 84, label)
    return Histogram(per=per, starts=starts, all=all_, bad=bad, spark=spark, first=first, last=last, top=top)


async def facet(hub: Hub, name: str, title: str, given: Given, span: tuple[datetime, datetime], now: datetime) -> Facet:
    """The values of a facet, most often first; chosen ones are always shown."""
    chosen = [value for key, value in given if key == name]
    others = params.read([pair for pair in given if pair[0] not in (name, "cursor")], now).node
    counts: list[Count] = await hub.reader.counts(others, by=name, since=span[0], until=span[1])
    ordered = sorted(counts, key=lambda count: (-count.count, count.group))
    if name != "outcome":
        ordered = [count for count in ordered if count.group]
    top = ordered[0].count if ordered else 0
    shown = [count for at, count in enumerate(ordered) if at < FACET_SHOWN or count.group in chosen]
    missing = [Count(value, 0) for value in chosen if value not in {count.group for count in shown}]
    families = sources_of(hub)
    values = [
        Value(
            count.group,
            MARKS.get(count.group, ("", "", count.group))[2] if name == "outcome" else count.group,
            count.count,
            count.group in chosen,
            charts.percent(count.count, top),
            family_of(count.group, "", families) if name == "source" else "",
        )
        for count in [*shown, *missing]
        if count.group or name == "outcome"
    ]
    # "No outcome" cannot be chosen by a parameter of its own, it stands there as a number.
    return Facet(name, title, values, max(len(ordered) - len(shown), 0))


def by_day(listed: list[Row]) -> list[Day]:
    """Results under their days."""
    days: list[Day] = []
    for one in listed:
        day = one.time.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if not days or days[-1].day != day:
            days.append(Day(day, []))
        days[-1].rows.append(one)
    return days


async def wider(hub: Hub, node: Node, first: datetime) -> tuple[str, int] | None:
    """Where nothing was found: how many there are before the range."""
    counts = await hub.reader.counts(node, until=first)
    count = sum(one.count for one in counts)
    return ("earliest", count) if count else None


def marker(node: Node) -> Any:
    """How summaries are marked: the words that the query looks for."""
    without = {id(inner) for part in walk(node) if isinstance(part, Not) for inner in walk(part)}
    texts = [part for part in walk(node) if isinstance(part, Text) and id(part) not in without]
    if not texts:
        return escape
    patterns = [r"[\W_]+".join(map(re.escape, text.words)) + ("" if text.prefix else r"(?![^\W_])") for text in texts]
    found = re.compile(rf"(?<![^\W_])(?:{'|'.join(patterns)})", re.IGNORECASE)

    def mark(text: str) -> Markup:
        pieces: list[Markup] = []
        at = 0
        for hit in found.finditer(text):
            pieces += [escape(text[at : hit.start()]), Markup("<mark>{}</mark>").format(hit.group())]
            at = hit.end()
        return Markup("").join([*pieces, escape(text[at:])])

    return mark


def link(given: Given, **changes: str) -> str:
    """The address with some parameters changed ("" removes); the cursor falls away."""
    rest = [pair for pair in given if pair[0] not in changes and pair[0] != "cursor"]
    more = [(name, value) for name, value in changes.items() if value]
    query = urlencode([*rest, *more])
    return f"/search?{query}" if query else "/search"


def feed(given: Given) -> str:
    """The parameters that name the same events elsewhere (live, feed, API), without range and place."""
    return urlencode([pair for pair in given if pair[0] not in ("since", "until", "cursor", "order")])
