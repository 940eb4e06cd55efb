"""`/v1/deadletters`: messages that a sink did not take; look, send again, discard. For tokens with the scope `admin`.

In: a token and a number. Out: entries with their event. What an admin does is written to the audit table.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.params import FromPath

from firehose.bus.contract import Kept
from firehose.delivery import deadletters
from firehose.delivery.deadletters import DeadLetter
from firehose.delivery.room import RESERVED
from firehose.errors import Refused
from firehose.event import rfc3339
from firehose.web import asked
from firehose.web.api.quarantine import admin
from firehose.web.given import GivenHub
from firehose.web.hub import Hub

Asked = Request[Any, Any, Any]
DEFAULT: Final = 50
MOST: Final = 500


@get("/v1/deadletters")
async def entries(request: Asked, hub: GivenHub) -> Response[Any]:
    """What no sink took, newest first; `before` goes on."""
    admin(request, hub)
    given = asked.pairs(request.scope["query_string"])
    asked.only(given, ("before", "limit"))
    limit = asked.number(given, "limit", DEFAULT, least=1, most=MOST)
    found = await deadletters.letters(hub.bus, before=asked.number(given, "before", 0), limit=limit)
    more = found[-1][0].number if len(found) == limit else None
    return _json({"entries": [brief(kept, dead) for kept, dead in found], "before": more})


@get("/v1/deadletters/{number:int}")
async def entry(request: Asked, hub: GivenHub, number: FromPath[int]) -> Response[Any]:
    """One letter with its event."""
    admin(request, hub)
    kept, dead = await deadletters.find(hub.bus, number)
    event = dead.event
    whole = {} if event is None else {"event": msgspec.Raw(event.json)}
    return _json({**brief(kept, dead), **whole})


@post("/v1/deadletters/{number:int}/replay", status_code=200)
async def replay(request: Asked, hub: GivenHub, number: FromPath[int]) -> Response[Any]:
    """Send a letter again; it comes back when it fails again."""
    token = admin(request, hub)
    _, dead = await deadletters.find(hub.bus, number)
    if dead.sink not in (*hub.settings.sinks, RESERVED):
        raise Refused(f"the sink {dead.sink!r} is no longer in the settings", slug="unknown-sink", status=409)
    await deadletters.replay(hub.bus, number)
    hub.tokens.note("deadletter.replayed", str(number), f"token {token}")
    return _json({"number": number, "sink": dead.sink, "replayed": True})


@post("/v1/deadletters/{number:int}/discard", status_code=200)
async def discard(request: Asked, hub: GivenHub, number: FromPath[int]) -> Response[Any]:
    """Remove a letter for good."""
    return await _discard(request, hub, number)


@delete("/v1/deadletters/{number:int}", status_code=200)
async def remove(request: Asked, hub: GivenHub, number: FromPath[int]) -> Response[Any]:
    """The same by the method that says so."""
    return await _discard(request, hub, number)


async def _discard(request: Asked, hub: Hub, number: int) -> Response[Any]:
    token = admin(request, hub)
    if not await deadletters.discard(hub.bus, number):
        raise Refused(f"there is no dead letter {number}", slug="not-found", status=404)
    hub.tokens.note("deadletter.discarded", str(number), f"token {token}")
    return _json({"number": number, "discarded": True})


def brief(kept: Kept, dead: DeadLetter) -> dict[str, object]:
    """A letter without its event's payload."""
    event = dead.event
    return {
        "number": kept.number,
        "time": rfc3339(kept.time),
        "sink": dead.sink,
        "lane": dead.lane,
        "sequence": f"{dead.sequence:020d}",
        "failures": dead.failures,
        "error": dead.error,
        "since": rfc3339(dead.since),
        "kind": event.envelope.kind if event else "",
        "subject": event.envelope.subject if event else "",
        "summary": event.envelope.summary if event else "",
    }


def _json(value: object) -> Response[Any]:
    return Response(msgspec.json.encode(value), media_type="application/json", headers={"cache-control": "no-store"})


HANDLERS: Final[list[Any]] = [entries, entry, replay, discard, remove]
