"""Wikimedia EventStreams: `/v2/stream/{names}?since=` and its event frames.

In: the stream names of the path, `since`, the `Last-Event-ID` that such clients send. Out: a `Request` of ours, and
frames. A stream is a source (`gerrit`), a kind (`change.merged`), both (`gerrit.change.merged`), or `all`.
Event ids are arrays of topic, partition and offset there, and clients take them apart: so ours are such, with one
topic `events`, partition 0 and the cursor as offset. Unlike there a `since` that is too old is an error, never a gap.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from firehose.errors import Refused
from firehose.event import Recorded, rfc3339
from firehose.query import moments, params
from firehose.query.parse import either
from firehose.query.tree import Everything, Is, Node, both

ALL: Final = "all"
TOPIC: Final = "events"
MOST_NAMES: Final = 50


def read(
    names: str, pairs: Iterable[tuple[str, str]], last_event_id: str, now: datetime, sources: Collection[str]
) -> params.Request:
    """The request: `names` is the path's comma list, `sources` the names of all sources. `Last-Event-ID` wins over
    `since`; without both it starts at the head."""
    node = _streams(names.split(","), sources)
    since: params.Place | None = None
    for name, value in pairs:
        if name != "since":
            raise Refused(
                f"there is no parameter {name[:100]!r}; did you mean 'since'?",
                slug="unknown-parameter",
                field=name[:100],
                extra={"nearest": "since"},
            )
        if value:
            since = _since(value, now)
    if last_event_id:
        cursor, moment = _last(last_event_id, now)
        if cursor is not None:
            return params.Request(node=node, descending=False, cursor=cursor)
        since = moment or since
    return params.Request(node=node, descending=False, since=since or params.Place(latest=True))


def frame(event: Recorded) -> bytes:
    """The event as one server-sent event."""
    moment = int(event.recorded.timestamp() * 1_000)
    place = b'[{"topic":"%b","partition":0,"offset":%d,"timestamp":%d}]' % (TOPIC.encode(), event.sequence, moment)
    return b"event: message\nid: %b\ndata: %b\n\n" % (place, line(event))


def line(event: Recorded) -> bytes:
    """The event as one line of JSON, with the `meta` that such clients read."""
    # A payload that came with line breaks between its tokens must not break the frame.
    whole = event.json[:-1].replace(b"\r", b" ").replace(b"\n", b" ")
    return b'%b,"meta":%b}' % (whole, msgspec.json.encode(_meta(event)))


def stream_name(event: Recorded) -> str:
    """The narrowest stream that holds an event."""
    return f"{event.name}.{event.envelope.kind}"


def _meta(event: Recorded) -> dict[str, Any]:
    envelope = event.envelope
    return {
        "stream": stream_name(event),
        "id": envelope.id,
        "dt": rfc3339(envelope.time),
        "uri": envelope.link,
        "domain": _host(envelope.source),
        "topic": TOPIC,
        "partition": 0,
        "offset": event.sequence,
    }


def _host(uri: str) -> str:
    try:
        return urlsplit(uri).hostname or ""
    except ValueError:
        return ""


def _streams(names: list[str], sources: Collection[str]) -> Node:
    if len(names) > MOST_NAMES:
        raise Refused(f"more than {MOST_NAMES} streams at once", slug="bad-parameter", field="streams")
    nodes = [_stream(name.strip(), sources) for name in names if name.strip()]
    if not nodes:
        raise Refused("no stream is named", slug="bad-parameter", field="streams")
    return either(*nodes)


def _stream(name: str, sources: Collection[str]) -> Node:
    if name == ALL:
        return Everything()
    if name in sources:
        return Is("source", name)
    head, _, rest = name.partition(".")
    if head in sources:
        return both(Is("source", head), Is("kind", rest))
    if rest:
        return Is("kind", name)
    near = (get_close_matches(name, [*sources, ALL], 1) or [""])[0]
    hint = f"; did you mean {near!r}?" if near else f"; there are {', '.join([*sorted(sources), ALL])} and every kind"
    raise Refused(
        f"there is no stream {name[:100]!r}{hint}",
        slug="unknown-stream",
        status=404,
        field="streams",
        extra={"nearest": near},
    )


def _since(value: str, now: datetime) -> params.Place:
    if value.isascii() and value.isdecimal() and len(value) <= 15:
        # There, digits are always milliseconds.
        value = value.zfill(13) if len(value) <= 13 else value
        if value.startswith("0" * 3):
            return params.Place(sequence=1)
    return params.place("since", value, now)


def _last(text: str, now: datetime) -> tuple[int | None, params.Place | None]:
    """Our cursor, or the array of places that their clients keep: an offset, or only a timestamp to start from."""
    if not text.lstrip().startswith("["):
        return params.cursor(text, "Last-Event-ID"), None
    try:
        places = msgspec.json.decode(text, type=list[dict[str, Any]])
    except (msgspec.DecodeError, RecursionError):
        places = []
    offsets = [place["offset"] for place in places if type(place.get("offset")) is int and place["offset"] >= 0]
    if offsets and max(offsets) <= params.LAST:
        return max(offsets), None
    stamps = [place["timestamp"] for place in places if type(place.get("timestamp")) is int]
    found = moments.read(str(min(stamps)), now) if stamps else None
    if found is None:
        raise Refused(
            "Last-Event-ID must be a cursor, or an array of objects with offset or timestamp",
            slug="bad-parameter",
            field="Last-Event-ID",
        )
    return None, params.Place(moment=found.start)
