"""How the hub is, for machines: `/healthz`, `/readyz`, `/metrics`, and the page of each problem.

In: nothing but the hub. Out: short answers. Alive means that the loop answers; ready means that the engine is up and
the recorder close enough behind it that search shows what the stream has.
"""

from __future__ import annotations

import asyncio
from html import escape
from typing import Any, Final

import structlog
from litestar import Response, get
from litestar.params import FromPath

from firehose.errors import FirehoseError, Refused
from firehose.plumbing import metrics
from firehose.web.given import GivenHub
from firehose.web.hub import Hub
from firehose.web.problems import PAGES

log = structlog.get_logger("web")
MOST_BEHIND: Final = 5_000
"""Events that the history may be behind the stream while the hub still counts as ready."""
ANSWER_SECONDS: Final = 2.0


@get("/healthz")
async def alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@get("/readyz")
async def ready(hub: GivenHub) -> Response[dict[str, Any]]:
    """200 when everything serves, else 503 with the reasons."""
    checks = await look(hub)
    fine = all(not why for why in checks.values())
    body = {"status": "ready" if fine else "not ready", "checks": {name: why or "ok" for name, why in checks.items()}}
    return Response(body, status_code=200 if fine else 503, headers={} if fine else {"retry-after": "2"})


async def look(hub: Hub) -> dict[str, str]:
    """Each check with what is wrong, "" when nothing is."""
    checks = {"hub": hub.ready(), "engine": "", "history": ""}
    head = 0
    try:
        head = (await asyncio.wait_for(hub.bus.span(), ANSWER_SECONDS)).last
    except (FirehoseError, TimeoutError) as error:
        checks["engine"] = getattr(error, "detail", "the engine does not answer in time")
    try:
        behind = head - (await asyncio.wait_for(hub.reader.span(), ANSWER_SECONDS)).last
        if behind > MOST_BEHIND:
            checks["history"] = f"the recorder is {behind:,} events behind"
    except FirehoseError as error:
        checks["history"] = error.detail
    except TimeoutError:
        checks["history"] = "the history does not answer in time"
    except Exception as error:
        log.warning("the history fails", error=repr(error))
        checks["history"] = "the history fails; the log says why"
    return checks


@get("/metrics")
async def exposition() -> Response[bytes]:
    """All counters, in Prometheus' text format."""
    return Response(metrics.exposition(), media_type="text/plain; version=0.0.4")


@get("/problems/{slug:str}")
async def explain(slug: FromPath[str]) -> Response[str]:
    """What a problem's `type` means and what to do."""
    if slug not in PAGES:
        raise Refused(f"there is no page for the problem {slug[:100]!r}", slug="not-found", status=404)
    name, advice = PAGES[slug]
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(name)}</title></head>'
        f"<body><main><h1>{escape(name)}</h1><p><code>{escape(slug)}</code></p><p>{escape(advice)}</p></main></body>"
        f"</html>"
    )
    return Response(text, media_type="text/html")


HANDLERS: Final = (alive, ready, exposition, explain)
