"""datagrepper's `/raw` and `/v2/search`: its parameters as a search of ours, our events in its forms.

In: the pairs of a query string. Out: `Search` (a tree, which rows), and the answer's objects. Not offered: JSONP and
HTML cards. Where it pages by number, so does this, up to `DEEPEST` rows; `/v1/events` goes on by cursor without end.
The names: category is our source, topic `events.<source>.<subject>.<predicate>`, package the project, user the actor.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any, Final

import msgspec

from firehose import __version__
from firehose.errors import Refused
from firehose.event import Recorded, rfc3339
from firehose.query import moments, values
from firehose.query.parse import either, negation
from firehose.query.tree import Between, Everything, Is, Node, both

LISTS: Final = {"user": "users", "package": "packages", "category": "categories", "topic": "topics"}
META: Final = ("title", "subtitle", "link", "icon", "secondary_icon", "usernames", "packages", "objects", "date")
IGNORED: Final = ("chrome", "size", "grouped", "is_raw")
NAMES: Final = (
    *LISTS, *(f"not_{name}" for name in LISTS), "contains", "start", "end", "delta", "page", "rows_per_page", "order",
    "meta",
)  # fmt: skip
DEFAULT_ROWS: Final = 25
MOST_ROWS: Final = 100
DEEPEST: Final = 10_000
"""How far page numbers reach, in rows."""
BEFORE_END: Final = 600.0
"""Seconds before `end` when neither `start` nor `delta` is given, as datagrepper has it."""


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for: the first `skip + rows` events that match, without the first `skip`. `arguments` is what the
    answer repeats."""

    node: Node
    start: datetime | None = None
    end: datetime | None = None
    page: int = 1
    rows: int = DEFAULT_ROWS
    descending: bool = True
    meta: tuple[str, ...] = ()
    arguments: Mapping[str, object] = msgspec.field(default_factory=dict)

    @property
    def skip(self) -> int:
        """How many events earlier pages hold."""
        return (self.page - 1) * self.rows


def read(pairs: Iterable[tuple[str, str]], now: datetime) -> Search:
    """The search that the parameters ask for, or `Refused` (400) that names one."""
    given = _gather(pairs)
    start, end, delta = _range(given, now)
    rows = _number(given, "rows_per_page", DEFAULT_ROWS, MOST_ROWS)
    page = _number(given, "page", 1, DEEPEST)
    if page * rows > DEEPEST:
        raise _bad("page", f"reaches beyond {DEEPEST} rows; narrow start and end, or page /v1/events by cursor")
    order = given.get("order", ["desc"])[0]
    if order not in ("asc", "desc"):
        raise _bad("order", "must be asc or desc")
    meta = tuple(given.get("meta", ()))
    for name in meta:
        if name not in META:
            raise _bad("meta", f"must be in {','.join(META)}")
    parts = [_lists(given), _contains(given), _between(start, end)]
    return Search(
        node=both(*parts),
        start=start,
        end=end,
        page=page,
        rows=rows,
        descending=order == "desc",
        meta=meta,
        arguments=_arguments(given, start, end, delta) | {"page": page, "rows_per_page": rows, "order": order},
    )


def answer(search: Search, events: Sequence[Recorded], total: int, *, fedora: bool) -> dict[str, Any]:
    """The page: `events` are those of this page alone, `total` how many match. `fedora`: in `/v2/search`'s form."""
    form = message if fedora else raw
    return {
        "raw_messages": [_with_meta(form(event), event, search.meta) for event in events],
        "total": total,
        "pages": math.ceil(total / search.rows),
        "count": len(events),
        "arguments": search.arguments,
    }


def raw(event: Recorded) -> dict[str, Any]:
    """One event as datanommer keeps messages (`/raw`)."""
    envelope = event.envelope
    return {
        "i": event.sequence,
        "msg_id": envelope.id,
        "topic": topic(event),
        "timestamp": envelope.time.timestamp(),
        "certificate": None,
        "signature": None,
        "username": None,
        "crypto": None,
        "msg": _payload(event),
        "headers": _headers(event),
        "source_name": "firehose",
        "source_version": __version__,
        "users": [envelope.actor] if envelope.actor else [],
        "packages": [envelope.project] if envelope.project else [],
    }


def message(event: Recorded) -> dict[str, Any]:
    """One event as a fedora-messaging message (`/v2/search`, `/v2/id`)."""
    return {
        "body": _payload(event),
        "headers": _headers(event),
        "id": event.envelope.id,
        "priority": 0,
        "queue": None,
        "topic": topic(event),
    }


def topic(event: Recorded) -> str:
    """The event's topic with dots, without the project."""
    return f"events.{event.name}.{event.envelope.kind}"


def _gather(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        if name == "callback":
            raise _bad(name, "is not offered: every origin may read the JSON itself")
        if name in NAMES:
            if value:
                given.setdefault(name, []).append(value)
        elif name not in IGNORED:
            near = (get_close_matches(name, NAMES, 1) or [""])[0]
            hint = f"; did you mean {near!r}?" if near else ""
            raise Refused(
                f"there is no parameter {name[:100]!r}{hint}",
                slug="unknown-parameter",
                field=name[:100],
                extra={"nearest": near},
            )
    return given


def _range(given: Mapping[str, list[str]], now: datetime) -> tuple[datetime | None, datetime | None, float | None]:
    """datagrepper's table of start, end and delta."""
    start, end = _moment(given, "start", now), _moment(given, "end", now)
    delta = _seconds(given)
    if start is not None and end is not None:
        return start, end, (end - start).total_seconds()
    try:
        if start is not None:
            end = start + timedelta(seconds=delta) if delta is not None else now
        elif end is not None or delta is not None:
            end = end or now
            start = end - timedelta(seconds=BEFORE_END if delta is None else delta)
    except OverflowError:
        raise _bad("delta", "reaches beyond all times") from None
    return start, end, None if start is None or end is None else (end - start).total_seconds()


def _moment(given: Mapping[str, list[str]], name: str, now: datetime) -> datetime | None:
    if name not in given:
        return None
    value = given[name][0]
    found = moments.read(value, now) or moments.read(value.replace(" ", "+"), now)
    if found is None:
        raise _bad(name, f"is {value!r}, not a UNIX time or an ISO 8601 date")
    return found.start


def _seconds(given: Mapping[str, list[str]]) -> float | None:
    if "delta" not in given:
        return None
    try:
        seconds = float(given["delta"][0])
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e10:
        raise _bad("delta", "must be a number of seconds above 0")
    return seconds


def _number(given: Mapping[str, list[str]], name: str, default: int, most: int) -> int:
    text = given.get(name, [str(default)])[0]
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= most):
        raise _bad(name, f"must be a number from 1 to {most}")
    return int(text)


def _lists(given: Mapping[str, list[str]]) -> Node:
    parts: list[Node] = []
    for name in LISTS:
        for key in (name, f"not_{name}"):
            if key in given:
                node = either(*(_filter(name, value) for value in given[key]))
                parts.append(node if key == name else negation(node))
    return both(*parts)


def _filter(name: str, value: str) -> Node:
    if name != "topic":
        return Is({"user": "actor", "package": "project", "category": "source"}[name], value)
    source, _, kind = value.removeprefix("events.").partition(".")
    return both(Is("source", source), Is("kind", kind)) if kind else Is("source", source)


def _contains(given: Mapping[str, list[str]]) -> Node:
    try:
        return either(*(values.phrase(value) for value in given["contains"])) if "contains" in given else Everything()
    except values.Misread as misread:
        raise _bad("contains", f"finds nothing: {misread.why}") from None


def _between(start: datetime | None, end: datetime | None) -> Node:
    if start is None and end is None:
        return Everything()
    return Between("time", None if start is None else rfc3339(start), None if end is None else rfc3339(end))


def _arguments(
    given: Mapping[str, list[str]], start: datetime | None, end: datetime | None, delta: float | None
) -> dict[str, object]:
    found: dict[str, object] = {
        "start": None if start is None else start.timestamp(),
        "end": None if end is None else end.timestamp(),
        "delta": delta,
        "contains": given.get("contains", []),
        "meta": given.get("meta", []),
        "grouped": False,
    }
    for name, plural in LISTS.items():
        found[plural] = given.get(name, [])
        found[f"not_{plural}"] = given.get(f"not_{name}", [])
    return found


def _with_meta(found: dict[str, Any], event: Recorded, wanted: Collection[str]) -> dict[str, Any]:
    if not wanted:
        return found
    envelope = event.envelope
    known: dict[str, object] = {
        "title": f"{event.name}.{envelope.kind}",
        "subtitle": envelope.summary,
        "link": envelope.link,
        "icon": "",
        "secondary_icon": "",
        "usernames": [envelope.actor] if envelope.actor else [],
        "packages": [envelope.project] if envelope.project else [],
        "objects": [subject for subject in (envelope.subject, *envelope.refs.split(" ")) if subject],
        "date": rfc3339(envelope.time),
    }
    return found | {"meta": {name: known[name] for name in META if name in wanted}}


def _headers(event: Recorded) -> dict[str, object]:
    return {
        "sent-at": event.envelope.time.isoformat(),
        "fedora_messaging_schema": "base.message",
        "fedora_messaging_severity": {"warning": 30, "error": 40}.get(event.envelope.severity, 20),
        "firehose_sequence": event.cursor,
    }


def _payload(event: Recorded) -> object:
    """The upstream payload; a message body is an object there, so anything else is wrapped."""
    found = event.envelope.data
    if found is msgspec.UNSET:
        return {"data_base64": event.envelope.data_base64}
    return found if bytes(found).lstrip().startswith(b"{") else {"data": found}


def _bad(name: str, why: str) -> Refused:
    return Refused(f"the parameter {name} {why}", slug="bad-parameter", field=name)
