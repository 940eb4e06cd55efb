"""Requests of every sort to every source that takes webhooks: proofs of all schemes, and what can be wrong with them.

In: a kind's own sample. Out: a `Shot`, what to send and what must come of it. It knows the schemes as senders do.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firehose import source
from firehose.ops.explain import Payload, explain, payloads
from firehose.plumbing.clock import now
from firehose.source import MAX_BODY, Scheme, SourceKind

SOURCES = Path(source.__file__).parent / "sources"
SECRET = "a-secret-of-the-tests"
KINDS = [word for word in source.kinds() if source.load(word).schemes]
OWN: Mapping[str, Mapping[str, Any]] = {
    "inbox": {"strict": True, "rules": [{"type": "com.*"}, {"type": "dev.*"}, {"type": "example.*"}]}
}
"""What a source needs in its settings to show every verdict."""
SPOILED: Mapping[str, Mapping[str, Any]] = {
    "inbox": {"id": 7}, "weblate": {"change_id": "x", "action": 7}, "npm": {"name": 7}, "quay": {"repository": 7},
}  # fmt: skip
FIRST: Mapping[str, str] = {
    "gitlab": "merge_request", "dockerhub": "dockerhub", "quay": "quay", "harbor": "harbor", "npm": "npm",
}  # fmt: skip
"""A value of the wrong type where any object turned into a number would not hurt."""
NO_UNKNOWN = ("alertmanager", "grafana", "dockerhub", "quay")
"""Their notifications have no word for their kind, but a shape: another word is a wrong value, not a new kind."""


@dataclass(frozen=True)
class Shot:
    """A request, and its due: status, verdict, and the problem's word ("" for none)."""

    body: bytes
    headers: dict[str, str]
    due: tuple[int, str, str]
    query: str = ""
    field: bool = field(default=False)


def sample(word: str) -> Payload:
    """The first sample of a kind that becomes an event."""
    folder = next(name for name in source.folders() if word == name or word in source.load(name).also)
    for file in sorted((SOURCES / folder / "samples").glob(f"{FIRST.get(word, '')}*.json")):
        for payload in payloads(file.read_bytes(), file=file.name):
            told = explain(word, payload, now(), settings=OWN.get(word))
            if told["verdict"] == "event" and json.loads(payload.body).__class__ is dict:
                return Payload(body=payload.body, headers={**told.get("headers", {}), **payload.headers})
    raise AssertionError(f"{word} has no sample that becomes an event")


def sign(word: str, scheme: Scheme, body: bytes, keys: tuple[str, str]) -> tuple[dict[str, str], str]:
    """Headers and query that prove a body; `keys` are the secret and the hub token."""
    secret, token = keys
    match scheme.check:
        case "hmac-sha256" | "hmac-sha1":
            digest = hmac.new(secret.encode(), body, scheme.check.removeprefix("hmac-")).hexdigest()
            return {scheme.header.lower(): scheme.prefix + digest}, ""
        case "token" if scheme.header:
            return {scheme.header.lower(): secret}, ""
        case "token":
            return {}, f"?{scheme.query}={secret}"
        case "bearer":
            return {"authorization": f"Bearer {token}"}, ""
        case "standard":
            stamp = str(int(now().timestamp()))
            signed = b"msg-1." + stamp.encode() + b"." + body
            digest = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
            return {"webhook-id": "msg-1", "webhook-timestamp": stamp, "webhook-signature": f"v1,{digest}"}, ""
    raise AssertionError(f"{word}: no test signs by {scheme.check}")


def plain(payload: Payload) -> dict[str, str]:
    """A sample's headers without its own proof, and without what belongs to a connection."""
    proof = ("signature", "token", "authorization", "webhook-")
    gone = ("host", "content-length", "connection", "accept-encoding", "content-type")
    kept = {
        name: value
        for name, value in payload.headers.items()
        if name not in gone and not any(part in name for part in proof)
    }
    return {"content-type": "application/json", **kept}


def shots(word: str, scheme: Scheme, token: str) -> Iterator[tuple[str, Shot]]:
    """Every case for one kind and one scheme, by name, in an order that makes sense: the replay follows the first."""
    found = sample(word)
    headers, body = plain(found), found.body
    keys = (SECRET, token)
    bad = "bad-token" if scheme.check == "bearer" else "bad-signature"

    def signed(sent: bytes, due: tuple[int, str, str], *, spoiled: bool = False, **other: str) -> Shot:
        proof, query = sign(word, scheme, sent, keys)
        named = {name.replace("_", "-"): value for name, value in other.items()}
        return Shot(sent, {**headers, **proof, **named}, due, query, spoiled)

    wrong, query = sign(word, scheme, body, ("another-secret", "fht_nothing"))
    yield "wrong secret", Shot(body, {**headers, **wrong}, (403, "refused", bad), query)
    yield "no signature", Shot(body, headers, (401, "refused", "no-signature"))
    junk, _ = sign(word, scheme, body, ("x", "fht_x"))
    if junk:
        nonsense = {name: value if name.endswith(("id", "timestamp")) else "Bearer é" for name, value in junk.items()}
        yield "malformed signature", Shot(body, {**headers, **nonsense}, (403, "refused", bad))
    if scheme.check not in ("token", "bearer"):
        proof, _ = sign(word, scheme, body, keys)
        yield "signature of another body", Shot(body + b" ", {**headers, **proof}, (403, "refused", bad))
    large = b'{"x":"' + b"x" * MAX_BODY + b'"}'
    yield "oversized", signed(large, (413, "refused", "too-large"))
    if not source.load(word).media:
        yield from misshapen(word, signed, body, headers)
    yield "the first time", signed(body, (202, "event", ""))
    yield "replayed", signed(body, (200, "duplicate", ""))


def misshapen(
    word: str, signed: Callable[..., Shot], body: bytes, headers: Mapping[str, str]
) -> Iterator[tuple[str, Shot]]:
    """What is wrong with the body itself, for sources that take nothing but JSON."""
    yield "truncated", signed(body[: len(body) // 2], (400, "refused", "bad-json"))
    yield "empty", signed(b"", (400, "refused", "bad-json"))
    yield "wrong content type", signed(body, (415, "refused", "bad-content-type"), content_type="text/xml")
    yield "compressed", signed(body, (415, "refused", "bad-content-encoding"), content_encoding="gzip")
    yield "deep nesting", signed(b'{"a":' * 5_000 + b"1" + b"}" * 5_000, (400, "refused", "too-deep"))
    yield "invalid UTF-8", signed(b'{"a": "\xff\xfe"}', (400, "refused", "bad-encoding"))
    shapeless, mistyped = ("no-envelope", "bad-cloudevent") if word == "inbox" else ("bad-field", "bad-field")
    yield "no object", signed(b'"text"', (422, "refused", shapeless), spoiled=True)
    yield "wrong type of a field", signed(spoil(word, body), (422, "refused", mistyped), spoiled=True)
    if word not in NO_UNKNOWN:
        named = {name: "nonsense" for name in headers if name.startswith("x-") and "-event" in name}
        yield "unknown event", signed(unknown(body), (202, "unknown", ""), **named)


def spoil(word: str, body: bytes) -> bytes:
    """The sample with numbers where objects were."""
    value = json.loads(body)
    given = SPOILED.get(word) or {name: 7 for name, inner in value.items() if isinstance(inner, (dict, list))}
    return json.dumps({**value, **given}).encode()


def unknown(body: bytes) -> bytes:
    """The sample under a word that no service has; in a batch, the first record."""
    value = json.loads(body)
    words = ("type", "action", "object_kind", "event_type", "event_name")
    if value.get("ansible"):
        first, *others = value["events"]
        value["events"] = [{**first, "event": "nonsense"}, *others]
    if "hookOwner" in value:
        value["event"] = "nonsense"
    if isinstance(value.get("events"), list) and "action" in value["events"][0]:
        value["events"][0]["action"] = "nonsense"
    return json.dumps({**value, **{name: "nonsense" for name in words if name in value}}).encode()


def settings() -> str:
    """All kinds as sources, under their own names."""
    lines = []
    for word in KINDS:
        lines += [f"[sources.{word}]", f'kind = "{word}"', f'url = "https://{word}.example"']
        if "secret_env" in source.load(word).settings.__struct_fields__:
            lines.append('secret_env = "HOOK_SECRET"')
        if word == "inbox":
            lines.append("strict = true")
            lines += [
                line for rule in OWN[word]["rules"] for line in ("[[sources.inbox.rules]]", f'type = "{rule["type"]}"')
            ]
    return "\n".join(lines) + "\n"


def kind(word: str) -> SourceKind:
    """A kind's declaration."""
    return source.load(word)
