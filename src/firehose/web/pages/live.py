"""The Live page: the newest events that fit a query, its rate, and the chips; scripts keep it moving.

In: the query in the address. Out: a complete page with the newest 200 events, read from the ring and, where that is too
short, from the history. The live part is `static/js/live.js`, which follows `/v1/stream` from the page's cursor.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
import structlog
from litestar import Response, get
from litestar.params import FromQuery

from firehose.event import Recorded
from firehose.query.match import predicate
from firehose.query.terms import parts
from firehose.query.tree import Everything, Is, Node, Not
from firehose.web.given import GivenHub
from firehose.web.hub import Hub
from firehose.web.pages import charts, families, figures, wording
from firehose.web.pages.asked import Asked, ask
from firehose.web.pages.batches import fold
from firehose.web.pages.render import fragment, page, sources_of
from firehose.web.pages.rows import rows

log = structlog.get_logger("pages")
SHOWN: Final = 200
MINUTES: Final = 60
SPARK_HEIGHT: Final = 22


class Chip(msgspec.Struct, frozen=True):
    """A family on the filter line: its sources, how many events in the last hour, whether the query lets it in."""

    family: str
    title: str
    sources: list[str]
    count: int
    on: bool


@get("/", include_in_schema=False)
async def live(hub: GivenHub, q: FromQuery[str] = "") -> Response[str]:
    """The stream, live."""
    asked = ask(q, hub.now())
    node = asked.node if asked.node is not None else Everything()
    head = hub.live.head
    found, more = await newest(hub, node, SHOWN)
    values = {
        "asked": asked,
        "rows": fold(found, rows(found, sources_of(hub))),
        "oldest": found[-1].sequence if found else 0,
        "more": more,
        "last": found[0] if found else None,
        "sources": len(hub.ledger.report()),
        "feed": urlencode({"q": asked.text}) if asked.text else "",
        "data": {"cursor": wording.cursor20(head), "q": asked.text if asked.node is not None else "", "more": more},
    }
    return page(hub, "live.html", "live", values | await rate_and_chips(hub, asked, node))


@get("/pages/rate", include_in_schema=False)
async def rate(hub: GivenHub, q: FromQuery[str] = "") -> Response[str]:
    """The sparkline and the chips again; the page asks now and then."""
    asked = ask(q, hub.now())
    return fragment(hub, "rate.html", await rate_and_chips(hub, asked, asked.node or Everything()))


async def newest(hub: Hub, node: Node, limit: int) -> tuple[list[Recorded], bool]:
    """The newest events that fit, newest first, and whether there may be more: from memory, then from the history."""
    fits = predicate(node)
    held = hub.live.since(hub.live.floor - 1, limit=hub.live.head) or []
    found = [event for event in reversed(held) if fits(event)][:limit]
    if len(found) == limit:
        return found, True
    try:
        older = await hub.reader.find(node, before=hub.live.floor, descending=True, limit=limit - len(found))
    except Exception as error:
        log.warning("the history does not answer the Live page", error=repr(error))
        return found, False
    return [*found, *older.events], older.cursor is not None


async def rate_and_chips(hub: Hub, asked: Asked, node: Node) -> dict[str, Any]:
    """The last hour by minute for the query, and by source for the chips."""
    now = hub.now()
    since = wording.whole(now, timedelta(minutes=1)) - timedelta(minutes=MINUTES - 1)
    try:
        # When things happened: a source that caught up on a day makes no mountain of this minute.
        span = await figures.hour(hub, since, now)
        by_outcome = await figures.counted(hub, node, span, "outcome", "minute", 5_000)
        by_source = await figures.counted(hub, Everything(), span, "source")
    except Exception as error:
        log.warning("the history does not count for the Live page", error=repr(error))
        return {"chart": None, "per_second": 0.0, "chips": chips(hub, asked, Counter())}
    all_, bad = [0] * MINUTES, [0] * MINUTES
    for count in by_outcome:
        place = minute_of(count.start, since)
        if 0 <= place < MINUTES:
            all_[place] += count.count
            bad[place] += count.count if count.group == "failure" else 0
    label = f"Events a minute over the last hour, {min(all_):,} to {max(all_):,}, failures below"
    # The mean of what the strip shows: the minute that has just begun is not over yet.
    per_second = sum(all_) / (60 * (MINUTES - 1) + max(now.second, 1))
    counted = Counter({count.group: count.count for count in by_source})
    return {
        "chart": charts.spark(all_, bad, SPARK_HEIGHT, label),
        "per_second": per_second,
        "chips": chips(hub, asked, counted),
    }


def minute_of(start: datetime | None, since: datetime) -> int:
    """Which minute of the hour a bucket is, from 0."""
    return -1 if start is None else int((start - since).total_seconds() // 60)


def chips(hub: Hub, asked: Asked, counted: Counter[str]) -> list[Chip]:
    """The families that this hub has, in their fixed order."""
    known = sources_of(hub)
    for source in counted:
        known.setdefault(source, "hub")
    wanted = parts(asked.node or Everything())
    made: list[Chip] = []
    for family, title in families.TITLES.items():
        names = sorted(name for name, own in known.items() if own == family)
        if names:
            on = not all(Not(Is("source", name)) in wanted for name in names)
            made.append(Chip(family, title, names, sum(counted[name] for name in names), on))
    return made
