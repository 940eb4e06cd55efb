"""How a gap in Gerrit's stream is closed: the cursor, the command that resumes, the requests that ask what was missed.

In: lines, the cursor before them, a gap, answers. Out: steps, commands, requests, and deliveries as the stream would
have written them. Three ways, most exact first: the `events` plugin resumes by its own ids; the `events-log` plugin
replays its log; a change query gives states, from which `rebuilt.py` makes events. It refuses to know who asks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

import msgspec

from firehose.errors import Refused
from firehose.event import fingerprint
from firehose.source import Gap, Request, Step
from firehose.sources.gerrit import payload, rebuilt
from firehose.sources.gerrit.options import Settings
from firehose.wild import Wild, decode

MARGIN: Final = 60
"""Seconds before the last event that are asked for again: events of one moment do not come in order."""
CLOCKS: Final = 3_600
"""Seconds before a moment of *our* clock that are asked for again: the server's may be late, and what is given beyond
the gap is known or welcome."""
ZONES: Final = 15 * 3_600
"""The events-log plugin reads times in the server's zone, which nobody tells: ask for the widest, filter here."""
CLOSE: Final = 10
"""Seconds by which the time of an event and that of its trace in the change may differ."""
MARKS: Final = 200
PAGE: Final = 100
MARKED: Final = frozenset(
    {"comment-added", "change-abandoned", "change-restored", "wip-state-changed", "topic-changed"}
)
_ACTORS: Final = ("author", "abandoner", "restorer", "changer")
_PLUGIN_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}:[0-9]{1,18}")


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """A recent event that a change query would show with another time, so with another id."""

    key: str
    time: int
    rebuilt: bool


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """time: seconds of the newest event. id: the events plugin's `store:number`. marks: see `Mark`. floor: while the
    plugin plays all it keeps, lines before this second are not wanted."""

    time: int = 0
    id: str = ""
    marks: tuple[Mark, ...] = ()
    floor: int = 0


def parse(cursor: str) -> Cursor:
    """The cursor; a text that is none of ours counts as no cursor."""
    try:
        return msgspec.json.decode(cursor, type=Cursor) if cursor else Cursor()
    except msgspec.DecodeError:
        return Cursor()


def canonical(*parts: Wild) -> str:
    """Lists and objects as one text, whatever their order."""
    found = []
    for part in parts:
        if part.is_object():
            found.append(sorted(f"{key}={value.word('')}" for key, value in part.fields()))
        else:
            found.append(sorted(item.word("") for item in part.each()))
    return json.dumps(found)


def state(native: str, about: payload.Change) -> str:
    """The part of the change's state that the event itself set: it tells the event from others like it."""
    match native:
        case "topic-changed":
            return about.topic
        case "wip-state-changed":
            return str(about.wip)
        case "private-state-changed":
            return str(about.private)
    return ""


def beginning(moment: datetime) -> str:
    """The cursor of one who began to listen at a moment and has heard nothing."""
    return msgspec.json.encode(Cursor(floor=int(moment.timestamp()) - CLOCKS)).decode()


def exact(cursor: str) -> str:
    """The events plugin's command that goes on after the cursor, or from now when there is none.

    `--resume-after 0` plays everything that the plugin keeps (its `StreamEvents.parseId`): the only way to what came
    after a beginning when no id of the plugin was heard yet; `step` leaves out what is older."""
    place = parse(cursor)
    after = place.id if _PLUGIN_ID.fullmatch(place.id) else "0" if place.floor else ""
    return "events stream --ids" + (f" --resume-after {after}" if after else "")


def step(line: bytes, before: str) -> Step:
    """The cursor after a line, and whether the line is new, breaks the plugin's sequence, or reports dropped ones."""
    try:
        body = decode(line)
        native = body["type"].text("")
        seconds = int(body["eventCreatedOn"].number(0))
        last = body["id"].text("")
        mark = _mark(native, body, seconds) if native in MARKED else None
    except (Refused, OverflowError, ValueError):
        return Step(before)
    cursor = parse(before)
    new_id = last if _PLUGIN_ID.fullmatch(last) else ""
    twin = _twin(cursor, mark)
    marks = tuple(kept for kept in cursor.marks if kept is not twin and kept.time >= seconds - 2 * MARGIN)
    if mark is not None and twin is None:
        marks = (*marks, mark)[-MARKS:]
    early = bool(new_id) and seconds < cursor.floor
    after = Cursor(max(cursor.time, seconds), new_id or cursor.id, marks, cursor.floor if early else 0)
    return Step(
        cursor=msgspec.json.encode(after).decode(),
        fresh=twin is None and not early,
        dropped=native == "dropped-output",
        broke=bool(new_id and cursor.id) and new_id.partition(":")[0] != cursor.id.partition(":")[0],
    )


def _mark(native: str, body: Wild, seconds: int) -> Mark:
    about = payload.change(body)
    actor = next((name for name in (payload.person(body[field]) for field in _ACTORS) if name), "")
    said = body["comment"].text("") or body["reason"].text("")
    key = fingerprint(native, about.key, payload.patch_set(body).number, actor, said.strip(), state(native, about))
    return Mark(key[:12], seconds, body["recoveredFrom"].present)


def _twin(cursor: Cursor, mark: Mark | None) -> Mark | None:
    """The same event seen the other way: once streamed, once rebuilt from a change query."""
    if mark is None:
        return None
    for seen in cursor.marks:
        if seen.key == mark.key and seen.rebuilt != mark.rebuilt and abs(seen.time - mark.time) <= CLOSE:
            return seen
    return None


def missed(gap: Gap, settings: Settings) -> Iterable[Request]:
    """The requests that ask for what happened in a gap, in the order of exactness."""
    base = settings.url.rstrip("/")
    if not base or settings.resume in ("none", "events-plugin"):
        return
    last = parse(gap.cursor).time
    since = datetime.fromtimestamp(last - MARGIN, UTC) if last else gap.since - timedelta(seconds=CLOCKS)
    asked = Request(url="", about=str(int(since.timestamp())), user=settings.http_user, secret="http_password")  # noqa: S106
    door = f"{base}/a" if settings.http_user else base
    if settings.resume in ("auto", "events-log"):
        start = quote(f"{since - timedelta(seconds=ZONES):%Y-%m-%d %H:%M:%S}")
        yield replace(asked, way="events-log", url=f"{door}/plugins/events-log/events/?t1={start}")
    if settings.resume in ("auto", "query"):
        words = quote(f'after:"{since:%Y-%m-%d %H:%M:%S}"')
        details = "&o=MESSAGES&o=ALL_REVISIONS&o=ALL_COMMITS&o=DETAILED_ACCOUNTS"
        yield replace(asked, way="query", url=f"{door}/changes/?q={words}&n={PAGE}{details}")


def recovered(request: Request, body: bytes, settings: Settings) -> Sequence[bytes]:
    """The events in an answer, oldest first, one JSON text each; `Refused` when it is no such answer."""
    since = int(request.about)
    if request.way == "query":
        return rebuilt.events(_changes(body), since, settings.url.rstrip("/"))
    found = [(_time(line), line) for line in body.splitlines() if line.strip()]
    if found and found[0][0] is None:
        raise Refused("the events-log answered something else than events", slug="bad-answer")
    # A line without a time, or one that cannot be read, goes to the gate, which judges it.
    wanted = [(seconds or 0, line) for seconds, line in found if not seconds or seconds >= since]
    return [line for _, line in sorted(wanted, key=lambda item: item[0])]


def _time(line: bytes) -> int | None:
    try:
        return int(decode(line)["eventCreatedOn"].number(0))
    except (Refused, OverflowError, ValueError):
        return None


def more(request: Request, body: bytes, settings: Settings) -> Request | None:
    """The next page of a change query; the log comes in one piece."""
    del settings
    if request.way != "query":
        return None
    changes = list(_changes(body).each())
    if not changes or not changes[-1]["_more_changes"].flag(False):
        return None
    address, _, start = request.url.partition("&S=")
    return replace(request, url=f"{address}&S={int(start or 0) + len(changes)}")


def _changes(body: bytes) -> Wild:
    return decode(body.removeprefix(b")]}'").strip())
