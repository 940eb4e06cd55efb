"""Answers of the raw ASGI handlers, and the headers that every answer has.

In: status, body, headers. Out: ASGI messages. The raw handlers (webhooks, streams) know no web framework; this is
what they share with the rest of the web.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

import msgspec

from firehose.errors import FirehoseError
from firehose.web import problems

Scope = MutableMapping[str, Any]
Received = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Received]]
Send = Callable[[Received], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
Raw = list[tuple[bytes, bytes]]

POLICY: Final = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; "
    "img-src 'self' data:"
)
SECURITY: Final[Raw] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
"""Headers of every answer. Pages get `content-security-policy`, too."""
PUBLIC: Final[Raw] = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"etag, link, retry-after, firehose-cursor"),
]
"""Headers of everything that anybody may read from anywhere."""
PREFLIGHT: Final[Raw] = [
    (b"access-control-allow-methods", b"GET, HEAD, OPTIONS"),
    (b"access-control-allow-headers", b"authorization, last-event-id, if-none-match"),
    (b"access-control-max-age", b"86400"),
]
_JSON: Final = (b"content-type", b"application/json")


async def reply(send: Send, status: int, body: bytes, headers: Raw) -> None:
    """A whole answer."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers, *SECURITY]})
    await send({"type": "http.response.body", "body": body})


async def reply_json(send: Send, status: int, body: bytes) -> None:
    """A whole JSON answer."""
    await reply(send, status, body, [_JSON])


async def reply_value(send: Send, status: int, value: object, headers: Raw | None = None) -> None:
    """A value as JSON."""
    await reply(send, status, msgspec.json.encode(value), [_JSON, *(headers or [])])


async def reply_problem(send: Send, error: FirehoseError, base: str, headers: Raw | None = None) -> None:
    """An error as problem+json."""
    status, members, more = problems.problem(error, base)
    named = [(b"content-type", problems.MEDIA.encode()), *raw(more), *(headers or [])]
    await reply(send, status, problems.encode(members), named)


def raw(headers: Mapping[str, str]) -> Raw:
    """Headers as ASGI wants them."""
    return [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]


def header(scope: Scope, name: bytes) -> str:
    """A request header, "" when it is not there; the first one when there are several."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value).decode("latin-1")
    return ""
