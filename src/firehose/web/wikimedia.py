"""`/v2/stream/{names}` as EventStreams serves it: what a request asks for, and how its stream is written.

In: an ASGI scope. Out: a request of ours, an encoding, a rendering; `web/live.py` does the rest, so that these readers
have the same budgets, replay and goodbyes. Their clients know only `message` and `error`: what the stream itself has
to say are comments and, when it ends against the reader's will, an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote

import msgspec

from firehose.doors import eventstreams
from firehose.errors import Refused
from firehose.event import Recorded
from firehose.query import params
from firehose.web import asked
from firehose.web.answer import Scope, header
from firehose.web.encodings import Chunk, Encoding, Render
from firehose.web.hub import Hub

PREFIX: Final = "/v2/stream/"
_QUIET: Final = ("info", "heartbeat")


class Frames:
    """`text/event-stream` with their ids."""

    name = "sse"
    media = "text/event-stream; charset=utf-8"

    def events(self, events: Sequence[Recorded], render: Render) -> Chunk:
        """See `Encoding.events`."""
        return b"".join([render(event) for event in events])

    def control(self, word: str, cursor: int, members: dict[str, object]) -> Chunk:
        """See `Encoding.control`."""
        if word in _QUIET or members.get("reason") == "complete":
            return b":%b %020d\n\n" % (b"ok" if word == "info" else word.encode(), cursor)
        return b"event: error\ndata: %b\n\n" % msgspec.json.encode({"cursor": f"{cursor:020d}", **members})


class Lines:
    """NDJSON of events alone; an empty line keeps the connection alive."""

    name = "json"
    media = "application/json"

    def events(self, events: Sequence[Recorded], render: Render) -> Chunk:
        """See `Encoding.events`."""
        return b"".join([render(event) + b"\n" for event in events])

    def control(self, word: str, cursor: int, members: dict[str, object]) -> Chunk:
        """See `Encoding.control`."""
        return b"\n"


_FRAMES, _LINES = Frames(), Lines()


def ask(scope: Scope, hub: Hub) -> tuple[params.Request, Encoding, Render]:
    """What a request asks for; `Refused` names what is wrong with it."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    try:
        names = unquote(raw.partition(b"?")[0].decode("latin-1")[len(PREFIX) :].strip("/"), errors="strict")
    except UnicodeDecodeError:
        raise Refused("the stream names are not UTF-8", slug="bad-parameter", field="streams") from None
    request = eventstreams.read(
        names,
        asked.pairs(scope["query_string"]),
        header(scope, b"last-event-id").strip(),
        hub.now(),
        tuple(hub.settings.sources),
    )
    if "application/json" in header(scope, b"accept"):
        return request, _LINES, eventstreams.line
    return request, _FRAMES, eventstreams.frame
