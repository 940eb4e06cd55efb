"""A query as its box shows it: colours, explanation in words, or the error with its place.

In: query text. Out: `Asked` with the tree (None when it cannot be read) and pieces for the coloured copy. The parser's
own scanner colours, so that what is coloured is what was understood.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

from firehose.errors import Refused
from firehose.query.explain import Segment, explain
from firehose.query.ink import ink
from firehose.query.parse import parse
from firehose.query.tree import Node

COLOURS: Final = {
    "field": "q-f",
    "value": "q-v",
    "quote": "q-s",
    "operator": "q-op",
    "neg": "q-neg",
    "paren": "q-off",
}
LONGEST: Final = 4_000


class Ink(msgspec.Struct, frozen=True):
    """A stretch of the query in one colour."""

    text: str
    colour: str = ""


class Wrong(msgspec.Struct, frozen=True):
    """What is wrong with a query: the sentence, the place from 0, the length, the nearest known word."""

    detail: str
    position: int
    length: int
    nearest: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A query, read. `node` is None when `wrong` says why."""

    text: str
    node: Node | None = None
    ink: tuple[Ink, ...] = ()
    say: tuple[Segment, ...] = ()
    wrong: Wrong | None = None


def ask(text: str, now: datetime) -> Asked:
    """Read a query as it stands in the box."""
    text = " ".join(text.split("\n"))[:LONGEST]
    try:
        node = parse(text, now)
    except Refused as refused:
        wrong = _wrong(text, refused)
        return Asked(text=text, ink=colour(text, wrong), wrong=wrong)
    return Asked(text=text, node=node, ink=colour(text, None), say=tuple(explain(node, now)))


def colour(text: str, wrong: Wrong | None) -> tuple[Ink, ...]:
    """The text in stretches; together they are the text again. The wrong stretch is marked."""
    place, length = (wrong.position, wrong.length) if wrong is not None else (-1, 0)
    return tuple(
        Ink(span.text, f"{COLOURS.get(span.role, '')}{' q-err' if span.wrong else ''}".strip())
        for span in ink(text, position=place, length=length)
    )


def _wrong(text: str, refused: Refused) -> Wrong:
    extra: dict[str, Any] = refused.extra
    position = extra.get("position", len(text))
    length = extra.get("length", 0)
    return Wrong(
        refused.detail,
        position if isinstance(position, int) else len(text),
        length if isinstance(length, int) else 0,
        str(extra.get("nearest", "")),
    )
