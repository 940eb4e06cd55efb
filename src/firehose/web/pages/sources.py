"""The Sources page: how each source and sink is, why, and what to do; the quarantine, for those who may.

In: the ledger's books. Out: a table that a script refreshes, banners for troubles, the last failure with its sample.
The quarantine is read and judged again through the API with an admin's token; this module never sees one.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, Final

import msgspec
from litestar import Response, get

from firehose.intake.ledger import NOTHING_YET, Health
from firehose.web.given import GivenHub
from firehose.web.hub import Hub
from firehose.web.pages import charts, connectors, outlets, wording
from firehose.web.pages.render import fragment, page

STATES: Final = {
    "healthy": ("ok", "o-ok", "healthy"),
    "quiet": ("warn", "o-warn", "quiet"),
    "refusing": ("bad", "o-bad", "refusing"),
    "down": ("bad", "o-bad", "down"),
    "never": ("queue", "o-queue", "never spoke"),
}
ORDER: Final = ("down", "refusing", "quiet", "healthy", "never")


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the table."""

    health: Health
    state: str
    icon: str
    word: str
    about: str
    silent: float
    full: str
    late: bool
    spark: charts.Spark


class Trouble(msgspec.Struct, frozen=True):
    """A banner: which source, how bad, the sentence, and the last failure when there is one."""

    source: Source
    state: str
    head: str
    text: str
    since: datetime | None


@get("/sources", include_in_schema=False)
async def sources(hub: GivenHub) -> Response[str]:
    """All sources."""
    given = values(hub) | await outlets.values(hub)
    reading = frozenset((one.health.kind, one.health.name) for one in given["sources"])
    writing = frozenset((one.health.kind, one.health.name) for one in given["outlets"] or ())
    given["connectors"] = await asyncio.to_thread(connectors.known, reading, writing)
    return page(hub, "sources.html", "sources", given)


@get("/pages/sources", include_in_schema=False)
async def table(hub: GivenHub) -> Response[str]:
    """The table and the banners again."""
    return fragment(hub, "parts/sources.html", values(hub) | await outlets.values(hub))


def values(hub: Hub) -> dict[str, Any]:
    """What the page says."""
    now = hub.now()
    listed = [describe(health, now) for health in hub.ledger.report()]
    counted = sum(sum(one.health.verdicts.values()) for one in listed)
    unreadable = sum(one.health.verdicts.get("unknown", 0) for one in listed)
    return {
        "sources": listed,
        "healthy": sum(one.health.state == "healthy" for one in listed),
        "counted": counted,
        "unreadable": unreadable,
        "problems": sorted(
            (trouble(one) for one in listed if needs_a_look(one.health)),
            key=lambda found: ORDER.index(found.source.health.state),
        ),
        "failed": [one for one in listed if one.health.trouble is not None],
    }


def needs_a_look(health: Health) -> bool:
    """Whether a banner tells of the source."""
    return health.state in ("down", "refusing", "quiet") or (health.state == "never" and health.why != NOTHING_YET)


def describe(health: Health, now: datetime) -> Source:
    """A source's line."""
    state, icon, word = STATES[health.state]
    silent = (now - health.last_event).total_seconds() if health.last_event else 0.0
    limit = health.freshness
    label = f"Events an hour over the last 24 hours, {sum(health.hours):,} in all, {sum(health.failures):,} failed"
    hours = health.hours or [0] * 24
    return Source(
        health=health,
        state=state,
        icon=icon,
        word=word,
        about=", ".join(part for part in (health.title, health.connection) if part and part != health.name),
        silent=silent,
        full=charts.percent(silent, limit) if limit and health.last_event else "0%",
        late=bool(limit and silent > limit),
        spark=charts.spark(hours, health.failures or [0] * len(hours), 20, label),
    )


def trouble(source: Source) -> Trouble:
    """The banner of a source that needs a look."""
    health = source.health
    if health.state == "down":
        return Trouble(source, "bad", f"{health.name} is not connected.", health.why, health.last_delivery)
    if health.state == "refusing":
        count = wording.number(health.verdicts.get("refused", 0))
        since = health.trouble.time if health.trouble else None
        return Trouble(
            source, "bad", f"{health.name}: deliveries are refused.", f"{count} so far: {health.why}.", since
        )
    if health.state == "never":
        return Trouble(
            source, "warn", f"{health.name} is not set up.", f"{health.why[0].upper()}{health.why[1:]}.", None
        )
    text = f"Its last event came {wording.span(source.silent)} ago, the limit is {wording.limit(health.freshness)}."
    return Trouble(source, "warn", f"{health.name} is quiet.", text, health.last_event)
