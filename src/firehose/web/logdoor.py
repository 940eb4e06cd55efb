"""`POST /in/<source>` of the log room: lines come in by HTTP. Raw ASGI, in the log room's own process.

In: a request with lines (the shapes of `fleet/logs/shapes.py`), with a journal (`…/upload`, as `systemd-journal-upload`
appends it), or with a whole file of text (`…/file?name=…&build=…&url=…&project=…&outcome=…`). Out: 202 with counts once
that is written. Who sends is known by a hub token (Bearer, or the password of Basic), else by an allowed address.
A journal and a file are read while they come in, so they have no size limit; a batch of lines has one.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from ipaddress import ip_network
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

import structlog
import zstandard

from firehose.access.tokens import Token
from firehose.errors import FirehoseError, Refused
from firehose.fleet.logs import journal, shapes
from firehose.fleet.logs.desk import Desk, Taken
from firehose.fleet.logs.line import File, Line
from firehose.web import peers
from firehose.web.answer import Receive, Scope, Send, header, reply_problem, reply_value
from firehose.web.incoming import Gone, Incoming

log = structlog.get_logger("logs")
PREFIX: Final = "/in/"
BATCH: Final = 16 * 2**20
"""Largest batch of lines, in bytes, unpacked."""
TOGETHER: Final = 16
"""Batches that are read at the same time; more wait."""
BODY_SECONDS: Final = 60.0
JOURNAL_SECONDS: Final = 3_600.0
PIECE: Final = 1_024
GATHERED: Final = 256 * 1024
LONGEST: Final = 2**20
"""Longest line of a file, in bytes."""
_CLOSE: Final = [(b"connection", b"close")]
Check = Callable[[str], Token | None]


class LogDoor:
    """The ASGI application of one listening address. `desks`: by source; `check`: looks up a token."""

    def __init__(self, desks: Mapping[str, Desk], check: Check, base: str) -> None:
        self._desks = desks
        self._check = check
        self._base = base
        self._room = asyncio.Semaphore(TOGETHER)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        incoming = Incoming(scope, receive)
        try:
            if scope["path"] == "/healthz":
                await reply_value(send, 200, {"ok": True})
                return
            taken = await self._take(scope, incoming)
            await reply_value(send, 202, {"lines": taken.lines, "kept": taken.kept, "over": taken.over})
        except Gone:
            log.info("a sender hung up", path=scope["path"][:100])
        except FirehoseError as error:
            await incoming.drop()
            await reply_problem(send, error, self._base, _CLOSE)
        except Exception:
            log.exception("a request with lines failed")
            await reply_problem(send, FirehoseError(), self._base, _CLOSE)

    async def _take(self, scope: Scope, receive: Receive) -> Taken:
        name, _, way = unquote(scope["path"].removeprefix(PREFIX)).partition("/")
        desk = self._desks.get(name)
        if desk is None or not scope["path"].startswith(PREFIX) or way not in ("", "upload", "file"):
            detail = f"there is no log source {name[:100]!r} here; check the last part of the URL"
            raise Refused(detail, slug="unknown-source", status=404)
        if scope["method"] != "POST":
            raise Refused(f"lines come by POST, not {scope['method']}", slug="method-not-allowed", status=405)
        publisher = self._publisher(name, desk, scope)
        media = header(scope, b"content-type")
        body = unpacked(scope, pieces(receive, JOURNAL_SECONDS if way == "upload" else BODY_SECONDS))
        if way == "upload" or media.partition(";")[0] == journal.MEDIA:
            return await take_journal(desk, publisher, body)
        if way == "file":
            return await take_file(desk, publisher, file_of(scope), body)
        async with self._room:
            lines, broken = shapes.read(await whole(body), media)
            return await desk.take(publisher, lines, broken)

    def _publisher(self, name: str, desk: Desk, scope: Scope) -> str:
        """Who sends: a token's name, or the address. `Refused` when neither may."""
        text = peers.credential(header(scope, b"authorization"))
        if text:
            token = self._check(text)
            if token is None:
                raise Refused("the token is not valid", slug="bad-token", status=403)
            if not token.has(f"publish:{name}"):
                raise Refused(f"the token may not publish to {name!r}", slug="bad-token", status=403)
            return token.name or f"token-{token.number}"
        address = peers.client(scope, ())
        if allowed(address, desk.settings.allow):
            return address
        raise Refused(
            f"a token with the scope publish:{name} is needed (Authorization: Bearer …, or as the password of Basic), "
            f"or the sender's network in sources.{name}.allow",
            slug="no-signature", status=401,
        )  # fmt: skip


def allowed(address: str, networks: Sequence[str]) -> bool:
    """Whether an address is in one of the networks."""
    found = peers.parse(address)
    return found is not None and any(found in ip_network(network, strict=False) for network in networks)


def file_of(scope: Scope) -> File:
    """The file that the URL's parameters name; `Refused` (400) when that is not enough."""
    given = dict(parse_qsl(scope["query_string"].decode("latin-1")))
    names = File.__struct_fields__
    unknown = [name for name in given if name not in names]
    if unknown:
        raise Refused(
            f"unknown parameter {unknown[0]!r}; known: {', '.join(names)}", slug="bad-parameter", field=unknown[0]
        )
    if not given.get("name") or not (given.get("build") or given.get("url")):
        raise Refused("a file needs name= and build= or url=", slug="bad-parameter", field="name")
    return File(**{name: value[:500] for name, value in given.items()})


async def take_file(desk: Desk, publisher: str, file: File, body: AsyncIterator[bytes]) -> Taken:
    """A file of text, from its first byte to its last; then it is finished."""
    if desk.knows(file):
        raise Refused("this file was read already", slug="known-file", status=409)
    total, rest = Taken(0, 0, 0), b""
    async for piece in body:
        text, feed, rest = (rest + piece).rpartition(b"\n")
        if len(rest) > LONGEST:
            raise Refused(f"a line is longer than {LONGEST} bytes", slug="too-large", status=413)
        total = await _more(desk, publisher, [shapes.plain(part, file) for part in shapes.split(text + feed)], total)
    total = await _more(desk, publisher, [shapes.plain(part, file) for part in shapes.split(rest)], total)
    desk.finish(file)
    await desk.committed()
    return total


async def take_journal(desk: Desk, publisher: str, body: AsyncIterator[bytes]) -> Taken:
    """A journal, for as long as it comes. What came is counted and kept also when the sender breaks off."""
    entries, total = journal.Entries(), Taken(0, 0, 0)
    try:
        async for piece in body:
            total = await _more(desk, publisher, entries.feed(piece), total)
            if entries.problem is not None:
                raise entries.problem
    finally:
        last = entries.end()
        desk.give(publisher, last, sum(not line.whole for line in last))
    total = Taken(total.lines + len(last), total.kept, total.over)
    await desk.committed()
    return total


async def _more(desk: Desk, publisher: str, lines: list[Line], total: Taken) -> Taken:
    if not lines:
        return total
    await desk.room()
    taken = desk.give(publisher, lines)
    return Taken(
        total.lines + taken.lines, total.kept + taken.kept, total.over + taken.over, total.first or taken.first
    )


async def pieces(receive: Receive, patience: float) -> AsyncIterator[bytes]:
    """The body as it comes."""
    while True:
        try:
            async with asyncio.timeout(patience):
                message = await receive()
        except TimeoutError:
            raise Refused(f"nothing more came for {patience:.0f} seconds", slug="too-slow", status=408) from None
        if message["type"] == "http.disconnect":
            raise Gone
        yield bytes(message.get("body", b""))
        if not message.get("more_body"):
            return


async def whole(body: AsyncIterator[bytes]) -> bytes:
    """All of a body; `Refused` (413) as soon as it is too large."""
    parts: list[bytes] = []
    size = 0
    async for piece in body:
        size += len(piece)
        if size > BATCH:
            raise Refused(f"a batch is larger than {BATCH} bytes; send smaller ones", slug="too-large", status=413)
        parts.append(piece)
    return b"".join(parts)


async def unpacked(scope: Scope, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body without its Content-Encoding, in small pieces, so that a bomb is seen before it is large."""
    coding = header(scope, b"content-encoding").strip().lower()
    if coding in ("", "identity"):
        async for piece in body:
            yield piece
        return
    opener: Any
    if coding in ("gzip", "deflate", "x-gzip"):
        opener = zlib.decompressobj(wbits=47)
    elif coding == "zstd":
        opener = zstandard.ZstdDecompressor(max_window_size=2**27).decompressobj()
    else:
        detail = f"the content encoding {coding[:50]!r} is not known; gzip, deflate and zstd are"
        raise Refused(detail, slug="bad-content-encoding", status=415, field="Content-Encoding")
    try:
        ready = bytearray()
        async for piece in body:
            for at in range(0, len(piece), PIECE):
                ready += opener.decompress(piece[at : at + PIECE])
                if len(ready) > GATHERED:
                    yield bytes(ready)
                    ready.clear()
            if ready:
                yield bytes(ready)
                ready.clear()
        yield opener.flush() or b""
    except (zlib.error, zstandard.ZstdError) as error:
        raise Refused(f"the body is not {coding}: {error}", slug="bad-content-encoding") from None
