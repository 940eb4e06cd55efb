"""Small answers for the scripts of the pages: the query's colours and words, completions, the hub's pulse, jumps.

In: what somebody is typing. Out: JSON. These addresses belong to the pages and may change with them; programs use
`/v1`. Answers are quick and bounded: a slow history leaves a list shorter, it does not hold up typing.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any, Final

import structlog
from litestar import Request, Response, get
from litestar.params import FromQuery

from firehose.errors import Refused
from firehose.query.complete import complete
from firehose.query.terms import combine
from firehose.query.tree import Everything
from firehose.web import asked as address
from firehose.web.given import GivenHub
from firehose.web.pages import wording
from firehose.web.pages.asked import LONGEST, ask, narrowed
from firehose.web.pages.known import known, lookup
from firehose.web.pages.render import sources_of, troubled

log = structlog.get_logger("pages")
NO_STORE: Final = {"Cache-Control": "no-store"}
ICONS: Final = {
    "source": "sources",
    "kind": "tag",
    "project": "forge",
    "actor": "person",
    "subject": "link",
    "refs": "link",
    "link": "out",
    "outcome": "check",
    "severity": "flag",
    "time": "clock",
    "since": "clock",
    "until": "clock",
    "sequence": "cursor",
    "data.": "code",
}


@get("/pages/query", include_in_schema=False)
async def query(request: Request[Any, Any, Any], hub: GivenHub, q: FromQuery[str] = "") -> Response[dict[str, Any]]:
    """How a query reads: coloured pieces, words, or what is wrong with it. Facets beside it are in the words."""
    asked = ask(q, hub.now(), narrowed(address.pairs(request.scope["query_string"]), hub.now()))
    wrong = asked.wrong
    return Response(
        {
            "text": asked.text,
            "ink": [[piece.text, piece.colour] for piece in asked.ink],
            "say": [[segment.text, segment.strong] for segment in asked.say],
            "wrong": None
            if wrong is None
            else {
                "detail": wrong.detail,
                "position": wrong.position,
                "length": wrong.length,
                "nearest": wrong.nearest,
            },
        },
        headers=NO_STORE,
    )


@get("/pages/combine", include_in_schema=False)
async def combined(request: Request[Any, Any, Any], hub: GivenHub) -> Response[dict[str, str]]:
    """The query `q` with the terms of every `add`, without those of every `drop`."""
    given = address.pairs(request.scope["query_string"])
    text = address.single(given, "q")[:LONGEST]
    add, drop = ([value for name, value in given if name == wanted] for wanted in ("add", "drop"))
    try:
        found = combine(text, hub.now(), add=add, drop=drop)
    except Refused:
        # Where it leads, the page tells what is wrong with it.
        found = " ".join([text, *add]).strip()
    return Response({"q": found}, headers=NO_STORE)


@get("/pages/pulse", include_in_schema=False)
async def pulse(hub: GivenHub) -> Response[dict[str, Any]]:
    """The head, the rate of the last minutes, and how many sources need a look."""
    now = hub.now()
    try:
        counts = await hub.reader.counts(Everything(), since=now - timedelta(minutes=1))
        per_second = sum(count.count for count in counts) / 60
    except Exception as error:
        log.warning("the history does not count for the pulse", error=repr(error))
        per_second = 0.0
    return Response(
        {
            "head": wording.cursor20(hub.live.head),
            "rate": wording.rate(per_second),
            "troubles": [health.name for health in troubled(hub.ledger.report())],
        },
        headers=NO_STORE,
    )


@get("/pages/complete", include_in_schema=False)
async def complete_query(hub: GivenHub, q: FromQuery[str] = "", at: FromQuery[int] = 0) -> Response[dict[str, Any]]:
    """What may stand at the caret."""
    values = await known(hub)
    options = [
        {
            "text": found.insert,
            "start": found.start,
            "stop": found.stop,
            "icon": ICONS.get(found.field, "tag"),
            "family": sources_of(hub).get(found.insert.removeprefix("source:"), "") if found.field == "source" else "",
            "why": found.why,
            "note": "" if found.count < 0 else f"{wording.number(found.count)} this week",
            "match": list(found.match),
        }
        for found in complete(q[:LONGEST], at, partial(lookup, values))
    ]
    return Response({"options": options}, headers=NO_STORE)
