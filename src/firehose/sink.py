"""What a sink is: its declaration, the message it makes of events, the transport that sends it. Loading by name.

In: the `kind` in the settings. Out: the `SinkKind` that the folder `firehose.sinks.<kind>` declares as `SINK`.
Two halves: *rendering* is pure (events in, a `Message` out: no sockets, no clock), the *transport* acts and knows no
events. When, in which order, how often and what then is decided by `delivery/`; a transport only says what came of
one try, by returning or by raising `TryLater`, `SlowDown`, `GiveUp` or `Gone`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, Protocol

import msgspec

from firehose.event import Recorded
from firehose.kinds import Kinds


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every sink can be told. Each sink kind adds its own fields.

    query: which events, in the query language ("" is all). topics: only events on these topics (MQTT filters).
    since: where a new sink begins: `latest`, `earliest`, a time, a duration such as `1h`, or `seq:123`.
    order: `key` keeps the order of the events about one thing, `stream` the order of all, `none` keeps none.
    concurrency: most messages under way at a time. allow: hosts, addresses and networks that requests may go to
    although they are not public; allow_private: any address.
    """

    kind: str
    query: str = ""
    topics: tuple[str, ...] = ()
    since: str = "latest"
    order: Literal["key", "stream", "none"] = "key"
    concurrency: int = 8
    allow: tuple[str, ...] = ()
    allow_private: bool = False


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What a transport sends. `id` is the same for every try, and another one for other events: receivers recognise
    what they already have by it. `to` is where: a URL, a topic, a channel, an address."""

    id: str
    to: str
    body: bytes
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Outlet:
    """A sink as it is set up. name: in the settings. settings: of the kind's own type. hub_url, hub_name: for links
    and headings, without a trailing slash. stop_url: the link by which a recipient stops this sink's messages."""

    name: str
    kind: SinkKind
    settings: Any
    hub_url: str = ""
    hub_name: str = "Firehose"
    stop_url: Callable[[str], str] = field(default=lambda recipient: "")

    @property
    def most(self) -> int:
        """Events that one message may hold."""
        return self.kind.most(self.settings) if callable(self.kind.most) else self.kind.most


class Notes(Protocol):
    """A few small values that a sink's transport keeps beyond a restart."""

    async def get(self, key: str) -> bytes | None:
        """A value; None when there is none. `TryLater` when the bus cannot be reached."""
        ...

    async def put(self, key: str, value: bytes) -> None:
        """Keep a value; it is on disk when this returns. `TryLater` when the bus cannot be reached."""
        ...


class Paper:
    """Notes in memory, for a transport that is tried outside of a hub."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}

    async def get(self, key: str) -> bytes | None:
        """What was put."""
        return self._values.get(key)

    async def put(self, key: str, value: bytes) -> None:
        """Keep it until the process ends."""
        self._values[key] = value


async def nobody(recipient: str) -> bool:
    """Where recipients cannot stop anything."""
    return False


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What the hub lends to a transport. secret: the secret that `<word>_file` or `<word>_env` of the settings names
    (b"" when neither is set). sign: the hub's ed25519 signature over bytes; its public key is at `/v1/keys`.
    now: the clock. back: to be called when a connection has come up: what waits is tried at once. notes: what this
    sink keeps for itself."""

    secret: Callable[[str], bytes]
    sign: Callable[[bytes], bytes]
    now: Callable[[], datetime]
    back: Callable[[], None] = field(default=lambda: None)
    stopped: Callable[[str], Awaitable[bool]] = field(default=nobody)
    notes: Notes = field(default_factory=Paper)


class Transport(Protocol):
    """The half that acts. One for each sink; `send` may run several times at once."""

    async def send(self, message: Message) -> str:
        """One try. Returns what the receiver said once it has the message, in a few words; "" when it wants none.

        `TryLater`: it may work later (nobody there, an error over there). `SlowDown`: the receiver wants a pause of
        `after` seconds. `GiveUp`: this message will never be taken. `Gone`: the receiver wants nothing any more."""
        ...

    async def run(self) -> None:
        """Hold what must be held (a connection) until cancelled. May return at once when there is nothing to hold."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...


@dataclass(frozen=True, kw_only=True)
class SinkKind:
    """A sink's declaration, the `SINK` of its folder.

    name: the kind's word in the settings, and the folder. title: for people. family: icon and colour on the pages.
    settings: the type of `[sinks.<name>]`, derived from `Settings`.
    render: the message that events of one lane make; None when they make none. Pure.
    connect: the transport. `Broken` (code 2) when the settings cannot work, in words that say what is missing.
    lanes: the lanes an event goes to; order holds within a lane, and a lane that must wait holds up no other. Empty:
    the event is not for this sink. By default one lane, by `order`.
    most: events of one lane that one message may hold, when they wait together; a number, or by the settings.
    recognises: the receiver knows by its id a message that it already has, so events that were sent together once are
    always sent together again, also after a crash.
    due: the earliest moment at which a lane may send an event (digests), by when that was recorded; None is at once.
    apart: every lane has a receiver of its own, so that failures of several say nothing about the others.
    idle: whether it wants nothing at this moment, whatever comes; events are then passed by without a look.
    window: events on their way at a time; with that many open, reading waits (0: the room's own limit).
    check: why settings cannot work, "" when they can: for what their types do not say. Pure.
    formats: what leaves, in words, for the reference page. to: what the Sinks table shows as the address.
    also: other words for the settings that this folder serves, with the title of each.
    """

    name: str
    title: str
    family: str
    settings: type[Any]
    render: Callable[[Sequence[Recorded], str, Outlet], Message | None]
    connect: Callable[[Outlet, Tools], Transport]
    lanes: Callable[[Recorded, Any], Sequence[str]] = field(default=lambda event, settings: (lane(event, settings),))
    most: int | Callable[[Any], int] = 1
    recognises: bool = False
    due: Callable[[datetime, str, Any], datetime | None] | None = None
    apart: bool = False
    idle: Callable[[], bool] = field(default=lambda: False)
    window: int = 0
    check: Callable[[Any], str] = field(default=lambda settings: "")
    formats: Sequence[str] = ()
    to: Callable[[Any], str] = field(default=lambda settings: str(getattr(settings, "url", "")))
    also: Mapping[str, str] = field(default_factory=dict)


def lane(event: Recorded, settings: Settings) -> str:
    """The lane that `order` asks for: the thing that the event is about, everything in one, each event its own."""
    match settings.order:
        case "stream":
            return ""
        case "none":
            return event.cursor
        case _:
            return f"{event.envelope.source} {event.envelope.subject}"


_KINDS: Final = Kinds("firehose.sinks", "SINK", SinkKind, "sink")
load = _KINDS.load
folders = _KINDS.folders
kinds = _KINDS.words
