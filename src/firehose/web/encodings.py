"""How a live stream is written: server-sent events, NDJSON, WebSocket messages.

In: recorded events, and the stream's own words (`info`, `heartbeat`, `goodbye`). Out: chunks ready to send. An event
is encoded once however many readers it has, and readers that are at the same place share whole chunks: `Shared`
remembers the last ones. No text of a sender can break a frame: JSON has no raw line ends, and cursors are digits.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from firehose import cdevents
from firehose.event import Recorded

Chunk = bytes | tuple[str, ...]
Render = Callable[[Recorded], bytes]
"""An event as one line of JSON."""

PIECE_BYTES: Final = 256 * 1_024
"""A chunk's size, about: large enough to be cheap, small enough that a slow reader's progress shows."""
FORMS: Final = ("", "raw", "cdevents")
RETRY_MS: Final = 2_000
KEPT_BYTES: Final = 8 * 2**20
"""What `Shared` remembers at most, in bytes."""


class Piece(NamedTuple):
    """A chunk, the sequence of its last event, how many events it holds."""

    chunk: Chunk
    last: int
    events: int


class Encoding(Protocol):
    """One way to write a stream."""

    name: str
    media: str

    def events(self, events: Sequence[Recorded], render: Render) -> Chunk:
        """Events as one chunk."""
        ...

    def control(self, word: str, cursor: int, members: dict[str, object]) -> Chunk:
        """The stream's own word, with the reader's cursor."""
        ...


class ServerSent:
    """`text/event-stream`. Every event and heartbeat has an `id`, so a browser resumes by itself."""

    name = "sse"
    media = "text/event-stream; charset=utf-8"

    def events(self, events: Sequence[Recorded], render: Render) -> Chunk:
        """See `Encoding.events`."""
        found: list[bytes | memoryview] = []
        for event in events:
            line = event.halves if render is envelope else (render(event),)
            found += (b"id: %020d\ndata: " % event.sequence, *line, b"\n\n")
        return b"".join(found)

    def control(self, word: str, cursor: int, members: dict[str, object]) -> Chunk:
        """See `Encoding.control`."""
        retry = b"retry: %d\n" % RETRY_MS if word == "info" else b""
        # An error has no id: the browser keeps the cursor that it had.
        id_ = b"" if word == "error" else b"id: %020d\n" % cursor
        data = msgspec.json.encode({"cursor": f"{cursor:020d}", **members})
        return b"%bevent: %b\n%bdata: %b\n\n" % (retry, word.encode(), id_, data)


class Lines:
    """`application/x-ndjson`. The stream's own words are lines with `event` and without `specversion`."""

    name = "json"
    media = "application/x-ndjson"

    def events(self, events: Sequence[Recorded], render: Render) -> Chunk:
        """See `Encoding.events`."""
        found: list[bytes | memoryview] = []
        for event in events:
            found += event.halves if render is envelope else (render(event),)
            found.append(b"\n")
        return b"".join(found)

    def control(self, word: str, cursor: int, members: dict[str, object]) -> Chunk:
        """See `Encoding.control`."""
        return msgspec.json.encode({"event": word, "cursor": f"{cursor:020d}", **members}) + b"\n"


class Messages:
    """WebSocket text frames, one JSON object each. With the subprotocol `cloudevents.json` the stream's own words are
    CloudEvents as well, as that protocol wants."""

    name = "ws"
    media = ""

    def __init__(self, source: str = "") -> None:
        self._source = source

    def events(self, events: Sequence[Recorded], render: Render) -> Chunk:
        """See `Encoding.events`."""
        return tuple([render(event).decode() for event in events])

    def control(self, word: str, cursor: int, members: dict[str, object]) -> Chunk:
        """See `Encoding.control`."""
        found: dict[str, object] = {"event": word, "cursor": f"{cursor:020d}", **members}
        if self._source:
            head = {"specversion": "1.0", "id": f"{word}-{cursor:020d}", "source": self._source}
            found = {**head, "type": f"firehose.stream.{word}", "data": found}
        return (msgspec.json.encode(found).decode(),)


class Shared:
    """The last chunks, by what they hold. `group` tells different queries apart."""

    def __init__(self) -> None:
        self._pieces: OrderedDict[tuple[object, ...], list[Piece]] = OrderedDict()
        self._size = 0

    def pieces(self, encoding: Encoding, group: int, events: Sequence[Recorded], render: Render) -> list[Piece]:
        """Events as chunks that are not too large; made when nobody had them made before."""
        key = (encoding, render, group, events[0].sequence, events[-1].sequence, len(events))
        found = self._pieces.get(key)
        if found is None:
            found = [Piece(encoding.events(part, render), part[-1].sequence, len(part)) for part in parts(events)]
            self._pieces[key] = found
            self._size += weight(found)
            while self._size > KEPT_BYTES and len(self._pieces) > 1:
                self._size -= weight(self._pieces.popitem(last=False)[1])
        return found


def parts(events: Sequence[Recorded]) -> Iterator[Sequence[Recorded]]:
    """Runs of events of about `PIECE_BYTES`."""
    start, length = 0, 0
    for position, event in enumerate(events, 1):
        length += len(event.frame)
        if length >= PIECE_BYTES:
            yield events[start:position]
            start, length = position, 0
    if start < len(events):
        yield events[start:] if start else events


def weight(pieces: Sequence[Piece]) -> int:
    """Bytes of chunks, about."""
    return sum(len(piece.chunk) if isinstance(piece.chunk, bytes) else sum(map(len, piece.chunk)) for piece in pieces)


def envelope(event: Recorded) -> bytes:
    """The event as every reader gets it. Not kept: the chunk that holds it is."""
    return event.line


def upstream(event: Recorded) -> bytes:
    """The upstream payload as one line: JSON without white space around its parts; other text as a JSON string."""
    raw = event.envelope.data
    if isinstance(raw, msgspec.Raw):
        return msgspec.json.format(raw, indent=-1)
    encoded = event.envelope.data_base64
    return msgspec.json.encode(encoded) if isinstance(encoded, str) else b"null"


def renderer(form: str) -> Render:
    """The rendering that `as=` names: one of `FORMS`."""
    return {"raw": upstream, "cdevents": cdevents.encode}.get(form, envelope)
