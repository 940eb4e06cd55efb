"""A query as its box shows it: colours, explanation in words, or the error with its place.

In: query text. Out: `Asked` with the tree (None when it cannot be read) and pieces for the coloured copy. The parser's
own scanner colours, so that what is coloured is what was understood.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from firehose.errors import Refused
from firehose.query import params
from firehose.query.explain import Segment, explain
from firehose.query.ink import ink
from firehose.query.parse import parse
from firehose.query.terms import combine, parts
from firehose.query.tree import Everything, Node, both
from firehose.query.write import write

COLOURS: Final = {
    "field": "q-f",
    "value": "q-v",
    "quote": "q-s",
    "operator": "q-op",
    "neg": "q-neg",
    "paren": "q-off",
}
LONGEST: Final = 4_000
NARROWING: Final = (*params.FILTERS, *params.NEGATED)
"""Parameters of an address that say more than its query."""


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


def ask(text: str, now: datetime, also: Node | None = None) -> Asked:
    """Read a query as it stands in the box. `also`: what is asked for besides; the explanation tells it, too."""
    text = " ".join(text.split("\n"))[:LONGEST]
    try:
        node = parse(text, now)
    except Refused as refused:
        wrong = _wrong(text, refused)
        return Asked(text=text, ink=colour(text, wrong), wrong=wrong)
    said = explain(both(also or Everything(), node), now)
    return Asked(text=text, node=node, ink=colour(text, None), say=tuple(said))


def narrowed(given: Iterable[tuple[str, str]], now: datetime) -> Node:
    """What the parameters besides the query ask for, the ticked facets."""
    return params.read([pair for pair in given if pair[0] in NARROWING], now).node


def whole(given: Sequence[tuple[str, str]], now: datetime) -> str:
    """The query of an address with its other parameters as terms, as rooms take it that know only queries."""
    text = params.read([pair for pair in given if pair[0] == "q"], now).text
    return combine(text, now, add=[write(part) for part in parts(narrowed(given, now))])


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
