"""`/v1/counts` and `/v1/graph/{subject}`: numbers of events, and everything tied to a thing.

In: the common parameters, `by`, `per`; a subject. Out: JSON. A span may be given in times or in sequences.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

import msgspec
from litestar import Request, Response, get

from firehose.errors import Refused
from firehose.event import rfc3339
from firehose.query.tree import both
from firehose.web import asked
from firehose.web.encodings import FORMS, renderer
from firehose.web.given import GivenHub

Asked = Request[Any, Any, Any]
BY: Final = ("", "source", "kind", "project", "actor", "outcome", "severity")
PER: Final = ("", "minute", "hour", "day")
MOST_GROUPS: Final = 1_000
MOST_IN_GRAPH: Final = 500
UNFIT: Final = {
    "cursor": "counts have no cursor; give since and until",
    "order": "counts come by time, then the largest first; they have no other order",
}
"""Common parameters that mean nothing here, and why."""


@get("/v1/counts")
async def counts(request: Asked, hub: GivenHub) -> Response[Any]:
    """Numbers of events by group and bucket of time."""
    given = asked.pairs(request.scope["query_string"])
    wanted = asked.read(given, hub, also=("by", "per"))
    for name, why in UNFIT.items():
        if asked.single(given, name):
            raise Refused(why, slug="bad-parameter", field=name)
    by, per = asked.choice(given, "by", BY), asked.choice(given, "per", PER)
    found = await hub.reader.counts(
        both(wanted.node, *asked.bounds(wanted, hub.live.head)),
        by=by,
        per=per,
        since=wanted.since.moment if wanted.since else None,
        until=wanted.until.moment if wanted.until else None,
        limit=wanted.limit if asked.single(given, "limit") else MOST_GROUPS,
    )
    rows = [
        {"count": count.count, **({"group": count.group} if by else {}),
         **({"start": rfc3339(count.start)} if count.start else {})}
        for count in found
    ]  # fmt: skip
    body = {"by": by, "per": per, "counts": rows, "total": found.total, "truncated": found.truncated}
    return Response(msgspec.json.encode(body), media_type="application/json", headers={"cache-control": "no-cache"})


@get("/v1/graph/{subject:path}")
async def graph(request: Asked, hub: GivenHub) -> Response[Any]:
    """Everything tied to a change, a build, a story: oldest first."""
    given = asked.pairs(request.scope["query_string"])
    asked.only(given, ("as", "limit"))
    form = asked.choice(given, "as", FORMS)
    limit = asked.number(given, "limit", MOST_IN_GRAPH, least=1, most=MOST_IN_GRAPH)
    name = asked.tail(request.scope["raw_path"], "/v1/graph/")
    events = await hub.reader.graph(name, limit=limit)
    if not events:
        raise Refused(f"nothing is known about {name[:100]!r}", slug="not-found", status=404)
    rest = {"subject": name, "complete": len(events) < limit, "links": {"follow": f"/v1/stream?subject={quote(name)}"}}
    body = b'{"events":[%b],%b' % (b",".join(map(renderer(form), events)), msgspec.json.encode(rest)[1:])
    return Response(body, media_type="application/json", headers={"cache-control": "no-cache"})


HANDLERS: Final[list[Any]] = [counts, graph]
