"""CloudEvents 1.0 as they arrive: structured, binary or batch over HTTP, JSON over MQTT and NATS.

In: a delivery. Out: `Incoming` per event, its required attributes checked, its data as bytes; errors name the path
(`[2].type is missing`). It refuses to know what the events mean.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from firehose import wild
from firehose.errors import Refused
from firehose.source import Delivery

STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
LONGEST: Final = 2_000
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NAME: Final = re.compile(r"[a-z0-9]{1,40}")
_KNOWN: Final = ("id", "source", "type", "specversion", "subject", "time", "datacontenttype", "dataschema")
_PAYLOAD: Final = ("data", "data_base64")


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """One CloudEvent. `attributes` holds all of them as text, extensions included; `path` is where it stood in a
    batch (`[2].`), for errors; `data` is the payload's bytes, JSON's `null` or nothing when there is none."""

    id: str
    source: str
    type: str
    attributes: Mapping[str, str]
    time: datetime | None = None
    contenttype: str = "application/json"
    data: bytes = b"null"
    path: str = ""

    @property
    def is_json(self) -> bool:
        """Whether the data are JSON."""
        return _is_json(self.contenttype)


def refuse(detail: str, field: str, slug: str = "bad-cloudevent") -> Refused:
    """The refusal of a CloudEvent, with the path of the attribute."""
    return Refused(detail, slug=slug, status=422, field=field)


def incoming(delivery: Delivery) -> list[Incoming] | None:
    """The CloudEvents of a delivery; None when it is not one (plain JSON). `Refused` when it claims to be and fails."""
    kind = _media(delivery.headers)
    if kind == BATCH:
        return _batch(delivery.body)
    if kind == STRUCTURED:
        return [_structured(delivery.body, "")]
    if kind.startswith("application/cloudevents"):
        raise Refused(
            f"the content type {kind} is not understood; send {STRUCTURED}, {BATCH} or binary mode",
            slug="bad-content-type",
            status=415,
        )
    if is_binary(delivery.headers):
        return [_binary(delivery)]
    if kind in ("", "application/json", "text/json"):
        return _by_look(delivery.body)
    return None


def is_binary(headers: Mapping[str, str]) -> bool:
    """Whether headers make a request an event in binary mode, whose body is its data, of any media type."""
    named = "ce-specversion" in headers or "ce-id" in headers
    return named and not _media(headers).startswith("application/cloudevents")


def _media(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _contenttype(text: str) -> str:
    """A content type whose media type is in lower case; the parameters stay, their values may depend on case."""
    media, semicolon, parameters = text.partition(";")
    return media.strip().lower() + semicolon + parameters


def _is_json(contenttype: str) -> bool:
    return contenttype.partition(";")[0].endswith("json")


def _by_look(body: bytes) -> list[Incoming] | None:
    """MQTT 3.1.1 and many senders have no content type: an object with `specversion` is a CloudEvent."""
    if b'"specversion"' not in body:
        return None
    value = wild.decode(body)
    if value.is_list():
        items = list(value.each())
        return _batch(body) if items and all(item["specversion"].present for item in items) else None
    return [_structured(body, "")] if value["specversion"].present else None


def _batch(body: bytes) -> list[Incoming]:
    value = wild.decode(body)
    if not value.is_list():
        raise refuse("a batch must be a JSON list of CloudEvents", "")
    raws = msgspec.json.decode(body, type=list[msgspec.Raw])
    return [_structured(bytes(raw), f"[{index}].") for index, raw in enumerate(raws)]


def _structured(body: bytes, path: str) -> Incoming:
    value = wild.decode(body)
    if not value.is_object():
        raise refuse(f"{path.rstrip('.') or 'the body'} is no JSON object", path.rstrip("."))
    members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    attributes = {name: _attribute(name, item, path) for name, item in value.fields() if name not in _PAYLOAD}
    if "data" in members and "data_base64" in members:
        raise refuse(f"{path}data and {path}data_base64 exclude each other", f"{path}data_base64")
    contenttype = _contenttype(attributes.get("datacontenttype", "")) or "application/json"
    event = _event({name: text for name, text in attributes.items() if text}, path, contenttype)
    if "data_base64" in members:
        decoded = _decoded(value["data_base64"].text(), f"{path}data_base64")
        if event.is_json:
            wild.decode(decoded)
        return msgspec.structs.replace(event, data=decoded)
    if "data" not in members:
        return event
    if not event.is_json and value["data"].is_text():
        return msgspec.structs.replace(event, data=value["data"].text().encode())
    return msgspec.structs.replace(event, data=bytes(members["data"]))


def _binary(delivery: Delivery) -> Incoming:
    attributes = {
        name.removeprefix("ce-"): unquote(value) for name, value in delivery.headers.items() if name.startswith("ce-")
    }
    for name in attributes:
        _check_name(name, f"ce-{name}")
    contenttype = _contenttype(delivery.headers.get("content-type", "")) or _guess(delivery.body)
    event = _event(attributes, "ce-", contenttype)
    if not delivery.body:
        return event
    if event.is_json:
        wild.decode(delivery.body)
    return msgspec.structs.replace(event, data=delivery.body)


def _guess(body: bytes) -> str:
    """The content type of data that came without one: JSON, as CloudEvents have it, where it is."""
    try:
        if body:
            wild.decode(body)
    except Refused:
        return "application/octet-stream"
    return "application/json"


def _event(attributes: Mapping[str, str], path: str, contenttype: str) -> Incoming:
    version = attributes.get("specversion", "")
    if version != "1.0":
        what = f"is {version!r}, only 1.0 is read" if version else "is missing"
        raise refuse(f"{path}specversion {what}", f"{path}specversion")
    for name in ("id", "source", "type"):
        if not attributes.get(name):
            raise refuse(f"{path}{name} is missing; CloudEvents require it", f"{path}{name}")
    for name, text in attributes.items():
        if len(text) > LONGEST or _CONTROL.search(text):
            fault = f"is longer than {LONGEST} characters" if len(text) > LONGEST else "holds control characters"
            raise refuse(f"{path}{name} {fault}", f"{path}{name}")
    return Incoming(
        id=attributes["id"],
        source=attributes["source"],
        type=attributes["type"],
        attributes=attributes,
        time=_time(attributes.get("time", ""), f"{path}time"),
        contenttype=contenttype,
        data=b"null" if _is_json(contenttype) else b"",
        path=path,
    )


def _attribute(name: str, item: wild.Wild, path: str) -> str:
    _check_name(name, f"{path}{name}")
    if item.is_object() or item.is_list():
        raise refuse(
            f"{path}{name} must be text, a number, true or false; structured values belong in data", path + name
        )
    if name in _KNOWN:
        if item.present and not item.is_text():
            raise refuse(f"{path}{name} must be text", f"{path}{name}")
        return item.text("")
    return scalar(item)


def scalar(item: wild.Wild) -> str:
    """A single value as text; `true` and `false` as JSON writes them, "" for null."""
    if not item.present:
        return ""
    try:
        return item.word()
    except Refused:
        return "true" if item.flag() else "false"


def _check_name(name: str, field: str) -> None:
    if not _NAME.fullmatch(name):
        raise refuse(f"{field!r} is no attribute name: CloudEvents allow a to z and 0 to 9", field)


def _time(text: str, field: str) -> datetime | None:
    if not text:
        return None
    try:
        moment: datetime = msgspec.convert(text, datetime)
        return moment.astimezone(UTC) if moment.tzinfo else _naive(field)
    except (msgspec.ValidationError, OverflowError, ValueError):
        raise refuse(f"{field} is no RFC 3339 time: {text[:60]!r}", field) from None


def _naive(field: str) -> Any:
    raise refuse(f"{field} has no time zone; write Z or an offset", field)


def _decoded(text: str, field: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise refuse(f"{field} is not base64", field) from None
