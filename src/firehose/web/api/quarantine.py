"""`/v1/quarantine`: deliveries that nobody could read; look, judge again, discard. For tokens with the scope `admin`.

In: a token and a number. Out: entries with the whole delivery. What an admin does is written to the audit table.
"""

from __future__ import annotations

import base64
from typing import Any, Final

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.params import FromPath

from firehose.errors import Refused
from firehose.event import rfc3339
from firehose.intake.gate import QUARANTINE, Quarantined
from firehose.web import asked, hooks
from firehose.web.given import GivenHub
from firehose.web.hub import Hub

Asked = Request[Any, Any, Any]
DEFAULT: Final = 50
MOST: Final = 500


@get("/v1/quarantine")
async def entries(request: Asked, hub: GivenHub) -> Response[Any]:
    """What is in quarantine, newest first; `before` goes on."""
    admin(request, hub)
    given = asked.pairs(request.scope["query_string"])
    asked.only(given, ("before", "limit"))
    limit = asked.number(given, "limit", DEFAULT, least=1, most=MOST)
    kept = await hub.bus.shelf(QUARANTINE, before=asked.number(given, "before", 0), limit=limit)
    found = [
        {
            "number": entry.number,
            "time": rfc3339(entry.time),
            **brief(msgspec.json.decode(entry.payload, type=Quarantined)),
        }
        for entry in kept
    ]
    return _json({"entries": found, "before": kept[-1].number if len(kept) == limit else None})


@get("/v1/quarantine/{number:int}")
async def entry(request: Asked, hub: GivenHub, number: FromPath[int]) -> Response[Any]:
    """One entry with the delivery as it came (without what proved its sender)."""
    admin(request, hub)
    found = await hub.gate.quarantined(number)
    try:
        body = {"body": found.delivery.body.decode()}
    except UnicodeDecodeError:
        body = {"body_base64": base64.b64encode(found.delivery.body).decode()}
    return _json({"number": number, **brief(found), "headers": dict(found.delivery.headers), **body})


@post("/v1/quarantine/{number:int}/retry", status_code=200)
async def retry(request: Asked, hub: GivenHub, number: FromPath[int]) -> Response[Any]:
    """Judge a delivery again; it leaves the quarantine when it is readable now, else 409 says why it is not."""
    token = admin(request, hub)
    receipt = await hub.gate.again(number)
    hub.tokens.note("quarantine.retried", str(number), f"token {token}")
    return Response(hooks.answer(receipt), status_code=hooks.status(receipt), media_type="application/json")


@post("/v1/quarantine/{number:int}/discard", status_code=200)
async def discard(request: Asked, hub: GivenHub, number: FromPath[int]) -> Response[Any]:
    """Remove a delivery for good."""
    return await _discard(request, hub, number)


@delete("/v1/quarantine/{number:int}", status_code=200)
async def remove(request: Asked, hub: GivenHub, number: FromPath[int]) -> Response[Any]:
    """The same by the method that says so."""
    return await _discard(request, hub, number)


async def _discard(request: Asked, hub: Hub, number: int) -> Response[Any]:
    token = admin(request, hub)
    if not await hub.gate.discard(number):
        raise Refused(f"there is no quarantined delivery {number}", slug="not-found", status=404)
    hub.tokens.note("quarantine.discarded", str(number), f"token {token}")
    return _json({"number": number, "discarded": True})


def brief(entry_: Quarantined) -> dict[str, object]:
    """An entry without the delivery's bytes."""
    delivery = entry_.delivery
    return {
        "source": delivery.source,
        "verdict": entry_.verdict,
        "cause": entry_.cause,
        "detail": entry_.detail,
        "field": entry_.field,
        "channel": delivery.channel,
        "topic": delivery.topic,
        "received": rfc3339(delivery.received),
        "size": len(delivery.body),
    }


def admin(request: Asked, hub: Hub) -> int:
    """The number of the admin's token; `Refused` (401, 403) when there is none."""
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not text:
        raise Refused("this needs a token with the scope admin", slug="unauthorized", status=401)
    token = hub.tokens.check(text.strip())
    if token is None or not token.has("admin"):
        raise Refused(
            "the token is not valid here; it needs the scope 'admin': firehose token create --scope admin",
            slug="bad-token", status=403,
        )  # fmt: skip
    return token.number


def _json(value: object) -> Response[Any]:
    return Response(msgspec.json.encode(value), media_type="application/json", headers={"cache-control": "no-store"})


HANDLERS: Final[list[Any]] = [entries, entry, retry, discard, remove]
