"""Another hub: its events, as they are.

In: a line of its stream (NDJSON). Out: the same event, with the same `source` and `id`, kind, refs and payload; only
its topic, sequence and recorded time are ours. So an event that comes by several ways, or comes back to where it began,
is known by (source, id) and stored once: hubs may follow each other in any figure.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from firehose import source, subject
from firehose.errors import Refused, UnknownKind
from firehose.event import OUTCOMES, SEVERITIES, Event, line
from firehose.wild import Wild, decode

_KIND: Final = re.compile(r"[a-z][a-z0-9_-]{0,40}(\.[a-z0-9][a-z0-9_-]{0,40}){1,3}")
_CURSOR: Final = re.compile(r"\d{1,20}")
_JSON: Final = "application/json"
ORIGIN: Final = f"{0:020d}"


class Settings(source.Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """url: the other hub's address. topics: topic filters, e.g. `events/gerrit/#`; none is everything. query: events
    that fit, in the query language. since: where to begin at the first time: `earliest`, `latest`, `7d`, a time.
    secret_file, secret_env: a token of the other hub, if it wants one."""

    url: str = "http://127.0.0.1:8080"
    topics: tuple[str, ...] = ()
    query: str = ""
    since: str = "earliest"
    secret_file: str = ""
    secret_env: str = ""


def holds(settings: Settings) -> source.JsonLines:
    """The stream, from a cursor."""
    filters = ",".join(quote(topic, safe="/+$") for topic in settings.topics)
    address = f"{settings.url.rstrip('/')}/v1/stream" + (f"/{filters}" if filters else "")
    headers = {"Accept": "application/x-ndjson"}
    if settings.secret_file or settings.secret_env:
        headers["Authorization"] = "Bearer {secret}"

    def request(cursor: str) -> source.Request:
        asked = {"cursor": cursor} if cursor else {"since": settings.since}
        if settings.query:
            asked["q"] = settings.query
        return source.Request(f"{address}?{urlencode(asked)}", headers=headers)

    return source.JsonLines(request, restart, ORIGIN)


def restart(body: bytes) -> str:
    """The cursor to go on from when the hub's history begins later, from its problem; the origin when its stream ends
    before the cursor: it began anew. "" for any other problem."""
    problem = decode(body)
    if problem["type"].text("").endswith("/future-cursor"):
        return ORIGIN
    floor = problem["floor"].word("")
    return floor if _CURSOR.fullmatch(floor) else ""


def step(found: bytes, cursor: str) -> source.Step:
    """The cursor after a line. The stream's own words move it, too: they tell how far everything was looked at."""
    body = decode(found)
    if body["specversion"].present:
        return source.Step(body["sequence"].word(cursor))
    return source.Step(body["cursor"].word(cursor), fresh=False)


def read(delivery: source.Delivery, _settings: Settings) -> source.Verdict:
    """The event of a line."""
    body = decode(delivery.body)
    if not body["specversion"].present:
        return source.Ignored("stream")
    if body["specversion"].text() != "1.0":
        raise UnknownKind(f"specversion {body['specversion'].text()[:20]}")
    kind = body["kind"].text()
    if not _KIND.fullmatch(kind):
        raise UnknownKind(kind)
    contenttype, data = _data(body, delivery.body)
    outcome, severity = body["outcome"].text(""), body["severity"].text("info")
    return [
        Event(
            id=body["id"].full(),
            source=body["source"].full(),
            type=body["type"].full(),
            kind=kind,
            subject=subject.given(body["subject"].full()),
            time=body["time"].moment() or delivery.received,
            project=body["project"].text(""),
            actor=body["actor"].text(""),
            summary=line(body["summary"].text("")),
            link=body["link"].link(),
            # A hub of another version may have words that this one does not know.
            outcome=outcome if outcome in OUTCOMES else "",
            severity=severity if severity in SEVERITIES else "info",
            refs=tuple(dict.fromkeys(subject.given(ref) for ref in body["refs"].text("").split())),
            datacontenttype=contenttype,
            dataschema=body["dataschema"].text(""),
            data=data,
        )
    ]


def _data(body: Wild, whole: bytes) -> tuple[str, bytes]:
    """The payload's type and bytes, JSON byte for byte as the other hub stored it."""
    contenttype = body["datacontenttype"].text("") or _JSON
    if body["data_base64"].present:
        try:
            return contenttype, base64.b64decode(body["data_base64"].text(), validate=True)
        except (binascii.Error, ValueError):
            raise Refused("data_base64 is no base64", slug="bad-field", status=422, field="data_base64") from None
    if not contenttype.partition(";")[0].strip().endswith("json") and body["data"].is_text():
        return contenttype, body["data"].text().encode("utf-8", "replace")
    members = msgspec.json.decode(whole, type=dict[str, msgspec.Raw])
    return contenttype, bytes(members.get("data", msgspec.Raw(b"null")))


SOURCE: Final = source.SourceKind(
    name="firehose",
    title="Another hub",
    family="hub",
    settings=Settings,
    read=read,
    kinds={"any event": "the same kind"},
    ignored={"stream": "the stream's own words: info, heartbeat, goodbye"},
    native_kind=source.word_in("type"),
    holds=holds,
    step=step,
    # A line is an envelope around a payload that was as large as any, and may have become base64.
    most=2 * source.MAX_BODY,
)
