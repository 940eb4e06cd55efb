"""What a payload of a source kind becomes, offline: the hub's own judgement, with nothing running.

In: a kind's word, the bytes of a file, headers. Out: for each payload in the file one plain dict with `verdict`
(`event`, `ignored`, `unknown`, `refused`) and `events` as readers would get them, but for sequence and recorded time.
A file holds one payload, or one JSON value a line; an envelope `{"headers", "body"}`, `{"headers", "text"}` (a mail) or
`{"topic", "payload"}` as captures have it is opened. Nothing is verified: whoever has the file may know what it means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from firehose import source
from firehose.errors import Broken, Refused
from firehose.intake.instance import Instance
from firehose.intake.judge import Accepted, Invalid, Judgement, Left, Unknown, judge
from firehose.source import MAIL, Delivery, SourceKind
from firehose.wild import decode

_HEADER: Final = re.compile(rb"[A-Za-z][A-Za-z0-9-]*:[ \t][^\n]*\r?\n(?:[A-Za-z][A-Za-z0-9-]*:|[ \t]|\r?\n)")
"""How a mail begins; no payload of JSON does."""
_MAIL: Final = {"content-type": MAIL}


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to explain. `headers` have lower-case names; `file` is the name it came under, a hint to its kind."""

    body: bytes
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    topic: str = ""
    file: str = ""


class _Webhook(msgspec.Struct):
    headers: dict[str, str]
    body: msgspec.Raw


class _Text(msgspec.Struct):
    headers: dict[str, str]
    text: str


class _Message(msgspec.Struct):
    topic: str
    payload: msgspec.Raw


def payloads(content: bytes, *, file: str = "", headers: Mapping[str, str] | None = None) -> Iterator[Payload]:
    """The payloads of a file. `headers` are given to each, and count more than those of an envelope."""
    given = {name.lower(): value for name, value in (headers or {}).items()}
    for body in _values(content):
        yield _opened(body, given, file)


def _values(content: bytes) -> list[bytes]:
    """The file as it is, or its lines if each of several is JSON and the whole is not."""
    lines = [line.strip() for line in content.splitlines() if line.strip()]
    if len(lines) > 1 and not _is_json(content) and all(_is_json(line) for line in lines):
        return lines
    return [content]


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _opened(body: bytes, given: dict[str, str], file: str) -> Payload:
    try:
        found = msgspec.json.decode(body, type=_Webhook)
        own = {name.lower(): value for name, value in found.headers.items()}
        return Payload(body=bytes(found.body), headers={**own, **given}, file=file)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        plain = msgspec.json.decode(body, type=_Text)
        own = {name.lower(): value for name, value in plain.headers.items()}
        return Payload(body=plain.text.encode(), headers={**own, **given}, file=file)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        message = msgspec.json.decode(body, type=_Message)
        return Payload(body=bytes(message.payload), headers=given, topic=message.topic, file=file)
    except (msgspec.DecodeError, RecursionError):
        return Payload(body=body, headers={**_MAIL, **given} if _HEADER.match(body) else given, file=file)


def parse_header(text: str) -> tuple[str, str]:
    """`Name: value` as it is given on the command line; `Broken` (usage) when there is no colon."""
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise Broken(f"--header {text!r} is not of the form 'Name: value'", code=2)
    return name.strip().lower(), value.strip()


def explain(
    kind: str, payload: Payload, received: datetime, *, settings: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What becomes of a payload. `Broken` when there is no such kind or the settings do not fit it.

    Keys: `verdict`, `kind` (the source's), `native` (the sender's own word, "" if it cannot be read), `events`; with
    `ignored` and `unknown` also `what` and `why`; with `refused` a `problem`; `headers` when they had to be guessed.
    """
    declared = source.load(kind)
    instance = Instance(kind, declared, _settings(declared, settings or {}))
    delivery = Delivery(
        source=kind,
        body=payload.body,
        received=received,
        headers=payload.headers,
        topic=payload.topic,
        channel="explain",
    )
    judgement = judge(delivery, instance)
    guessed: Mapping[str, str] = {}
    if isinstance(judgement, Invalid) and judgement.problem.slug == "missing-header":
        guessed = _guess(declared, payload)
        if guessed:
            delivery = msgspec.structs.replace(delivery, headers={**guessed, **payload.headers})
            judgement = judge(delivery, instance)
    native = declared.native_kind(delivery) if declared.native_kind else ""
    told: dict[str, Any] = {"verdict": "", "kind": kind, "native": native, "events": [], **_told(judgement, declared)}
    return {**told, "headers": dict(guessed)} if guessed else told


def _settings(declared: SourceKind, own: Mapping[str, Any]) -> Any:
    try:
        return msgspec.convert({"kind": declared.name, **own}, declared.settings, strict=False)
    except msgspec.ValidationError as error:
        raise Broken(f"settings of {declared.name}: {error}", code=2) from None


def _guess(declared: SourceKind, payload: Payload) -> Mapping[str, str]:
    if declared.guess is None:
        return {}
    try:
        return declared.guess(decode(payload.body), payload.file)
    except Refused:
        return {}


def _told(judgement: Judgement, declared: SourceKind) -> dict[str, Any]:
    match judgement:
        case Accepted(_, messages):
            # A frame's second line is the envelope as it is stored.
            frames = (message.payload.partition(b"\n")[2] for message in messages)
            return {"verdict": "event", "events": [msgspec.json.decode(frame) for frame in frames]}
        case Left(what):
            return {"verdict": "ignored", "what": what, "why": declared.ignored.get(what, "")}
        case Unknown(what, why):
            return {"verdict": "unknown", "what": what, "why": why}
        case Invalid(problem):
            told = {"status": problem.status, "slug": problem.slug, "detail": problem.detail, "field": problem.field}
            return {"verdict": "refused", "problem": {key: value for key, value in told.items() if value}}
