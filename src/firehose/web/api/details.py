"""`GET /v1/details/{event}`: the bulk that belongs to an event, such as each test of a run.

In: an event's id or sequence. Out: its detail as JSON; 404 when it has none.
"""

from __future__ import annotations

from typing import Any, Final

from litestar import Request, Response, get

from firehose.errors import Refused
from firehose.event import identity
from firehose.web import asked
from firehose.web.api.events import lookup
from firehose.web.given import GivenHub


@get("/v1/details/{ref:path}")
async def detail(request: Request[Any, Any, Any], hub: GivenHub) -> Response[bytes]:
    """What is stored beside an event."""
    asked.only(asked.pairs(request.scope["query_string"]), ())
    details = hub.gate.details
    ref = asked.tail(request.scope["raw_path"], "/v1/details/")
    for event in await lookup(hub, ref) if details else []:
        found = await details.get(identity(event.envelope.source, event.envelope.id)) if details else None
        if found is not None:
            headers = {"content-security-policy": "sandbox; default-src 'none'", "cache-control": "public, max-age=60"}
            return Response(found, media_type="application/json", headers=headers)
    raise Refused("this event has no detail beside it", slug="not-found", status=404)


HANDLERS: Final[list[Any]] = [detail]
