"""Events: what a delivery means, how it is written down, and what a reader gets.

In: `Event`, the meaning that a source found. Out: a frame (bytes) for the stream, and `Recorded`, the event with its
place in the stream. The envelope is CloudEvents 1.0 in JSON; sequence and recorded time are *not* in the stored
bytes, they come from the stream itself and are spliced in when somebody reads, so a stored event never changes.

Frame: two JSON lines. The first is `Private`, what only the hub needs (original topics, words for search); the
second is the envelope as readers get it, but for the two attributes above.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, NewType

import msgspec

from firehose import subject as subjects

Sequence = NewType("Sequence", int)
"""An event's place in the public stream, from 1: the cursor and the history's key."""

OUTCOMES: Final = ("success", "failure", "error", "cancel", "skipped", "running", "queued")
SEVERITIES: Final = ("info", "notice", "warning", "error")
SUMMARY_LIMIT: Final = 300
TEXT_LIMIT: Final = 4_000
_HEAD: Final = b'{"specversion":"1.0",'


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened, as its source understood it. Empty text means "not known" everywhere.

    `id` and `source` (the instance's URI) identify it; `type` is native reverse DNS; `kind` is normalised
    `subject.predicate`; `refs` are the subjects it is about or belongs to; `data` is the upstream payload verbatim.
    `text` (more words to search), `alias` (original topics, live only), `audience` (opaque; "" is public) and `detail`
    (JSON of any size, stored beside the stream and served at `/v1/details/<id>`) never show up in the envelope.
    `hidden` names payload paths that must not leave the hub (`owner.email`).
    """

    id: str
    source: str
    type: str
    kind: str
    subject: str
    time: datetime
    project: str = ""
    actor: str = ""
    summary: str = ""
    link: str = ""
    outcome: str = ""
    severity: str = "info"
    refs: tuple[str, ...] = ()
    datacontenttype: str = "application/json"
    dataschema: str = ""
    data: bytes = b"null"
    text: str = ""
    alias: tuple[str, ...] = ()
    audience: str = ""
    detail: bytes = b""

    @property
    def key(self) -> str:
        """What order must hold within: the thing that the event is about, at its source."""
        return f"{self.source} {self.subject}"

    @property
    def identity(self) -> str:
        """The deduplication key of (source, id), short enough for a message header."""
        return identity(self.source, self.id)


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The stored CloudEvent: every attribute that readers see but `sequence` and `recordedtime`."""

    specversion: str
    id: str
    source: str
    type: str
    kind: str
    subject: str
    time: datetime
    topic: str
    project: str = ""
    actor: str = ""
    summary: str = ""
    link: str = ""
    outcome: str = ""
    severity: str = ""
    refs: str = ""
    datacontenttype: str = ""
    dataschema: str = ""
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    data_base64: str | msgspec.UnsetType = msgspec.UNSET


class Private(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What travels with an event inside the hub and is never given to a reader."""

    alias: tuple[str, ...] = ()
    text: str = ""


_encoder = msgspec.json.Encoder()
_envelopes = msgspec.json.Decoder(Envelope)
_privates = msgspec.json.Decoder(Private)


def identity(source: str, id_: str) -> str:
    """A fixed-length key for (source, id): 32 hex digits."""
    return digest(source, id_).hex()


def digest(source: str, id_: str) -> bytes:
    """The same as 16 bytes."""
    return hashlib.blake2b(f"{source}\n{id_}".encode("utf-8", "replace"), digest_size=16).digest()


def fingerprint(*parts: object) -> str:
    """An event id from a sender's identifying fields, for senders that give none: 32 hex digits.

    The same parts give the same id on every replica and after every restart; never pass our own clock.
    """
    text = "\x1f".join(part.hex() if isinstance(part, bytes) else str(part) for part in parts)
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


def line(text: str, limit: int = SUMMARY_LIMIT) -> str:
    """Text of any origin as one plain line: white space collapsed, control characters gone, cut with an ellipsis."""
    if len(text) <= limit and text.isprintable() and "  " not in text:
        return text.strip()
    flat = " ".join("".join(c if c.isprintable() else " " for c in text[: limit * 4]).split())
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"


def encode(name: str, event: Event) -> bytes:
    """The frame of an event of the source called `name`, ready for the stream."""
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    data_base64: str | msgspec.UnsetType = msgspec.UNSET
    if event.datacontenttype == "application/json" or event.datacontenttype.partition(";")[0].endswith("json"):
        data = msgspec.Raw(_one_line(event.data))
    else:
        try:
            data = msgspec.Raw(_encoder.encode(event.data.decode()))
        except UnicodeDecodeError:
            data_base64 = base64.b64encode(event.data).decode()
    envelope = Envelope(
        specversion="1.0",
        id=event.id,
        source=event.source,
        type=event.type,
        kind=event.kind,
        subject=event.subject,
        time=event.time,
        topic=subjects.topic(name, event.kind, event.project, event.audience),
        project=event.project,
        actor=event.actor,
        summary=line(event.summary),
        link=event.link,
        outcome=event.outcome,
        severity=event.severity,
        refs=" ".join(event.refs),
        datacontenttype=event.datacontenttype,
        dataschema=event.dataschema,
        data=data,
        data_base64=data_base64,
    )
    if not event.alias and not event.text:
        return b"{}\n" + _encoder.encode(envelope)
    private = Private(alias=event.alias, text=event.text[:TEXT_LIMIT])
    return _encoder.encode(private) + b"\n" + _encoder.encode(envelope)


def _one_line(data: bytes) -> bytes:
    """JSON without the line breaks (and spaces) between its tokens: an event is one line on every way out."""
    return msgspec.json.format(data, indent=-1) if b"\n" in data or b"\r" in data else data


class Recorded:
    """An event at its place in the stream. Cheap to pass on; decoded only when somebody looks.

    `sequence` counts from 1, `recorded` is when the stream stored it (UTC), `frame` the stored bytes. `words` is a
    note of `query.words`, so that an event's text is taken apart once, however many readers search it.
    """

    words: str | None = None

    def __init__(self, sequence: int, recorded: datetime, frame: bytes) -> None:
        self.sequence = sequence
        self.recorded = recorded
        self.frame = frame

    @classmethod
    def from_body(cls, sequence: int, recorded: datetime, body: bytes) -> Recorded:
        """From the history, which keeps the envelope and not the private line."""
        return cls(sequence, recorded, b"{}\n" + body)

    @cached_property
    def body(self) -> bytes:
        """The stored envelope, without sequence and recorded time."""
        return self.frame[self.frame.index(b"\n") + 1 :]

    @cached_property
    def private(self) -> Private:
        """The hub's own notes on the event."""
        return _privates.decode(self.frame[: self.frame.index(b"\n")])

    @cached_property
    def envelope(self) -> Envelope:
        """The attributes; `data` stays raw."""
        return _envelopes.decode(self.body)

    @cached_property
    def json(self) -> bytes:
        """The event as every reader gets it: one line of JSON with its cursor. Made once and kept."""
        return self.line

    @property
    def line(self) -> bytes:
        """The same as `json`, made anew: for those who pass it on at once and keep nothing."""
        return b"".join(self.halves)

    @property
    def halves(self) -> tuple[bytes, memoryview]:
        """The same in two parts, for those who join many: the second, which is nearly all of it, is not copied."""
        start = self.frame.index(b"\n") + 1 + len(_HEAD)
        head = b'%b"sequence":"%020d","recordedtime":"%b",' % (_HEAD, self.sequence, self.stamp)
        return head, memoryview(self.frame)[start:]

    @property
    def stamp(self) -> bytes:
        """`recordedtime`."""
        return rfc3339(self.recorded).encode()

    @cached_property
    def data(self) -> Any:
        """The decoded payload: JSON values, or text; None when it is binary."""
        raw = self.envelope.data
        return None if raw is msgspec.UNSET else msgspec.json.decode(raw)

    @property
    def raw(self) -> bytes:
        """The upstream payload's bytes."""
        envelope = self.envelope
        if envelope.data_base64 is not msgspec.UNSET:
            return base64.b64decode(envelope.data_base64)
        if envelope.data is msgspec.UNSET:
            return b""
        if envelope.datacontenttype.partition(";")[0].endswith("json"):
            return bytes(envelope.data)
        return str(msgspec.json.decode(envelope.data)).encode()

    @property
    def name(self) -> str:
        """The source's name in the settings, read from the topic."""
        return subjects.source_of(self.envelope.topic)

    @property
    def cursor(self) -> str:
        """The sequence as readers write it: 20 digits."""
        return f"{self.sequence:020d}"

    def __repr__(self) -> str:
        return f"<Recorded {self.sequence} {self.envelope.kind} {self.envelope.subject}>"


def sound(frame: bytes) -> bool:
    """Whether bytes have the form of a frame, by a glance. A foreign hand can write anything to the stream."""
    return frame.startswith(b"{") and frame.find(b"\n" + _HEAD) > 0


def rfc3339(moment: datetime) -> str:
    """UTC with microseconds and `Z`, always the same length, so that it sorts as text."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
