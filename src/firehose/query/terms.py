"""A query text with terms added and taken out again: for chips, facets and "only this kind".

In: the text as somebody typed it, the terms, the present moment. Out: a text in which what was typed stays as it was,
but for parentheses where it needs them: AND binds closer than OR, so a query with OR at its top is one term.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from firehose.errors import Refused
from firehose.query.parse import parse
from firehose.query.scan import Token, scan
from firehose.query.tree import All, Everything, Node
from firehose.query.write import write

_ENDS: Final = ("WORD", "QUOTED", "VALUE", "LITERAL", "RANGE", "CLOSE")
_DEPTH: Final = {"OPEN": 1, "CLOSE": -1}


def combine(text: str, now: datetime, *, add: Sequence[str] = (), drop: Sequence[str] = ()) -> str:
    """The text without the terms of `drop` and with those of `add` that it does not have. `Refused` where one of them
    cannot be read."""
    dropped = {parse(term, now) for term in drop}
    given = _terms(text, now)
    kept = {term: node for term in given if (node := parse(term, now)) not in dropped}
    more = {node: _alone(term, now) for term in add if (node := parse(term, now)) not in kept.values()}
    if not more and len(kept) == len(given):
        return text.strip()
    return " ".join([*kept, *more.values()])


def parts(node: Node) -> tuple[Node, ...]:
    """What of a tree must all match."""
    if isinstance(node, Everything):
        return ()
    return node.parts if isinstance(node, All) else (node,)


def _terms(text: str, now: datetime) -> list[str]:
    """The terms that must all match; twice the same one is one."""
    parse(text, now)
    tokens = scan(text)
    if _has_or(tokens):
        return [_alone(text, now)]
    found: dict[str, None] = {}
    begin, depth = -1, 0
    for token in tokens:
        depth += _DEPTH.get(token.kind, 0)
        if begin < 0 and token.kind != "AND":
            begin = token.start
        if depth == 0 and token.kind in _ENDS:
            found[text[begin : token.stop]] = None
            begin = -1
    return list(found)


def _has_or(tokens: Sequence[Token]) -> bool:
    depth = 0
    for token in tokens:
        depth += _DEPTH.get(token.kind, 0)
        if depth == 0 and token.kind == "OR":
            return True
    return False


def _alone(term: str, now: datetime) -> str:
    """A term that means the same whatever stands beside it."""
    term = term.strip()
    if not _has_or(scan(term)):
        return term
    node, closed = parse(term, now), f"({term})"
    # A literal value that ends in ")" would take the new parenthesis for its own; written out it is quoted.
    return closed if _reads_as(closed, node, now) else f"({write(node)})"


def _reads_as(text: str, node: Node, now: datetime) -> bool:
    try:
        return parse(text, now) == node
    except Refused:
        return False
