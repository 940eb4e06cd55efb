"""IRC channels: each hears the events of its query in lines, or what gerritbot would have said.

In: events that wait together. Out: lines for one channel; many of one kind in one project become one. Which channel
hears what stands in the settings (`channels`), in a gerritbot configuration (`gerritbot`), or in both. The connection
is `transport.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from firehose.chat import gerritbot
from firehose.chat.words import gathered
from firehose.errors import Broken, Refused
from firehose.event import Recorded
from firehose.query.match import Predicate, predicate
from firehose.query.parse import parse
from firehose.sink import Message, Outlet, Settings, SinkKind
from firehose.sinks.irc.transport import connect


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


@cache
def wanted(query: str) -> Predicate:
    """What a channel's query matches; relative times count from the first event that it is asked about."""
    return predicate(parse(query, datetime.now(UTC)))  # noqa: TID251 - only queries with a relative time see it


@cache
def configured(file: str) -> tuple[gerritbot.Channel, ...]:
    """A gerritbot configuration, read once."""
    try:
        return gerritbot.read(Path(file).read_text(encoding="utf-8"), file)
    except OSError as error:
        raise Broken(f"gerritbot: {file}: {error.strerror}", code=2) from None


def lanes(event: Recorded, settings: Any) -> Sequence[str]:
    """The channels that hear of an event."""
    found = {channel: None for channel, query in settings.channels.items() if wanted(query)(event)}
    if settings.gerritbot:
        found |= {channel: None for channel, _ in gerritbot.lines(configured(settings.gerritbot), event.raw)}
    return tuple(found)


def render(events: Sequence[Recorded], lane: str, outlet: Outlet) -> Message | None:
    """The lines that a channel hears of events."""
    settings: IrcSettings = outlet.settings
    own = settings.channels.get(lane)
    if own is not None:
        asked = [event for event in events if wanted(own)(event)]
        rest = [event for event in events if event not in asked]
    else:
        asked, rest = [], list(events)
    said = gathered(asked, outlet.hub_url)
    if rest and settings.gerritbot:
        channels = configured(settings.gerritbot)

        def old(event: Recorded) -> list[str]:
            return [text for channel, text in gerritbot.lines(channels, event.raw) if channel == lane]

        said += gathered(rest, outlet.hub_url, say=old)
    if not said:
        return None
    return Message(id=f"{lane} {events[0].cursor}", to=lane, body="\n".join(said).encode())


def check(settings: Any) -> str:
    """Why settings cannot work."""
    if not settings.channels and not settings.gerritbot:
        return 'it needs channels = { "#name" = "query" }, or gerritbot = "channels.yaml"'
    for channel, query in settings.channels.items():
        if problem := name_problem(channel):
            return f"channels: {problem}"
        try:
            wanted(query)
        except Refused as refused:
            return f"channels: {channel}: {refused.detail}"
    try:
        if settings.gerritbot:
            configured(settings.gerritbot)
    except Broken as broken:
        return str(broken)
    return ""


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
