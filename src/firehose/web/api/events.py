"""`/v1/events`: pages of events by the common parameters, and one event by its sequence or id.

In: parameters. Out: a JSON page with its cursor, NDJSON, an Atom or JSON feed, an SVG chart or badge of that query;
browsers are sent to the page that shows it. A page that would cost too much is `partial`, its cursor goes on. `as=raw`
gives what the service sent (after redaction), `as=cdevents` the strict CDEvents form.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec
from litestar import Request, Response, get
from litestar.response import Redirect

from firehose.errors import Refused
from firehose.event import Recorded
from firehose.history.store import Page
from firehose.query import params
from firehose.query.explain import explain, plain
from firehose.web import asked
from firehose.web.api import badge, chart, feed
from firehose.web.encodings import FORMS, renderer
from firehose.web.given import GivenHub
from firehose.web.hub import Hub

Asked = Request[Any, Any, Any]
FORMATS: Final = ("json", "ndjson", "atom", "jsonfeed", "svg", "badge")
_MEDIA: Final = {
    "application/x-ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/atom+xml": "atom",
    "application/feed+json": "jsonfeed",
    "image/svg+xml": "svg",
    "text/html": "html",
    "application/json": "json",
    "application/cloudevents-batch+json": "json",
    "*/*": "json",
    "application/*": "json",
    "": "json",
}


@get("/v1/events")
async def search(request: Asked, hub: GivenHub) -> Response[Any]:
    """A page of events."""
    given = asked.pairs(request.scope["query_string"])
    wanted = asked.read(given, hub, also=("as", "format", "label"))
    form = asked.choice(given, "as", FORMS)
    kind = asked.choice(given, "format", ("", *FORMATS)) or negotiate(request.headers.get("accept", ""))
    if kind == "html":
        return Redirect(f"/search?{urlencode(without(given, 'format', 'cursor'))}", status_code=303)
    if kind == "svg":
        return await chart.answer(hub, wanted)
    if kind == "badge":
        return await badge.answer(hub, wanted, asked.single(given, "label"))
    page = await find(hub, wanted)
    if kind == "ndjson":
        lines = [renderer(form)(event) for event in page.events]
        return Response(b"\n".join([*lines, b""]), media_type="application/x-ndjson", headers=_headers(page, given))
    if kind in ("atom", "jsonfeed"):
        words = plain(explain(wanted.node, hub.now()))
        draw, media = (feed.atom, "application/atom+xml") if kind == "atom" else (feed.json, "application/feed+json")
        this = urlencode([*without(given, "format"), ("format", kind)])
        query = urlencode(without(given, "format", "cursor"))
        return Response(draw(hub, page.events, words, query, this), media_type=media)
    body = page_json(page, given, hub.live.head, form)
    return Response(body, media_type="application/json", headers=_headers(page, given))


def without(given: list[tuple[str, str]], *names: str) -> list[tuple[str, str]]:
    """The parameters but for some."""
    return [pair for pair in given if pair[0] not in names]


async def find(hub: Hub, wanted: params.Request) -> Page:
    """The page that a request means."""
    window = await asked.window(wanted, hub)
    if window.empty:
        return Page(events=[])
    return await hub.reader.find(
        wanted.node, after=window.after, before=window.before, descending=wanted.descending, limit=wanted.limit
    )


def page_json(page: Page, query: list[tuple[str, str]], head: int, form: str) -> bytes:
    """A page as JSON; the events are spliced in as they are."""
    rest = {
        "cursor": None if page.cursor is None else f"{page.cursor:020d}",
        "partial": page.partial,
        "head": f"{head:020d}",
        "links": {"self": f"/v1/events?{urlencode(query)}", "next": _next(page, query)},
    }
    events = b",".join(map(renderer(form), page.events))
    return b'{"events":[%b],%b' % (events, msgspec.json.encode(rest)[1:])


def _next(page: Page, query: list[tuple[str, str]]) -> str | None:
    if page.cursor is None:
        return None
    return f"/v1/events?{urlencode([*without(query, 'cursor'), ('cursor', f'{page.cursor:020d}')])}"


def _headers(page: Page, query: list[tuple[str, str]]) -> dict[str, str]:
    following = _next(page, query)
    found = {"vary": "accept, accept-encoding", "cache-control": "no-cache"}
    return {**found, "link": f'<{following}>; rel="next"'} if following else found


def negotiate(accept: str) -> str:
    """The format by `Accept`: the known one with the highest weight, the first of equals."""
    best, weight = "", 0.0
    for part in accept.lower().split(","):
        media, _, options = part.partition(";")
        try:
            q = float(options.partition("q=")[2].partition(";")[0] or 1)
        except ValueError:
            q = 0.0
        kind = _MEDIA.get(media.strip())
        if kind is not None and q > weight:
            best, weight = kind, q
    if not best:
        raise Refused(f"events come as {', '.join(sorted(filter(None, _MEDIA)))}", slug="not-acceptable", status=406)
    return best


@get("/v1/events/{ref:path}")
async def one(request: Asked, hub: GivenHub) -> Response[Any]:
    """One event by sequence (20 digits, or `seq:n`) or by id."""
    given = asked.pairs(request.scope["query_string"])
    asked.only(given, ("as",))
    form = asked.choice(given, "as", FORMS)
    found = await lookup(hub, asked.tail(request.scope["raw_path"], "/v1/events/"))
    if "text/html" in request.headers.get("accept", "") and not form and len(found) == 1:
        return Redirect(f"/events/{found[0].cursor}", status_code=303)
    if len(found) > 1:
        links = [f"/v1/events/{event.cursor}" for event in found]
        body = b'{"events":[%b],"links":%b}' % (b",".join(map(renderer(form), found)), msgspec.json.encode(links))
        return Response(body, status_code=300, media_type="application/json")
    event = found[0]
    if form == "raw":
        return raw(event)
    headers = {
        "cache-control": "public, max-age=60",
        "link": f'</v1/graph/{quote(event.envelope.subject)}>; rel="related"',
    }
    media = "application/json" if form else "application/cloudevents+json"
    return Response(renderer(form)(event), media_type=media, headers=headers)


def raw(event: Recorded) -> Response[bytes]:
    """The upstream payload. Never as something that a browser would run: it is a stranger's text on our origin."""
    declared = event.envelope.datacontenttype.partition(";")[0].strip()
    is_json, is_text = declared.endswith("json"), declared.startswith("text/")
    media = "application/json" if is_json else "text/plain" if is_text else "application/octet-stream"
    headers = {"content-security-policy": "sandbox; default-src 'none'", "firehose-cursor": event.cursor}
    if not is_json:
        headers["content-disposition"] = f'attachment; filename="{event.cursor}"'
    return Response(event.raw, media_type=media, headers=headers)


async def lookup(hub: Hub, ref: str) -> list[Recorded]:
    """The events that a reference means, at least one; what is not recorded yet comes from the live ring."""
    digits = ref.removeprefix("seq:")
    sequence = int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 20 else 0
    plain_id = digits == ref and len(digits) < 20
    found = await hub.reader.by_id(ref) if plain_id or not sequence else []
    if not found and 0 < sequence <= params.LAST:
        ring = hub.live.since(sequence - 1, 1) or []
        recorded = ring[0] if ring and ring[0].sequence == sequence else await hub.reader.by_sequence(sequence)
        found = [recorded] if recorded else []
    if not found:
        raise Refused(f"there is no event {ref[:100]!r}", slug="not-found", status=404)
    return found


HANDLERS: Final[list[Any]] = [search, one]
