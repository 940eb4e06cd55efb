"""IRC channels: each hears the events of its query in lines, or what gerritbot would have said.

In: events that wait together. Out: lines for one channel; many of one kind in one project become one. Which channel
hears what stands in the settings (`channels`), in a gerritbot configuration (`gerritbot`), or in both. The connection
is `transport.py`'s.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from firehose.chat import rooms
from firehose.event import Recorded
from firehose.sink import Message, Outlet, Settings, SinkKind
from firehose.sinks.irc.transport import connect

_NICK: Final = re.compile(r"[^\W\d][\w\[\]{}^`|\\-]*|[\[\]{}^`|\\][\w\[\]{}^`|\\-]*")


class IrcSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """host, port, tls, ca_file: the server. nick: our name there. account, and secret_file or secret_env: the SASL
    login. channels: channel -> the query of what it hears ("" is all of the sink's). gerritbot: a gerritbot channel
    configuration, read when the hub starts. pace: seconds between lines after a burst of four. most_channels: to be in
    at a time."""

    host: str
    port: int = 6697
    tls: bool = True
    ca_file: str = ""
    nick: str = "firehose"
    account: str = ""
    secret_file: str = ""
    secret_env: str = ""
    channels: dict[str, str] = msgspec.field(default_factory=dict)
    gerritbot: str = ""
    pace: float = 0.5
    most_channels: int = 120


def lanes(event: Recorded, settings: Any) -> Sequence[str]:
    """The channels that hear of an event."""
    return rooms.hearing(event, settings.channels, settings.gerritbot)


def render(events: Sequence[Recorded], lane: str, outlet: Outlet) -> Message | None:
    """The lines that a channel hears of events."""
    settings: IrcSettings = outlet.settings
    said = rooms.lines(events, lane, settings.channels.get(lane), settings.gerritbot, outlet.hub_url)
    if not said:
        return None
    return Message(id=f"{lane} {events[0].cursor}", to=lane, body="\n".join(said).encode())


def check(settings: Any) -> str:
    """Why settings cannot work."""
    if not re.fullmatch(r"[^\s\x00-\x20/@]+", settings.host):
        return f"host: {settings.host!r} is no server's name"
    if not 1 <= settings.port <= 65_535:
        return "port: it must be 1 to 65535"
    if not _NICK.fullmatch(settings.nick):
        return f"nick: {settings.nick!r} is no name; it begins with a letter, and has letters, digits and -_[]{{}}^`|\\"
    if settings.account and not (settings.secret_file or settings.secret_env):
        return "account: its password is missing; set secret_file or secret_env"
    if settings.most_channels < 1:
        return "most_channels: it must be at least 1"
    if not settings.pace >= 0:
        return "pace: it must not be negative"
    if not settings.channels and not settings.gerritbot:
        return 'it needs channels = { "#name" = "query" }, or gerritbot = "channels.yaml"'
    for channel in settings.channels:
        if problem := name_problem(channel):
            return f"channels: {problem}"
    return rooms.problem(settings.channels, settings.gerritbot)


def name_problem(channel: str) -> str:
    """Why a channel's name cannot be one, "" when it can."""
    if not channel.startswith(("#", "&", "+", "!")):
        return f"{channel!r} does not begin with '#'"
    if any(letter in channel for letter in " ,\a\r\n\0") or len(channel.encode()) > 200:
        return f"{channel!r} is no name for a channel"
    return ""


SINK = SinkKind(
    name="irc",
    title="IRC",
    family="people",
    settings=IrcSettings,
    render=render,
    connect=connect,
    lanes=lanes,
    most=100,
    check=check,
    formats=("lines: summary and link; many of one kind as a number", "gerritbot's lines"),
    to=lambda settings: f"{settings.host}:{settings.port}",
)
