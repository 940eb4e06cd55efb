"""The sinks on the Sources page: how each way out is, how far behind, what it did not take.

In: the books of every sink, as `/v1/sinks` reports them. Out: lines for a table and banners. Dead letters are read and
sent again through the API with an admin's token; this module never sees one.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import structlog

from firehose.delivery.books import SinkHealth
from firehose.web.api.sinks import report
from firehose.web.hub import Hub
from firehose.web.pages import wording

log = structlog.get_logger("pages")
STATES: Final = {
    "healthy": ("ok", "o-ok", "healthy"),
    "idle": ("queue", "o-queue", "idle"),
    "waiting": ("run", "o-run", "sending"),
    "away": ("warn", "o-warn", "away"),
    "slowed": ("warn", "o-warn", "slowed down"),
    "disabled": ("bad", "o-bad", "switched off"),
    "broken": ("bad", "o-bad", "broken"),
}
TROUBLED: Final = ("away", "disabled", "broken")


class Outlet(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the table. `behind`: how long its oldest message waits, seconds."""

    health: SinkHealth
    state: str
    icon: str
    word: str
    wants: str
    behind: float


class Away(msgspec.Struct, frozen=True):
    """A banner: which sink, how bad, the sentences, since when."""

    outlet: Outlet
    state: str
    head: str
    text: str


async def values(hub: Hub) -> dict[str, Any]:
    """What the page says of the sinks; `None` where nobody answers."""
    try:
        found = await report(hub)
    except Exception as error:
        log.warning("the sinks cannot be read for the Sources page", error=repr(error))
        return {"outlets": None, "away": [], "dead": 0}
    listed = [describe(hub, health) for health in found]
    return {
        "outlets": listed,
        "away": [trouble(one) for one in listed if one.health.state in TROUBLED],
        "dead": sum(one.health.dead for one in listed),
    }


def describe(hub: Hub, health: SinkHealth) -> Outlet:
    """A sink's line."""
    state, icon, word = STATES.get(health.state, ("none", "o-unknown", health.state))
    wants = " ".join([health.query, *health.topics]).strip() or "every event"
    behind = (hub.now() - health.oldest).total_seconds() if health.oldest else 0.0
    return Outlet(health=health, state=state, icon=icon, word=word, wants=wants, behind=behind)


def trouble(one: Outlet) -> Away:
    """The banner of a sink that needs a look. Nothing is lost while it waits, and that is said."""
    health = one.health
    text = f"{health.why[:1].upper()}{health.why[1:]}." if health.why else ""
    waiting = wording.plural(health.open, "message")
    match health.state:
        case "disabled":
            return Away(one, "bad", f"{health.name} is switched off by its receiver.", text)
        case "broken":
            return Away(one, "bad", f"{health.name} cannot run.", text)
        case _:
            return Away(one, "warn", f"{health.name} cannot be reached.", f"{text} {waiting} on the way, none is lost.")
