"""What a body over HTTP says: the JSON shapes of Logstash, Vector, Fluent Bit and journald, and plain text.

In: bytes and their content type. Out: a `Line` for every record, in order, and none left out: a record that is not
readable is a line of its own bytes, marked broken. Senders are told apart by their fields alone, since all of them can
rename what they send; the first name of a list that is there counts.

A batch may be a list, one object a line, objects without anything between them (Fluent Bit's `json_stream`), or one
object.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from firehose.errors import Refused
from firehose.fleet.logs.line import TEXT_LIMIT, File, Line, severity

_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Given(msgspec.Struct, frozen=True, gc=False):
    """The fields of all shapes that mean something; any of them may hold anything."""

    message: Any = None
    journal_message: Any = msgspec.field(default=None, name="MESSAGE")
    log: Any = None
    old_message: Any = msgspec.field(default=None, name="@message")
    event: Any = None
    level: Any = None
    severity: Any = None
    loglevel: Any = None
    severity_label: Any = None
    priority: Any = msgspec.field(default=None, name="PRIORITY")
    stamp: Any = msgspec.field(default=None, name="@timestamp")
    timestamp: Any = None
    date: Any = None
    realtime: Any = msgspec.field(default=None, name="__REALTIME_TIMESTAMP")
    host: Any = None
    hostname: Any = None
    journal_host: Any = msgspec.field(default=None, name="_HOSTNAME")
    appname: Any = None
    service: Any = None
    identifier: Any = msgspec.field(default=None, name="SYSLOG_IDENTIFIER")
    unit: Any = msgspec.field(default=None, name="_SYSTEMD_UNIT")
    build_name: Any = None
    filename: Any = None
    file: Any = None
    path: Any = None
    log_url: Any = None
    build_uuid: Any = None
    build_status: Any = None
    build_change: Any = None
    project: Any = None
    fields: Any = msgspec.field(default=None, name="@fields")

    def finish(self, line: Line) -> Line:
        """The line with time, host and unit."""
        return msgspec.structs.replace(
            line,
            time=_time(self),
            host=_name(self.host) or _name(self.hostname) or _name(self.journal_host),
            unit=_name(self.identifier) or _name(self.appname) or _name(self.service) or _name(self.unit),
            record=None,
        )


_one: Final = msgspec.json.Decoder(Given)
_many: Final = msgspec.json.Decoder(list[Given])
_any: Final = msgspec.json.Decoder()


def read(body: bytes, media: str) -> tuple[list[Line], int]:
    """The lines of a body and how many of them were broken; `Refused` (415, 400) when nothing can be read at all."""
    kind = media.partition(";")[0].strip().lower()
    if kind == "text/plain":
        return [plain(part) for part in split(body)], 0
    if kind in ("application/msgpack", "application/x-msgpack"):
        raise Refused(
            "MessagePack is not taken; in Fluent Bit's http output set `format json_lines`",
            slug="bad-content-type", status=415, field="Content-Type",
        )  # fmt: skip
    if body.lstrip()[:1] == b"[":
        try:
            return _lines(_many.decode(body), lambda: msgspec.json.decode(body)), 0
        except _UNREADABLE as error:
            raise Refused(f"the body is no list of records: {error}", slug="bad-json") from None
    try:
        return _lines(_one.decode_lines(body), lambda: _any.decode_lines(body)), 0
    except _UNREADABLE:
        return _piecewise(body)


def _lines(found: Sequence[Given], whole: Callable[[], Sequence[Any]]) -> list[Line]:
    """A line for each record. One without a message (metrics, somebody's own) is all of it, so it is read again."""
    lines: list[Line] = []
    records: Sequence[Any] = ()
    for number, given in enumerate(found):
        text = _text(given)
        if text is None:
            records = records or whole()
            text = msgspec.json.encode(records[number]).decode()
        lines.append(_line(given, text))
    return lines


def _piecewise(body: bytes) -> tuple[list[Line], int]:
    """Line by line, and object by object within a line."""
    found: list[Line] = []
    broken = 0
    for part in split(body):
        try:
            found += _lines([_one.decode(part)], lambda: [msgspec.json.decode(part)])  # noqa: B023
        except _UNREADABLE:
            pieces = list(_stream(part))
            broken += sum(not line.whole for line in pieces)
            found += pieces
    return found, broken


def _stream(part: bytes) -> Iterator[Line]:
    """Objects without anything between them; the rest from where that ends is one broken line."""
    text = part.decode("utf-8", "replace")
    decoder = json.JSONDecoder()
    at = 0
    while at < len(text):
        try:
            value, end = decoder.raw_decode(text, at)
            given = msgspec.convert(value, Given)
        except (ValueError, RecursionError):
            rest = text[at:]
            yield Line(
                text=rest[:TEXT_LIMIT], size=len(rest.encode("utf-8", "replace")), severity="notice", whole=False
            )
            return
        yield from _lines([given], lambda: [value])  # noqa: B023
        at = end
        while at < len(text) and text[at].isspace():
            at += 1


def split(body: bytes) -> list[bytes]:
    """The lines of plain bytes; empty ones are none. Only a line feed ends a line."""
    return [part for part in body.split(b"\n") if part.strip()]


def plain(part: bytes, file: File | None = None) -> Line:
    """A line of plain text; how bad it is its first words may tell."""
    text = part[: TEXT_LIMIT * 4].decode("utf-8", "replace").rstrip("\r")[:TEXT_LIMIT]
    return Line(text=text, size=len(part), severity=guessed(text), file=file)


_GUESSES: Final = (
    (("ERROR", "CRITICAL", "FATAL", "Traceback (most", "FAILED", "panic:"), "error"),
    (("WARNING", "WARN "), "warning"),
)


def guessed(text: str) -> str:
    """How bad a line of plain text is, by the words that programs write there in capitals."""
    head = text[:120]
    return next((word for signs, word in _GUESSES if any(sign in head for sign in signs)), "info")


def _line(given: Given, text: str) -> Line:
    """What counts, and what is kept when it is kept: most lines of a flood are only counted."""
    if given.fields is not None and isinstance(given.fields, dict):
        given = _older(given, given.fields)
    size = len(text)
    if not text.isascii():
        # JSON can write halves of characters, which are none anywhere else.
        whole = text.encode("utf-8", "replace")
        text, size = whole.decode(), len(whole)
    if size > TEXT_LIMIT:
        text = text[:TEXT_LIMIT]
    level = given.level
    if level is None:
        level = _level(given)
    file = _file(given) if given.log_url is not None or given.build_uuid is not None else None
    return Line(text=text, size=size, severity=severity(level), file=file, record=given)


def _level(given: Given) -> Any:
    for value in (given.severity, given.loglevel, given.severity_label, given.priority):
        if value is not None:
            return value
    return given.log.get("level") if isinstance(given.log, dict) else None


def _older(given: Given, fields: dict[str, Any]) -> Given:
    """Logstash before 1.2 kept its fields in `@fields`; new fields of the record itself count first."""
    known = {name: fields[name] for name in given.__struct_fields__ if name in fields and getattr(given, name) is None}
    return msgspec.structs.replace(given, **known)


def _text(given: Given) -> str | None:
    if type(given.message) is str:  # nearly always
        return given.message.rstrip("\n")
    for value in (given.message, given.journal_message, given.log, given.old_message):
        if isinstance(value, str):
            return value.rstrip("\n")
        if isinstance(value, list) and value and isinstance(value[0], int):  # journald: bytes that are no UTF-8
            return bytes(byte & 255 for byte in value if isinstance(byte, int)).decode("utf-8", "replace")
    return None


def _name(value: Any) -> str:
    if isinstance(value, dict):  # Elastic's common schema: {"host": {"name": …}}
        value = value.get("name")
    if not isinstance(value, str):
        return ""
    return value[:200] if value.isascii() else value[:200].encode("utf-8", "replace").decode()


def _time(given: Given) -> float:
    for value in (given.stamp, given.timestamp, given.date):
        if isinstance(value, str):
            if found := moment(value):
                return found
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value) if value < 1e11 else float(value) / 1e3
    if isinstance(given.realtime, str) and given.realtime.isdecimal() and len(given.realtime) < 20:
        return int(given.realtime) / 1e6
    return 0.0


def moment(text: str) -> float:
    """An RFC 3339 time as seconds since the epoch; 0 when it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return found.timestamp() if found.tzinfo is not None else 0.0


def _file(given: Given) -> File | None:
    url, build = _name(given.log_url), _name(given.build_uuid)
    if not url and not build:
        return None  # a file on a server that grows for ever is none that gets finished
    name = _name(given.filename) or _path(given)
    return File(
        name=name or url.rpartition("/")[2], build=build, url=url, project=_name(given.project),
        change=_name(given.build_change), outcome=_OUTCOMES.get(_name(given.build_status).upper(), ""),
    )  # fmt: skip


_OUTCOMES: Final = {"SUCCESS": "success", "FAILURE": "failure", "FAILED": "failure", "ERROR": "error"}


def _path(given: Given) -> str:
    for value in (given.file, given.path):
        if found := _name(value):
            return found
    file = given.log.get("file") if isinstance(given.log, dict) else None
    return _name(file.get("path")) if isinstance(file, dict) else ""
