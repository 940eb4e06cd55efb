"""What the hub can be asked about itself: sources and their health, kinds, schemas, how a query reads.

In: nothing, or the text of a query with the caret. Out: JSON. None of it is private.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from typing import Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath

from firehose import source as sources
from firehose.errors import Refused
from firehose.query.complete import complete
from firehose.query.explain import explain, plain
from firehose.query.ink import ink
from firehose.query.parse import MAX_LENGTH, parse
from firehose.query.tree import FIELDS
from firehose.web import asked
from firehose.web.api.schemas import SCHEMAS
from firehose.web.given import GivenHub
from firehose.web.pages.known import known, lookup

Asked = Request[Any, Any, Any]
_KIND: Final = re.compile(r"(?<![\w.])[a-z]+(?:\.[a-z]+)+\b")


@get("/v1/sources")
async def health(request: Asked, hub: GivenHub) -> Response[Any]:
    """Every source with its state, counts and last trouble."""
    asked.only(asked.pairs(request.scope["query_string"]), ())
    return _json({"sources": hub.ledger.report(), "head": f"{hub.live.head:020d}"})


@get("/v1/kinds")
async def kinds(request: Asked, hub: GivenHub) -> Response[Any]:
    """The normalised kinds, and what each kind of source maps and ignores. `set_up`: names in this hub's settings."""
    asked.only(asked.pairs(request.scope["query_string"]), ())
    names: dict[str, list[str]] = {}
    for instance in hub.gate.instances.values():
        names.setdefault(instance.kind.name, []).append(instance.name)
    found = [
        {
            "name": kind.name,
            "title": kind.title,
            "family": kind.family,
            "set_up": names.get(kind.name, []),
            "kinds": dict(kind.kinds),
            "ignored": dict(kind.ignored),
        }
        for kind in map(sources.load, sources.kinds())
    ]
    every = sorted({word for kind in map(sources.load, sources.kinds()) for word in normalised(kind.kinds.values())})
    return _json({"kinds": every, "sources": found})


def normalised(told: Iterable[str]) -> set[str]:
    """The kinds that these texts name; the other words say when a kind is meant."""
    return {word for text in told for word in _KIND.findall(text)}


@get("/v1/schemas")
async def schema_list(request: Asked, hub: GivenHub) -> Response[Any]:
    """The schemas that there are."""
    asked.only(asked.pairs(request.scope["query_string"]), ())
    base = hub.settings.public_url
    return _json({"schemas": {name: f"{base}/v1/schemas/{name}" for name in SCHEMAS}})


@get("/v1/schemas/{name:str}")
async def schema(request: Asked, hub: GivenHub, name: FromPath[str]) -> Response[Any]:
    """One JSON schema."""
    asked.only(asked.pairs(request.scope["query_string"]), ())
    if name not in SCHEMAS:
        raise Refused(f"there is no schema {name[:100]!r}; /v1/schemas lists them", slug="not-found", status=404)
    body = {"$id": f"{hub.settings.public_url}/v1/schemas/{name}", **SCHEMAS[name]}
    return Response(msgspec.json.encode(body), media_type="application/schema+json")


@get("/v1/query")
async def query(request: Asked, hub: GivenHub) -> Response[Any]:
    """How a query reads: coloured pieces, words, the error with its place, and what may stand at the caret."""
    given = asked.pairs(request.scope["query_string"])
    asked.only(given, ("q", "caret"))
    text = asked.single(given, "q")[: MAX_LENGTH + 1]
    caret = min(asked.number(given, "caret", len(text)), len(text))
    error: dict[str, object] | None = None
    words: list[Any] = []
    place: tuple[int, int] = (-1, 0)
    try:
        words = explain(parse(text, hub.now(), FIELDS), hub.now())
    except Refused as refused:
        error = {"detail": refused.detail, **refused.extra}
        place = (int(str(refused.extra.get("position", -1))), int(str(refused.extra.get("length", 0))))
    values = await known(hub)
    return _json({
        "q": text,
        "ink": ink(text, position=place[0], length=place[1]),
        "explanation": plain(words),
        "segments": words,
        "error": error,
        "completions": complete(text, caret, partial(lookup, values)),
    })  # fmt: skip


def _json(value: object) -> Response[Any]:
    return Response(msgspec.json.encode(value), media_type="application/json", headers={"cache-control": "no-cache"})


HANDLERS: Final[list[Any]] = [health, kinds, schema_list, schema, query]
