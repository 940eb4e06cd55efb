"""Gerrit's `stream-events` as a translation: a recorded event becomes the lines that a Gerrit would have written.

In: the payload of an event that came from a Gerrit, by whatever way. Out: no line or some, each a JSON object without
line break, byte for byte as it came wherever a Gerrit's own stream could have said it so. What real readers cannot
stand is mended or left out (measured with Zuul 14.3, whose connection ends at any of these): members that are null, a
project that is an object (the webhooks plugin), a branch update without its name. A payload that cannot be told is no
error: a forger's or a newer Gerrit's must not end a reader. It knows no connection, no cursor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from firehose.query.tree import Either, Filter, Like, Node, both
from firehose.subject import ROOT, escape

TYPE: Final = "com.gerritcodereview."
_OBJECTS: Final = ("change", "patchSet", "refUpdate")


@dataclass(frozen=True)
class Told:
    """What the stream says of a payload: its lines, and why some or all of it cannot be told ("" when all is)."""

    lines: Sequence[bytes] = ()
    untold: str = ""


def wanted(sources: Sequence[str]) -> Node:
    """The query for what Gerrits said through these sources (names in the settings, at least one). By the topic, which
    the hub makes: `type` and `source` are the sender's own words, and not everybody who may send to a hub may speak for
    a Gerrit."""
    ours = Either(tuple(Filter(f"{ROOT}/{escape(name)}/#") for name in sources))
    return both(Like("type", f"{TYPE}*"), ours)


def options(words: Sequence[str]) -> frozenset[str] | None:
    """The event types that the options of `gerrit stream-events` ask for: empty is all; None if they are unknown."""
    types: set[str] = set()
    rest = list(words)
    while rest:
        name, _, value = rest.pop(0).partition("=")
        if name not in ("-s", "--subscribe") or not (value or rest):
            return None
        types.add(value or rest.pop(0))
    return frozenset(types)


def told(raw: bytes, types: frozenset[str] = frozenset()) -> Told:
    """What the stream says of a payload; with `types`, only of these."""
    try:
        body = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return Told(untold="it is no JSON")
    if not isinstance(body, dict) or not isinstance(body.get("type"), str):
        return Told(untold="it has no type")
    native = body["type"]
    if native != "batch-ref-updated":
        return _told([body], raw) if not types or native in types else Told()
    if types and not types & {native, "ref-updated"}:
        return Told()
    updates = body.get("refUpdates")
    if not isinstance(updates, list) or not updates:
        return Told(untold="it is a batch of updates without updates")
    # No reader that we know acts on batches, and this hub has left out the single updates where it took batches.
    return _told([_single(body, update) for update in updates])


def _told(bodies: Sequence[dict[str, Any]], raw: bytes = b"") -> Told:
    mended = [_mended(body) for body in bodies]
    bearable = [body for body in mended if _bearable(body)]
    untold = "" if len(bearable) == len(bodies) else "it would end a reader: an object or the name of a ref is missing"
    unchanged = bearable == list(bodies) and raw and b"\n" not in raw and b"\r" not in raw
    return Told([raw] if unchanged else [msgspec.json.encode(body) for body in bearable], untold)


def _single(body: dict[str, Any], update: Any) -> dict[str, Any]:
    rest = {key: value for key, value in body.items() if key != "refUpdates"}
    return {**rest, "type": "ref-updated", "refUpdate": update}


def _mended(body: dict[str, Any]) -> dict[str, Any]:
    found = {key: _named(value) if key == "project" else value for key, value in body.items() if value is not None}
    for key in _OBJECTS:
        inner = found.get(key)
        if isinstance(inner, dict) and isinstance(inner.get("project"), dict):
            found[key] = {**inner, "project": _named(inner["project"])}
    if not _are_comments(found.get("patchSetComments", {})):
        del found["patchSetComments"]
    return found


def _named(project: Any) -> Any:
    return project.get("name", "") if isinstance(project, dict) else project


def _are_comments(found: Any) -> bool:
    """The shape that readers go through without looking: lists of objects by file."""
    return isinstance(found, dict) and all(
        isinstance(each, list) and all(isinstance(one, dict) for one in each) for each in found.values()
    )


def _bearable(body: dict[str, Any]) -> bool:
    if any(not isinstance(body.get(key, {}), dict) for key in _OBJECTS):
        return False
    if body["type"] == "ref-updated":
        return isinstance(body.get("refUpdate", {}).get("refName"), str)
    return body["type"] != "project-head-updated" or isinstance(body.get("newHead"), str)
