"""`GET /v1/details/{event}`: the bulk that belongs to an event, such as each test of a run.

In: an event's id or sequence. Out: its detail as JSON; 404 when it has none.
"""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get
from litestar.params import FromPath

from firehose.errors import Refused
from firehose.event import identity
from firehose.web.api.events import lookup
from firehose.web.given import GivenHub


@get("/v1/details/{ref:path}")
async def detail(hub: GivenHub, ref: FromPath[str]) -> Response[bytes]:
    """What is stored beside an event."""
    details = hub.gate.details
    for event in await lookup(hub, ref.lstrip("/")) if details else []:
        found = await details.get(identity(event.envelope.source, event.envelope.id)) if details else None
        if found is not None:
            headers = {"content-security-policy": "sandbox; default-src 'none'", "cache-control": "public, max-age=60"}
            return Response(found, media_type="application/json", headers=headers)
    raise Refused("this event has no detail beside it", slug="not-found", status=404)


HANDLERS: Final[list[Any]] = [detail]
