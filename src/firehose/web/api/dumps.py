"""Hourly dumps: the list, the signed index, and the files.

In: a name. Out: JSON, or bytes as they lie on disk. A dump never changes, so readers may keep it for ever; its SHA-256
is its entity tag. Everything that makes dumps is `history/dumps.py`'s.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from litestar import Request, Response, get
from litestar.datastructures import ETag
from litestar.params import FromPath
from litestar.response import File

from firehose.errors import Refused
from firehose.history.dumps import Dumps
from firehose.web import asked
from firehose.web.given import GivenHub
from firehose.web.hub import Hub

Asked = Request[Any, Any, Any]
INDEX: Final = "index.ndjson"


@get("/v1/dumps")
async def dumps(request: Asked, hub: GivenHub) -> Response[dict[str, Any]]:
    """What can be taken, oldest first, and the key that signs the index."""
    asked.only(asked.pairs(request.scope["query_string"]), ())
    kept = await asyncio.to_thread(_dumps, hub)
    entries = await asyncio.to_thread(kept.list)
    base = f"{hub.settings.public_url}/v1/dumps"
    found = [
        {"name": entry.name, "link": f"{base}/{entry.name}", "first": f"{entry.first:020d}",
         "last": f"{entry.last:020d}", "count": entry.count, "bytes": entry.bytes, "sha256": entry.sha256}
        for entry in entries
    ]  # fmt: skip
    return Response({"dumps": found, "index": f"{base}/{INDEX}", "public_key": kept.public_key, "algorithm": "ed25519"})


@get("/v1/dumps/{name:str}")
async def dump(request: Asked, hub: GivenHub, name: FromPath[str]) -> Response[bytes] | File:
    """A dump's file, or the index as it is signed."""
    asked.only(asked.pairs(request.scope["query_string"]), ())
    kept = await asyncio.to_thread(_dumps, hub)
    if name == INDEX:
        return Response(await asyncio.to_thread(kept.index), media_type="application/x-ndjson")
    path = kept.path(name)
    entry = next((entry for entry in await asyncio.to_thread(kept.list) if entry.name == name), None)
    if path is None or entry is None:
        raise Refused(f"there is no dump {name!r}; /v1/dumps lists them", slug="not-found", status=404)
    return File(
        path, filename=name, media_type="application/zstd", etag=ETag(value=entry.sha256),
        headers={"cache-control": "public, max-age=31536000, immutable"},
    )  # fmt: skip


def _dumps(hub: Hub) -> Dumps:
    return Dumps(hub.settings.data / "dumps", hub.settings.data / "keys" / "dumps.key")


HANDLERS: Final[list[Any]] = [dumps, dump]
