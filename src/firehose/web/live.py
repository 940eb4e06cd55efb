"""`/v1/stream…`: live streams by server-sent events, NDJSON or WebSocket. Raw ASGI, for hundreds of readers.

In: a request. Out: a stream that starts with `info` (the effective cursor), replays what the reader missed, and goes on
live; or a problem. The same cursor resumes on all three: `Last-Event-ID` wins over `cursor=`, which wins over `since=`;
without any the stream starts now. A `since` that is still to come is waited for. Topic filters stand in the path,
separated by commas; a last segment `sse`, `json` or `ws` picks the encoding where no `Accept` header can.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import datetime
from itertools import count
from typing import Final
from urllib.parse import unquote

import structlog

from firehose.errors import FirehoseError, Refused
from firehose.history.replay import check
from firehose.plumbing import metrics
from firehose.query import params
from firehose.query.tree import Node, both
from firehose.web import asked, wikimedia
from firehose.web.answer import PREFLIGHT, PUBLIC, SECURITY, Raw, Receive, Scope, Send, header, reply, reply_problem
from firehose.web.encodings import FORMS, Chunk, Encoding, Lines, Messages, ServerSent, Shared, renderer
from firehose.web.hub import Hub
from firehose.web.peers import budget_key
from firehose.web.pump import HEARTBEAT, STALL, Pump, Wish

log = structlog.get_logger("web")
PREFIX: Final = "/v1/stream"
SUFFIXES: Final = ("sse", "json", "ws")
OWN: Final = ("as",)
MOST_READERS: Final = 10_000
MOST_PER_ADDRESS: Final = 100
SUBPROTOCOL: Final = "cloudevents.json"
INSTEAD: Final[dict[int, Raw]] = {
    405: [(b"allow", b"GET, HEAD, OPTIONS")],
    426: [(b"upgrade", b"websocket"), (b"connection", b"upgrade")],
}
"""Headers that say what would work, by status."""
CLOSE_PROBLEM: Final = 1008
CLOSE_DONE: Final = 1000
_SSE, _LINES = ServerSent(), Lines()


class Streams:
    """The ASGI handler of everything below `/v1/stream`."""

    def __init__(self, hub: Hub) -> None:
        self.heartbeat = HEARTBEAT
        self.stall = STALL
        self._hub = hub
        self._base = hub.settings.public_url
        self._shared = Shared()
        self._readers: dict[asyncio.Task[None], Pump] = {}
        self._per_address: Counter[str] = Counter()
        self._groups: dict[Node, int] = {}
        self._numbers = count(1)
        self._closing = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One reader, or a problem."""
        try:
            if scope["type"] == "websocket":
                await self._websocket(scope, receive, send)
            elif scope["method"] == "OPTIONS":
                await reply(send, 204, b"", [(b"allow", b"GET, HEAD, OPTIONS"), *PUBLIC, *PREFLIGHT])
            elif scope["method"] not in ("GET", "HEAD"):
                raise Refused("streams are read by GET", slug="method-not-allowed", status=405)
            else:
                await self._http(scope, receive, send)
        except FirehoseError as error:
            await reply_problem(send, error, self._base, [*PUBLIC, *INSTEAD.get(getattr(error, "status", 0), [])])
        except Exception:
            log.exception("a stream failed", path=scope["path"])
            raise

    @property
    def count(self) -> int:
        """How many readers there are."""
        return len(self._readers)

    @property
    def delivered(self) -> int:
        """How many events the present readers were given."""
        return sum(pump.given for pump in self._readers.values())

    async def close(self) -> None:
        """Send a goodbye to every reader and wait until they are gone."""
        self._closing = True
        for task, pump in list(self._readers.items()):
            pump.stopping = True
            task.cancel()
        if self._readers:
            await asyncio.wait(list(self._readers), timeout=2.0)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        wish = await (self._foreign(scope) if scope["path"].startswith(wikimedia.PREFIX) else self._own(scope))
        head: Raw = [
            (b"content-type", wish.encoding.media.encode()),
            (b"cache-control", b"no-store, no-transform"),
            (b"x-accel-buffering", b"no"),
            (b"vary", b"accept"),
            (b"firehose-cursor", b"%020d" % wish.after),
            *SECURITY,
            *PUBLIC,
        ]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return

        async def write(chunk: Chunk) -> None:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})

        await self._serve(scope, receive, Pump(self._hub, wish, self._shared, write, self.heartbeat, self.stall))
        with suppress(Exception):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        offered = SUBPROTOCOL in scope.get("subprotocols", ())
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if offered else None})
        encoding = Messages(f"{self._base}{PREFIX}" if offered else "")

        async def write(chunk: Chunk) -> None:
            for text in chunk:
                await send({"type": "websocket.send", "text": text})

        try:
            wish = await self._wish(scope, split(scope)[0], encoding)
        except FirehoseError as error:
            members: dict[str, object] = {"detail": error.detail, "reason": getattr(error, "slug", "try-later")}
            members.update(getattr(error, "extra", {}))
            await write(encoding.control("error", 0, members))
            await send({"type": "websocket.close", "code": CLOSE_PROBLEM, "reason": str(members["reason"])})
            return
        pump = Pump(self._hub, wish, self._shared, write, self.heartbeat, self.stall)
        await self._serve(scope, receive, pump)
        with suppress(Exception):
            await send({"type": "websocket.close", "code": CLOSE_DONE, "reason": pump.reason})

    async def _own(self, scope: Scope) -> Wish:
        filters, suffix = split(scope)
        return await self._wish(scope, filters, negotiate(suffix, header(scope, b"accept")))

    async def _foreign(self, scope: Scope) -> Wish:
        """A reader who speaks EventStreams."""
        hub = self._hub
        request, encoding, render = wikimedia.ask(scope, hub)
        after = start(request, await asked.window(request, hub), "", hub.live.head)
        await check(hub.reader, after)
        return Wish(node=request.node, after=after, encoding=encoding, render=render, group=self._group(request.node))

    async def _wish(self, scope: Scope, filters: list[str], encoding: Encoding) -> Wish:
        hub = self._hub
        given = asked.pairs(scope["query_string"])
        request = asked.read(given, hub, also=OWN, descending=False)
        if request.descending:
            raise Refused("a stream runs forward, order=desc is for /v1/events", slug="bad-parameter", field="order")
        form = asked.choice(given, "as", FORMS)
        resumed = header(scope, b"last-event-id").strip()
        node = both(params.topics(filters), request.node)
        now = hub.now()
        until = ahead(request.until, now)
        window = await asked.window(request, hub)
        after = start(request, window, resumed, hub.live.head)
        await check(hub.reader, after)
        return Wish(
            node=node,
            after=after,
            encoding=encoding,
            render=renderer(form),
            before=0 if until else window.before,
            since=ahead(request.since, now) if request.cursor is None else None,
            until=until,
            most=request.limit if any(name == "limit" and value for name, value in given) else 0,
            group=self._group(node),
        )

    def _group(self, node: Node) -> int:
        """The number of a query. Numbers are never used again, or readers of two queries would share chunks."""
        if len(self._groups) > MOST_READERS:
            self._groups.clear()
        if node not in self._groups:
            self._groups[node] = next(self._numbers)
        return self._groups[node]

    async def _serve(self, scope: Scope, receive: Receive, pump: Pump) -> None:
        """Run a pump until it is done, the reader hangs up, or the hub stops."""
        if self._closing or len(self._readers) >= MOST_READERS:
            await pump.goodbye("busy", "the hub takes no more readers now")
            return
        address = budget_key(scope, self._hub.settings.http.trusted_proxies)
        if address and self._per_address[address] >= MOST_PER_ADDRESS:
            await pump.goodbye("too-many-streams", f"{MOST_PER_ADDRESS} streams are open from this address")
            return
        gauge = metrics.readers.labels(pump.wish.encoding.name)
        gauge.inc()
        self._per_address[address] += 1
        try:
            await self._until_done(receive, pump)
        finally:
            gauge.dec()
            self._per_address[address] -= 1
            if not self._per_address[address]:
                del self._per_address[address]

    async def _until_done(self, receive: Receive, pump: Pump) -> None:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(pump.run())
            gone = group.create_task(until_gone(receive))
            self._readers[serving] = pump
            try:
                await asyncio.wait((serving, gone), return_when=asyncio.FIRST_COMPLETED)
            finally:
                del self._readers[serving]
                serving.cancel()
                gone.cancel()


async def until_gone(receive: Receive) -> None:
    """Until the reader hangs up. What a WebSocket reader sends is read and means nothing."""
    while (await receive())["type"] not in ("http.disconnect", "websocket.disconnect"):
        pass


def split(scope: Scope) -> tuple[list[str], str]:
    """Topic filters and encoding suffix of the path."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    rest = raw.partition(b"?")[0].decode("latin-1")[len(PREFIX) :].strip("/")
    head, slash, last = rest.rpartition("/")
    suffix = last if last in SUFFIXES else ""
    if suffix:
        rest = head if slash else ""
    try:
        return [unquote(part, errors="strict") for part in rest.split(",") if part], suffix
    except UnicodeDecodeError:
        raise Refused("the topic filter is not UTF-8", slug="bad-parameter", field="topic") from None


def negotiate(suffix: str, accept: str) -> Encoding:
    """The encoding by suffix, else by `Accept`; server-sent events when anything will do."""
    if suffix == "ws":
        raise Refused("this address wants a WebSocket upgrade", slug="upgrade-required", status=426)
    if suffix:
        return _SSE if suffix == "sse" else _LINES
    kinds = [part.partition(";")[0].strip() for part in accept.lower().split(",")]
    for kind in kinds:
        if kind in ("application/x-ndjson", "application/json", "application/jsonl"):
            return _LINES
        if kind in ("", "text/event-stream", "text/*", "*/*", "text/html"):
            return _SSE
    raise Refused(
        "streams come as text/event-stream or application/x-ndjson, or over a WebSocket",
        slug="not-acceptable", status=406,
    )  # fmt: skip


def ahead(place: params.Place | None, now: datetime) -> datetime | None:
    """A moment that is still to come: no sequence stands for it yet."""
    return place.moment if place is not None and place.moment is not None and place.moment > now else None


def start(request: params.Request, window: params.Window, resumed: str, head: int) -> int:
    """The cursor after which the stream starts. `Refused` when it lies ahead of the stream."""
    if resumed:
        after = params.cursor(resumed, "Last-Event-ID")
    elif request.cursor is not None:
        after = request.cursor
    elif request.since is not None:
        after = window.after
    else:
        return head
    exact = resumed or request.cursor is not None
    if after > head and (exact or (request.since is not None and request.since.sequence is not None)):
        raise Refused(
            f"the cursor {after:020d} is ahead of the stream, which is at {head:020d}; it comes from another hub, or "
            f"from before a loss",
            slug="future-cursor", status=409, field="cursor" if exact else "since", extra={"head": f"{head:020d}"},
        )  # fmt: skip
    return min(after, head) if request.since is None else after
