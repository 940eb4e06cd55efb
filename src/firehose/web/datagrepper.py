"""`/raw`, `/v2/search`, `/id` and `/v2/id` as datagrepper answers them.

In: its parameters. Out: its JSON. What they mean is `doors/datagrepper.py`; here the history is asked: as many pages
by cursor as the page number wants, and the count of all that match. A search that costs too much is refused with the
way out, not cut short in silence.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from litestar import Request, Response, get

from firehose.doors import datagrepper
from firehose.errors import Refused
from firehose.event import Recorded
from firehose.web import asked
from firehose.web.given import GivenHub
from firehose.web.hub import Hub

CHUNK: Final = 1_000
MOST_CALLS: Final = 30
"""Questions to the history for one page: the deepest page, and some that ended early."""
_JSON: Final = "application/json"
Asking = Request[Any, Any, Any]


@get(["/raw", "/v2/search"], include_in_schema=False)
async def search(request: Asking, hub: GivenHub) -> Response[bytes]:
    """A page of messages."""
    given = asked.pairs(request.scope["query_string"])
    wanted = datagrepper.read(given, hub.now())
    events = await page(hub, wanted)
    total = sum(count.count for count in await hub.reader.counts(wanted.node))
    fedora = request.scope["path"].startswith("/v2/")
    return _json(datagrepper.answer(wanted, events, total, fedora=fedora))


@get(["/id", "/v2/id"], include_in_schema=False)
async def by_id(request: Asking, hub: GivenHub) -> Response[bytes]:
    """One message."""
    given = asked.pairs(request.scope["query_string"])
    wanted = asked.single(given, "id")
    if not wanted:
        raise Refused("the parameter id is missing", slug="bad-parameter", field="id")
    found = await hub.reader.by_id(wanted)
    if not found:
        raise Refused(f"there is no event with the id {wanted[:100]!r}", slug="not-found", status=404, field="id")
    form = datagrepper.message if request.scope["path"].startswith("/v2/") else datagrepper.raw
    return _json(form(found[0]))


async def page(hub: Hub, wanted: datagrepper.Search) -> list[Recorded]:
    """The events of a page."""
    last = wanted.skip + wanted.rows
    found: list[Recorded] = []
    after = before = 0
    for _ in range(MOST_CALLS):
        part = await hub.reader.find(
            wanted.node,
            after=after,
            before=before,
            descending=wanted.descending,
            limit=min(CHUNK, last - len(found)),
        )
        found.extend(part.events)
        if part.cursor is None or len(found) >= last:
            return found[wanted.skip : last]
        after, before = (0, part.cursor) if wanted.descending else (part.cursor, 0)
    raise Refused(
        "this search looks at too many events; give start and end, or go on by cursor at /v1/events",
        slug="too-costly",
        field="start",
    )


def _json(value: object) -> Response[bytes]:
    return Response(msgspec.json.encode(value), media_type=_JSON)


HANDLERS: Final = (search, by_id)
