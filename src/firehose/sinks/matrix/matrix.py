"""Matrix rooms: each hears the events of its query in notices, or what gerritbot would have said.

In: events that wait together. Out: the content of one `m.notice`, in plain text and in HTML; many events of one kind in
one project become one line. Which room hears what stands in the settings (`rooms`), in a gerritbot configuration
(`gerritbot`), or in both. The homeserver is `transport.py`'s.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from html import escape
from typing import Any, Final

import msgspec

from firehose import urls
from firehose.chat import rooms
from firehose.event import Recorded, digest
from firehose.sink import Message, Outlet, Settings, SinkKind
from firehose.sinks.matrix.transport import connect

MOST: Final = 50
LONGEST: Final = 48_000
"""Bytes of a message's content; an event of Matrix may have 65,536 with everything that servers add."""
_ROOM: Final = re.compile(r"[#!][^\s:\x00-\x1f\x7f]+(:[^\s:/\x00-\x1f\x7f]+(:\d+)?)?")


class MatrixSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """url: the homeserver, `https://…`. user: our account there, `@bot:example.org`; "" when the secret is an access
    token. secret_file, secret_env: the account's password, or the token. ca_file: authorities of the homeserver's
    certificate instead of the system's. rooms: room (`#alias:example.org` or `!id:example.org`) -> the query of what it
    hears ("" is all of the sink's). gerritbot: a gerritbot channel configuration, read when the hub starts.
    gerritbot_server: where its channels are rooms: `#dev` is `#dev:example.org`."""

    url: str
    user: str = ""
    secret_file: str = ""
    secret_env: str = ""
    ca_file: str = ""
    rooms: dict[str, str] = msgspec.field(default_factory=dict)
    gerritbot: str = ""
    gerritbot_server: str = ""


def room(server: str, channel: str) -> str:
    """The room that a channel of a gerritbot configuration is."""
    named = channel.removeprefix("#") if channel.startswith("#!") else channel
    return named if ":" in named or not server else f"{named}:{server}"


def lanes(event: Recorded, settings: Any) -> Sequence[str]:
    """The rooms that hear of an event."""
    return rooms.hearing(event, settings.rooms, settings.gerritbot, partial(room, settings.gerritbot_server))


def render(events: Sequence[Recorded], lane: str, outlet: Outlet) -> Message | None:
    """The notice that a room gets of events. Its id is theirs, so that a room hears the same ones once."""
    settings: MatrixSettings = outlet.settings
    rename = partial(room, settings.gerritbot_server)
    said = rooms.lines(events, lane, settings.rooms.get(lane), settings.gerritbot, outlet.hub_url, rename)
    if not said:
        return None
    id_ = digest(f"{outlet.name} {lane}", " ".join(f"{e.envelope.source} {e.envelope.id}" for e in events)).hex()
    return Message(id=id_, to=lane, body=content(said))


def content(lines: Sequence[str]) -> bytes:
    """The content of an `m.room.message`; what does not fit is cut, and the HTML goes first."""
    plain = "\n".join(lines)
    notice = {"msgtype": "m.notice", "body": plain}
    formatted = notice | {"format": "org.matrix.custom.html", "formatted_body": "<br>".join(map(linked, lines))}
    found = msgspec.json.encode(formatted)
    if len(found) > LONGEST:
        found = msgspec.json.encode(notice)
    if len(found) > LONGEST:
        cut = plain.encode()[: LONGEST // 2 - 50].decode(errors="ignore")
        found = msgspec.json.encode(notice | {"body": f"{cut}…"})
    return found


def linked(line: str) -> str:
    """`summary  address` as HTML: the summary with the address behind it."""
    text, _, address = line.rpartition("  ")
    if text and address.startswith(("https://", "http://")) and " " not in address:
        return f'<a href="{escape(address)}">{escape(text)}</a>'
    return escape(line)


def check(settings: Any) -> str:
    """Why settings cannot work."""
    if problem := urls.problem(settings.url, ("https", "http")):
        return f"url: {problem}"
    if not settings.rooms and not settings.gerritbot:
        return 'it needs rooms = { "#name:example.org" = "query" }, or gerritbot = "channels.yaml"'
    if settings.user and not re.fullmatch(r"@[^\s:]+:\S+", settings.user):
        return f"user: {settings.user!r} is not @name:example.org"
    for name in settings.rooms:
        if problem := room_problem(name):
            return f"rooms: {problem}"
    if problem := rooms.problem(settings.rooms, settings.gerritbot):
        return problem
    for channel in rooms.configured(settings.gerritbot) if settings.gerritbot else ():
        if problem := room_problem(room(settings.gerritbot_server, channel.name)):
            return f"gerritbot: {problem}; gerritbot_server names the server of its channels"
    return ""


def room_problem(name: str) -> str:
    """Why a room's name cannot be one, "" when it can. Ids of rooms of version 12 and later name no server."""
    if not _ROOM.fullmatch(name) or len(name.encode()) > 255 or (name.startswith("#") and ":" not in name):
        return f"{name!r} is not #alias:example.org or !id:example.org"
    return ""


SINK = SinkKind(
    name="matrix",
    title="Matrix",
    family="people",
    settings=MatrixSettings,
    render=render,
    connect=connect,
    lanes=lanes,
    most=MOST,
    recognises=True,
    check=check,
    formats=("m.notice in text and HTML: summaries with links; many of one kind as a number", "gerritbot's lines"),
)
