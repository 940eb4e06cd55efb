"""`POST /in/<source>`: a delivery comes in by HTTP. Raw ASGI, because every microsecond counts here.

In: a request. Out: 202 with id and sequence once the event is on disk; 200 for a duplicate (the first one's sequence)
and for what the source ignores on purpose; 202 with the quarantine's number for a kind that nobody knows; else a
problem. Whether it is genuine `intake.webhook` decides, what it means the gate. The body is cut off at 1 MiB while it
still comes in, and must be here within 30 seconds.
"""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import unquote

import msgspec
import structlog

from firehose.errors import FirehoseError, Refused
from firehose.intake.gate import Receipt
from firehose.intake.judge import too_large
from firehose.intake.webhook import Arrival, take
from firehose.source import MAX_BODY
from firehose.web.answer import Receive, Scope, Send, header, reply, reply_json, reply_problem, reply_value
from firehose.web.hub import Hub
from firehose.web.incoming import Gone, Incoming
from firehose.web.passing import pass_on

log = structlog.get_logger("web")
PREFIX: Final = "/in/"
BODY_SECONDS: Final = 30.0
_CLOSE: Final = [(b"connection", b"close")]


class Hooks:
    """The ASGI handler of everything below `/in/`."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._gate = hub.gate
        self._base = hub.settings.public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one delivery, or explain the address."""
        name = unquote(scope["path"][len(PREFIX) :])
        if scope["method"] != "POST":
            await self._explain(name, scope["method"], send)
            return
        incoming = Incoming(scope, receive)
        try:
            await self._take(name, scope, incoming, send)
        except Gone:
            self._refuse(name, Refused("the sender hung up before the whole body had come", slug="truncated"))
        except FirehoseError as error:
            await incoming.drop()
            await reply_problem(send, error, self._base, _CLOSE if _unread(error) else None)
        except Exception:
            log.exception("a delivery failed", source=name)
            await reply_problem(send, FirehoseError(), self._base)

    async def _take(self, name: str, scope: Scope, incoming: Incoming, send: Send) -> None:
        hub = self._hub
        if door := self._door(name):
            await self._pass_on(door, name.partition("/")[0], scope, incoming, send)
            return
        try:
            body = await read_body(scope, incoming)
            arrival = Arrival(scope["headers"], body, hub.now(), scope["query_string"].decode("latin-1"))
            delivery = take(name, self._gate.instances, arrival, hub.tokens.holds)
        except Refused as error:
            self._refuse(name, error)
            raise
        receipt = await self._gate.accept(delivery)
        await reply_json(send, status(receipt), answer(receipt))

    async def _pass_on(self, door: str, name: str, scope: Scope, incoming: Incoming, send: Send) -> None:
        # What the door refuses is in its own books.
        try:
            answered = await pass_on(door, scope, incoming)
        except Refused as error:
            self._refuse(name, error)
            raise
        except Gone:
            log.info("a sender hung up", source=name)
            return
        await incoming.drop()
        await reply(send, *answered)

    def _door(self, name: str) -> str:
        """The address of a source's own door; "" for the most, which have none."""
        instance = self._gate.instances.get(name.partition("/")[0])
        return instance.kind.door(instance.settings) if instance is not None and instance.kind.door else ""

    def _refuse(self, name: str, error: Refused) -> None:
        self._gate.refuse(name, error)

    async def _explain(self, name: str, method: str, send: Send) -> None:
        allow = [(b"allow", b"POST, GET, HEAD, OPTIONS")]
        instance = self._gate.instances.get(name.partition("/")[0] if self._door(name) else name)
        if method == "OPTIONS":
            await reply(send, 204, b"", allow)
        elif method not in ("GET", "HEAD"):
            problem = Refused(f"deliveries come by POST, not {method}", slug="method-not-allowed", status=405)
            await reply_problem(send, problem, self._base, allow)
        elif instance is None:
            problem = Refused(f"there is no source {name[:100]!r}", slug="unknown-source", status=404)
            await reply_problem(send, problem, self._base)
        else:
            text = {
                "source": name,
                "kind": instance.kind.name,
                "title": instance.kind.title,
                "how": "POST a delivery here",
                "proof": instance.opening.proof,
                "limit": MAX_BODY,
                "answers": {
                    "202": "on disk: id and sequence; or quarantined, as no mapping knows its kind",
                    "200": "known already (the first one's sequence), or ignored on purpose",
                    "503": "come again after Retry-After seconds",
                },
            }
            await reply_value(send, 200, text, allow)


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """The whole body. `Refused` as soon as it is too large or too slow, `Gone` when the sender hangs up."""
    announced = header(scope, b"content-length")
    if not announced.isdecimal():
        announced = ""
    if announced and int(announced) > MAX_BODY:
        raise too_large(int(announced))
    message = await receive()
    if message["type"] == "http.request":
        body: bytes = message.get("body", b"")
        if len(body) > MAX_BODY:
            raise too_large(len(body))
        # Nothing more comes when all that was announced is here, though the server may not say so yet.
        if not message.get("more_body") or (announced and len(body) == int(announced)):
            return body
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read_on(message, receive)
    except TimeoutError:
        raise Refused(f"the body was not here within {BODY_SECONDS:.0f} seconds", slug="too-slow", status=408) from None


async def _read_on(message: dict[str, object] | Scope, receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise Gone
        part = message.get("body", b"")
        assert isinstance(part, bytes)
        size += len(part)
        if size > MAX_BODY:
            raise too_large(size)
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()


def status(receipt: Receipt) -> int:
    """202 for what was taken in (or quarantined), 200 where nothing new came of it."""
    return 202 if receipt.verdict in ("event", "unknown") else 200


def answer(receipt: Receipt) -> bytes:
    """What the sender is told."""
    if len(receipt.ids) == 1:
        return b'{"id":%b,"sequence":"%020d","verdict":"%b"}' % (
            msgspec.json.encode(receipt.ids[0]), receipt.sequences[0], receipt.verdict.encode(),
        )  # fmt: skip
    found: dict[str, object] = {"verdict": receipt.verdict}
    if receipt.ids:
        pairs = [
            {"id": id_, "sequence": f"{sequence:020d}"}
            for id_, sequence in zip(receipt.ids, receipt.sequences, strict=True)
        ]
        found = {**pairs[0], **found}
        if len(pairs) > 1:
            found["events"] = pairs
    if receipt.kind:
        found["kind"] = receipt.kind
    if receipt.quarantine:
        found["quarantine"] = receipt.quarantine
    return msgspec.json.encode(found)


def _unread(error: FirehoseError) -> bool:
    """Whether part of the body is still on its way, so that the connection cannot be used again."""
    return isinstance(error, Refused) and error.slug in ("too-large", "too-slow")
