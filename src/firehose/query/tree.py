"""The query tree: what a query means, whatever was typed. Made by `parse`, read by `match`, `explain` and SQL.

Fields are the envelope's names (`source kind type project actor subject outcome severity refs link summary topic id
time sequence`) and `data.<path>` for the payload. `source` takes the name in the settings, or a URI.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

FIELDS: Final = (
    "source",
    "kind",
    "type",
    "project",
    "actor",
    "subject",
    "outcome",
    "severity",
    "refs",
    "link",
    "summary",
    "topic",
    "id",
    "time",
    "sequence",
)
DATA: Final = "data."
LITERAL: Final = ("subject", "refs", "link")
"""Fields whose value runs to the next space, every character literal (but for a `*` wildcard)."""


class Node(msgspec.Struct, frozen=True, tag=True):
    """Any part of a query."""


class Everything(Node, frozen=True):
    """Matches every event: the empty query."""


class All(Node, frozen=True):
    """Every part must match."""

    parts: tuple[Node, ...]


class Either(Node, frozen=True):
    """At least one part must match."""

    parts: tuple[Node, ...]


class Not(Node, frozen=True):
    """The part must not match."""

    part: Node


class Text(Node, frozen=True):
    """Words that stand in this order, next to each other, in the event's searchable text. Words are as `words` makes
    them, at least one. `prefix`: the last word may go on. `field`: "" is all of `words.searchable`; `summary` only
    that attribute (a store may find a superset by its text index and sift it with `match.predicate`)."""

    words: tuple[str, ...]
    prefix: bool = False
    field: str = ""


class Is(Node, frozen=True):
    """The field has exactly this value ("" is: it has none); for `refs` one of its members has. `source` takes the
    name in the settings or the URI. A `data.…` path goes through lists: any element will do; leaves compare as text,
    `true`, `false`, `null` and numbers as JSON writes them."""

    field: str
    value: str


class Like(Node, frozen=True):
    """All of the field fits a pattern of `*` (any text) and `?` (one character); a backslash makes the next one
    literal. Case counts. But for `data.…`, where `*` asks whether there is a value, a pattern is never of `*` alone."""

    field: str
    pattern: str


class Filter(Node, frozen=True):
    """The topic fits an MQTT filter (`events/+/change/merged/#`)."""

    filter: str


class Between(Node, frozen=True):
    """The field lies in a range; None is open. `time` bounds are RFC 3339 text in UTC, `sequence` bounds decimal,
    `severity` one of its words in their order, `data.…` numbers or text."""

    field: str
    low: str | None
    high: str | None
    low_included: bool = True
    high_included: bool = True


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it."""
    yield node
    match node:
        case All(parts) | Either(parts):
            for part in parts:
                yield from walk(part)
        case Not(part):
            yield from walk(part)
        case _:
            pass


def both(*nodes: Node) -> Node:
    """All of the nodes, flattened; `Everything` falls away."""
    parts: list[Node] = []
    for node in nodes:
        if isinstance(node, All):
            parts.extend(node.parts)
        elif not isinstance(node, Everything):
            parts.append(node)
    if not parts:
        return Everything()
    return parts[0] if len(parts) == 1 else All(tuple(parts))
