"""What may stand at the caret of the query box: fields first, then values that are known, with their counts.

In: text, caret, and a lookup of values (the history's counts; this room knows no history). Out: candidates, each with
the piece of the text that it replaces. Works on broken queries, since half-typed ones are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from firehose.query.scan import Token, scan
from firehose.query.tree import DATA, FIELDS, LITERAL
from firehose.query.values import LISTED

Lookup = Callable[[str, str], Sequence[tuple[str, int]]]
"""Known values of a field that hold a text, with how often each was seen lately, most often first."""

MOST: Final = 12
HELP: Final = {
    "source": "where it came from, by name or address",
    "kind": "what happened, such as change.merged or change.*",
    "type": "what happened in the sender's own words",
    "project": "which repository, * allowed",
    "actor": "who did it",
    "subject": "the thing it is about",
    "outcome": "success, failure, …",
    "severity": "info, notice, warning, error; >=warning",
    "refs": "what it belongs to: change, story, build",
    "link": "its address in the source",
    "summary": "words of its one line",
    "topic": "its MQTT topic, with + and #",
    "id": "the sender's id of it",
    "time": "when it happened: 2016-10-25, [a TO b], >=7d",
    "sequence": "its cursor",
    "since": "from a time on: 7d, 2016-10-25",
    "until": "before a time: 1h, 2016-10-25",
    "data.": "any field of the payload: data.change.branch:",
}
_SPANS: Final = {"since": ("1h", "24h", "7d", "30d"), "until": ("1h", "24h", "7d"), "time": (">=1h", ">=24h", ">=7d")}
_COUNTED: Final = ("source", "kind", "type", "project", "actor")
_FREE: Final = ("project", "actor", "kind", "source")
_NEEDS_QUOTES: Final = re.compile(r'[\s()"\\*?\[\]{}<>]')


class Candidate(msgspec.Struct, frozen=True):
    """`insert` replaces the text from `start` to `stop`. `field` tells the icon. `match`: the place of the typed piece
    within `insert`, to be marked ((0, 0): nowhere). `count`: how often seen, -1 if nobody counts."""

    insert: str
    start: int
    stop: int
    field: str
    why: str = ""
    count: int = -1
    match: tuple[int, int] = (0, 0)


def complete(text: str, caret: int, lookup: Lookup, fields: Sequence[str] = FIELDS) -> list[Candidate]:
    """The candidates at a caret (0 to the text's length), best first, at most `MOST`."""
    caret = min(max(caret, 0), len(text))
    tokens = scan(text[:caret])
    last = tokens[-1] if tokens and tokens[-1].stop == caret else None
    owner = _owner(tokens)
    if last is not None and (last.kind in ("QUOTED", "RANGE", "CLOSE") or last.text.startswith('"')):
        return []
    if owner is not None and (last is not None or _inside(tokens)):
        typed = last.text if last is not None and last.kind in ("VALUE", "LITERAL") else ""
        return _values(owner, typed, caret - len(typed), caret, lookup)[:MOST]
    if last is not None and last.kind == "WORD":
        return _names(last.text, last.start, caret, lookup, fields)[:MOST]
    return _names("", caret, caret, lookup, fields)[: len(fields) + 3]


def _owner(tokens: Sequence[Token]) -> str | None:
    """The field that a value at the end would belong to."""
    depth = 0
    for place, token in enumerate(reversed(tokens)):
        if token.kind == "FIELD":
            # Beside the field itself only its value, its comparison, or an open group may stand.
            return token.text[:-1] if place == 0 or depth < 0 or _direct(tokens[-place:]) else None
        depth += (token.kind == "CLOSE") - (token.kind == "OPEN")
    return None


def _direct(after: Sequence[Token]) -> bool:
    kinds = [token.kind for token in after]
    return kinds in (["VALUE"], ["LITERAL"], ["COMPARE"], ["COMPARE", "VALUE"])


def _inside(tokens: Sequence[Token]) -> bool:
    """Whether a field's group of values is open at the end."""
    groups: list[bool] = []
    for place, token in enumerate(tokens):
        if token.kind == "OPEN":
            groups.append((place > 0 and tokens[place - 1].kind == "FIELD") or bool(groups and groups[-1]))
        elif token.kind == "CLOSE":
            groups.pop()
    return bool(groups and groups[-1])


def _names(typed: str, start: int, stop: int, lookup: Lookup, fields: Sequence[str]) -> list[Candidate]:
    names = [*fields, *(name for name in ("since", "until", DATA) if "time" in fields)]
    folded = typed.lower()
    found = [
        Candidate(
            name if name == DATA else f"{name}:",
            start,
            stop,
            name,
            HELP.get(name, ""),
            match=(0, len(typed)),
        )
        for name in names
        if name.startswith(folded)
    ]
    if typed:
        for field in _FREE:
            found += _counted(field, typed, start, stop, lookup, f"{field}:")[:3]
    return found


def _values(field: str, typed: str, start: int, stop: int, lookup: Lookup) -> list[Candidate]:
    if field in LISTED or field in _SPANS:
        words = LISTED.get(field) or _SPANS[field]
        return [
            Candidate(word, start, stop, field, match=(0, len(typed)))
            for word in words
            if word.startswith(typed.lower())
        ]
    return _counted(field, typed, start, stop, lookup) if field in _COUNTED else []


def _counted(field: str, typed: str, start: int, stop: int, lookup: Lookup, before: str = "") -> list[Candidate]:
    candidates: list[Candidate] = []
    for value, count in lookup(field, typed.rstrip("*")):
        at = value.lower().find(typed.rstrip("*").lower())
        if value and at >= 0:
            written = before + (value if field in LITERAL or not _NEEDS_QUOTES.search(value) else _quoted(value))
            shift = len(before) + at
            place = (shift, shift + len(typed.rstrip("*"))) if written.endswith(value) else (0, 0)
            candidates.append(Candidate(written, start, stop, field, count=count, match=place))
    return candidates


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
