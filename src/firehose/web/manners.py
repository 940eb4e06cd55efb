"""How every finite answer behaves: HEAD, OPTIONS, CORS, security headers, ETag and 304, gzip and zstd.

In: an ASGI application whose answers come in one piece. Out: the same application with manners. An answer that goes
on (`more_body`) passes unchanged but for its headers, so nothing that streams is ever held back or compressed.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable
from typing import Final

import zstandard

from firehose.errors import Refused
from firehose.web.answer import (
    POLICY,
    PREFLIGHT,
    PUBLIC,
    SECURITY,
    Asgi,
    Raw,
    Receive,
    Received,
    Scope,
    Send,
    header,
    reply,
    reply_problem,
)

SMALLEST: Final = 1_024
"""Answers below this many bytes are not compressed."""
LONGEST_TARGET: Final = 16_384
_OPEN: Final = (
    "/v1/",
    "/v2/",
    "/raw",
    "/id",
    "/openapi.json",
    "/asyncapi.json",
    "/problems/",
    "/healthz",
    "/readyz",
    "/metrics",
)
_COMPRESSIBLE: Final = (
    "text/",
    "application/json",
    "application/problem+json",
    "application/atom+xml",
    "application/feed+json",
    "application/x-ndjson",
    "application/javascript",
    "application/cloudevents",
    "image/svg+xml",
)
_METHODS: Final = "GET, HEAD, OPTIONS"


class Manners:
    """The wrapper."""

    def __init__(self, inner: Asgi, base: str) -> None:
        self._inner = inner
        self._base = base

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        path: str = scope["path"]
        if len(path) + len(scope["query_string"]) > LONGEST_TARGET:
            problem = Refused("the address is too long", slug="bad-parameter", status=414)
            await reply_problem(send, problem, self._base)
            return
        is_open = path.startswith(_OPEN)
        if scope["method"] == "OPTIONS" and is_open:
            allow = [(b"allow", _METHODS.encode()), *PUBLIC, *PREFLIGHT]
            await reply(send, 204, b"", allow)
            return
        answer = _Answer(scope, send, PUBLIC if is_open else [])
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self._inner(scope, receive, answer.send)


class _Answer:
    """One answer on its way out."""

    def __init__(self, scope: Scope, send: Send, more: Raw) -> None:
        self._scope = scope
        self._send = send
        self._more = more
        self._start: Received | None = None

    async def send(self, message: Received) -> None:
        """Hold the head until it is known whether the body is whole."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        start, self._start = self._start, None
        if start is None:
            await self._send(message)
            return
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            head = {**start, "headers": self._headers(start["headers"])}
            await self._send(head)
            await self._send(message)
            return
        status, headers, body = finish(self._scope, start["status"], list(start["headers"]), body)
        await self._send({**start, "status": status, "headers": self._headers(headers)})
        await self._send({**message, "body": b"" if self._scope["method"] == "HEAD" else body})

    def _headers(self, headers: Iterable[tuple[bytes, bytes]]) -> Raw:
        mine = [(name, allowed(value) if name == b"allow" else value) for name, value in headers]
        names = {name for name, _ in mine}
        more = [*SECURITY, *self._more]
        if any(name == b"content-type" and value.startswith(b"text/html") for name, value in mine):
            more.append((b"content-security-policy", POLICY.encode()))
        return mine + [pair for pair in more if pair[0] not in names]


def allowed(methods: bytes) -> bytes:
    """The methods that an address takes, with the one that this wrapper adds to each GET."""
    found = methods.decode("latin-1").split(", ")
    return ", ".join(
        dict.fromkeys(each for one in found for each in ((one, "HEAD") if one == "GET" else (one,)))
    ).encode()


def finish(scope: Scope, status: int, headers: Raw, body: bytes) -> tuple[int, Raw, bytes]:
    """A whole answer with ETag, perhaps as 304, perhaps compressed."""
    kind = _value(headers, b"content-type")
    if status == 200 and scope["method"] in ("GET", "HEAD"):
        tag = _value(headers, b"etag")
        if not tag and scope["path"].startswith("/v1/"):
            tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
            headers.append((b"etag", tag.encode()))
        if tag and _knows(header(scope, b"if-none-match"), tag):
            kept = [pair for pair in headers if pair[0] not in (b"content-length", b"content-type")]
            return 304, kept, b""
    if len(body) >= SMALLEST and kind.startswith(_COMPRESSIBLE) and not _value(headers, b"content-encoding"):
        headers.append((b"vary", b"accept, accept-encoding"))
        encoding, packed = pack(header(scope, b"accept-encoding"), body)
        if encoding:
            tag = _value(headers, b"etag")
            headers = [pair for pair in headers if pair[0] not in (b"content-length", b"etag")]
            headers += [(b"content-encoding", encoding.encode()), (b"content-length", b"%d" % len(packed))]
            if tag:
                headers.append((b"etag", f'{tag[:-1]}-{encoding}"'.encode()))
            body = packed
    return status, headers, body


def pack(accepted: str, body: bytes) -> tuple[str, bytes]:
    """The body in the best encoding that the client takes; "" when there is none."""
    wanted = {part.split(";")[0].strip() for part in accepted.lower().split(",") if "q=0" not in part.replace(" ", "")}
    if "zstd" in wanted:
        return "zstd", zstandard.ZstdCompressor(level=3).compress(body)
    if "gzip" in wanted:
        return "gzip", gzip.compress(body, 5, mtime=0)
    return "", body


def _knows(given: str, tag: str) -> bool:
    plain = tag.removeprefix("W/").strip('"')
    known = [part.strip().removeprefix("W/").strip('"') for part in given.split(",")]
    return "*" in known or any(part.removesuffix("-zstd").removesuffix("-gzip") == plain for part in known)


def _value(headers: Raw, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in headers if key == name), "")
