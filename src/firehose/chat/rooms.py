"""Which rooms hear of an event, and the lines that a room hears: the same for every kind of chat.

In: events, the rooms of the settings (`rooms`: room -> query), a gerritbot configuration. Out: rooms, lines. A room
that both name hears an event once: in the event's own words when its query matches, else in gerritbot's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from firehose.chat import gerritbot
from firehose.chat.words import gathered
from firehose.errors import Broken, Refused
from firehose.event import Recorded
from firehose.query.match import Predicate, predicate
from firehose.query.parse import parse

Rename = Callable[[str], str]
"""The room that a channel of a gerritbot configuration is here."""


def _same(channel: str) -> str:
    return channel


@cache
def wanted(query: str) -> Predicate:
    """What a room's query matches; relative times count from the first event that it is asked about."""
    return predicate(parse(query, datetime.now(UTC)))  # noqa: TID251 - only queries with a relative time see it


@cache
def configured(file: str) -> tuple[gerritbot.Channel, ...]:
    """A gerritbot configuration, read once; `Broken` (settings) says what is wrong with it."""
    try:
        return gerritbot.read(Path(file).read_text(encoding="utf-8"), file)
    except OSError as error:
        raise Broken(f"gerritbot: {file}: {error.strerror}", code=2) from None


def hearing(event: Recorded, rooms: Mapping[str, str], file: str, rename: Rename = _same) -> Sequence[str]:
    """The rooms that hear of an event. `file` is the gerritbot configuration, "" without one."""
    found = {room: None for room, query in rooms.items() if wanted(query)(event)}
    if file:
        found |= {rename(channel): None for channel, _ in gerritbot.lines(configured(file), event.raw)}
    return tuple(found)


def lines(
    events: Sequence[Recorded], room: str, query: str | None, file: str, hub_url: str, rename: Rename = _same
) -> list[str]:
    """What a room hears of events, in order of each part; `query` is its own, None when only gerritbot names it."""
    matches = wanted(query) if query is not None else None
    asked = [event for event in events if matches and matches(event)]
    rest = [event for event in events if not (matches and matches(event))]
    said = gathered(asked, hub_url)
    if rest and file:
        channels = configured(file)

        def old(event: Recorded) -> list[str]:
            return [text for channel, text in gerritbot.lines(channels, event.raw) if rename(channel) == room]

        said += gathered(rest, hub_url, say=old)
    return said


def problem(rooms: Mapping[str, str], file: str) -> str:
    """Why rooms' queries or the configuration cannot work, "" when they can."""
    for room, query in rooms.items():
        try:
            wanted(query)
        except Refused as refused:
            return f"{room}: {refused.detail}"
    try:
        if file:
            configured(file)
    except Broken as broken:
        return str(broken)
    return ""
