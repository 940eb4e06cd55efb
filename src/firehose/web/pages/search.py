"""The Search page: how many, when, of what, and the events themselves. Its address is its whole state.

In: the common parameters (`q`, `source`, `kind`, `project`, `actor`, `outcome`, `since`, `until`, `cursor`, `order`).
Out: a page with histogram, facets with counts, and one page of results; or what is wrong, what still works, and what
to try next. Each facet is counted without its own choice, so that a second value can be added.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
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
from firehose.query.complete import HELP
from firehose.query.tree import Node, Not, Text, both, walk
from firehose.web import asked as address
from firehose.web.given import GivenHub
from firehose.web.hub import Hub
from firehose.web.pages import charts, figures, wording
from firehose.web.pages.asked import Asked, ask, narrowed, whole
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
FACET_MOST: Final = 50
"""How many further values of a facet wait behind a button."""
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
    """A way to narrow down. `rest` waits behind a button; `more` values are not in the page at all."""

    name: str
    title: str
    values: list[Value]
    rest: list[Value]
    more: int


class Day(msgspec.Struct, frozen=True):
    """Results of one day on this page, and how many it has in all; None where that is not known."""

    day: datetime
    rows: list[Row]
    total: int | None


@get("/search", include_in_schema=False)
async def search(request: Request[Any, Any, Any], hub: GivenHub) -> Response[str]:
    """Search the history."""
    given = [pair for pair in address.pairs(request.scope["query_string"]) if pair[1]]
    now = hub.now()
    box, said = read(given, now)
    values: dict[str, Any] = {
        "asked": box, "given": given, "problem": None, "broken": False, "facets": [], "histogram": None, "days": [],
        "older": "", "newest": "", "took": 0, "ranges": figures.RANGES, "range": "", "partial": False,
        "feed": feed(given), "with_": lambda **changes: link(given, **changes), "order": "desc", "wider": 0, "shown": 0,
        "kept": [pair for pair in given if pair[0] in ("since", "until", "order")], "zoomed": False, "data": {},
        "mark": escape, "help": HELP.items(), "whole": said,
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


def read(given: Given, now: datetime) -> tuple[Asked, str]:
    """The query as the box shows it, and with the ticked facets as terms of it, for links to other rooms."""
    text = next((value for name, value in given if name == "q"), "")
    try:
        return ask(text, now, narrowed(given, now)), whole(given, now)
    except Refused:
        return ask(text, now), text


async def results(hub: Hub, given: Given, now: datetime) -> dict[str, Any]:
    """Everything that the history says about the request."""
    ask_ = params.read(given, now)
    span = await figures.span_of(hub, ask_, now)
    node = both(ask_.node, span.node)
    window = await address.window(timeless(ask_), hub)
    found, histogram, facets = await asyncio.gather(
        _find(hub, node, window, ask_.descending),
        figures.histogram(hub, ask_.node, span, now),
        asyncio.gather(*(facet(hub, name, title, given, span, now) for name, title in FACETS)),
    )
    listed = rows(found.events, sources_of(hub))
    base = [pair for pair in given if pair[0] != "cursor"]
    data = {"starts": histogram.starts, "all": histogram.all, "bad": histogram.bad, "step": histogram.step}
    return {
        "facets": [one for one in facets if one.values],
        "histogram": histogram,
        "days": by_day(listed, histogram, limited=ask_.since is not None),
        "shown": len(listed),
        "older": f"/search?{urlencode([*base, ('cursor', wording.cursor20(found.cursor))])}" if found.cursor else "",
        "newest": f"/search?{urlencode(base)}" if ask_.cursor is not None else "",
        "partial": found.partial,
        "order": "desc" if ask_.descending else "asc",
        "range": span.word,
        "zoomed": any(name in ("since", "until") for name, _ in given),
        "wider": await wider(hub, ask_.node) if not listed and ask_.cursor is None and ask_.since is not None else 0,
        "mark": marker(ask_.node),
        "data": data if histogram.total else {},
    }


def timeless(asked: params.Request) -> params.Request:
    """The request without its range of time, which is a part of the query here; sequences stay."""
    since = None if asked.since and asked.since.moment else asked.since
    until = None if asked.until and asked.until.moment else asked.until
    return msgspec.structs.replace(asked, since=since, until=until)


async def _find(hub: Hub, node: Node, window: params.Window, descending: bool) -> Page:
    if window.empty:
        return Page([])
    return await hub.reader.find(node, after=window.after, before=window.before, descending=descending, limit=SHOWN)


async def facet(hub: Hub, name: str, title: str, given: Given, span: figures.Span, now: datetime) -> Facet:
    """The values of a facet, most often first; chosen ones are always shown."""
    chosen = [value for key, value in given if key == name]
    others = params.read([pair for pair in given if pair[0] not in (name, "cursor")], now).node
    counts: list[Count] = await figures.counted(hub, others, span, name)
    ordered = sorted(counts, key=lambda count: (-count.count, count.group))
    if name != "outcome":
        ordered = [count for count in ordered if count.group]
    top = ordered[0].count if ordered else 0
    shown = [count for at, count in enumerate(ordered) if at < FACET_SHOWN or count.group in chosen]
    missing = [Count(value, 0) for value in chosen if value not in {count.group for count in shown}]
    rest = [count for count in ordered[FACET_SHOWN:] if count.group not in chosen]
    families = sources_of(hub)

    def value(count: Count) -> Value:
        return Value(
            count.group,
            MARKS.get(count.group, ("", "", count.group))[2] if name == "outcome" else count.group,
            count.count,
            count.group in chosen,
            charts.percent(count.count, top),
            family_of(count.group, "", families) if name == "source" else "",
        )

    # "No outcome" cannot be chosen by a parameter of its own, it stands there as a number.
    values = [value(count) for count in [*shown, *missing] if count.group or name == "outcome"]
    folded = [value(count) for count in rest[:FACET_MOST]]
    return Facet(name, title, values, folded, len(rest) - len(folded))


def by_day(listed: list[Row], histogram: figures.Histogram, *, limited: bool) -> list[Day]:
    """Results under their days. `limited`: the range is asked for, so that nothing before it is among them."""
    days: list[Day] = []
    for one in listed:
        day = one.time.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if not days or days[-1].day != day:
            whole_day = limited or day >= histogram.first or not histogram.cut
            days.append(Day(day, [], histogram.of_day(day) if whole_day else None))
        days[-1].rows.append(one)
    return days


async def wider(hub: Hub, node: Node) -> int:
    """Where nothing was found: how many there are outside of the range."""
    return sum(count.count for count in await hub.reader.counts(node))


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
