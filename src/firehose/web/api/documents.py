"""`/openapi.json` and `/asyncapi.json`: the machine-readable documents of this hub."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from litestar import Response, get

from firehose.web.api import asyncapi, openapi
from firehose.web.given import GivenHub


@get("/openapi.json")
async def http(hub: GivenHub) -> Response[Any]:
    """Every HTTP address."""
    return _document(openapi.document(hub.settings.hub.name, hub.settings.public_url))


@get("/asyncapi.json")
async def channels(hub: GivenHub) -> Response[Any]:
    """Every channel."""
    return _document(asyncapi.document(hub.settings.hub.name, hub.addresses))


def _document(found: dict[str, Any]) -> Response[Any]:
    return Response(
        msgspec.json.encode(found), media_type="application/json", headers={"cache-control": "public, max-age=300"}
    )


HANDLERS: Final[list[Any]] = [http, channels]
