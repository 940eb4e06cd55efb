"""Which rules an event meets, cheaply: queries are compiled once, and most are found by one value of the event.

In: queries with whatever they stand for. Out: what an event meets. Equal queries are asked once. A query that can only
match where a field has one of some values (`kind:change.merged …`) is looked up by that value and costs nothing
for other events; only the rest is asked for every event. It knows neither people nor places.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Generic, TypeVar

from firehose.event import Recorded
from firehose.query.match import Predicate, predicate
from firehose.query.tree import All, Either, Is, Like, Node

_T = TypeVar("_T")
Anchor = tuple[str, frozenset[str]]
BEST: Final = ("actor", "subject", "project", "kind", "project/", "outcome", "source", "kind.")
"""Fields to look up by, the most telling first. `project/` and `kind.` are the first part of a name."""
_WORTH: Final = {field: place for place, field in enumerate(BEST)}


class Matcher(Generic[_T]):
    """Many queries at once."""

    def __init__(self, queries: Sequence[tuple[Node, _T]]) -> None:
        grouped: dict[Node, list[_T]] = {}
        for node, what in queries:
            grouped.setdefault(node, []).append(what)
        self._always: list[tuple[Predicate, list[_T]]] = []
        self._by: dict[str, dict[str, list[tuple[Predicate, list[_T]]]]] = {}
        for node, meant in grouped.items():
            entry = (predicate(node), meant)
            anchor = anchored(node)
            if anchor is None:
                self._always.append(entry)
                continue
            field, values = anchor
            table = self._by.setdefault(field, {})
            for value in values:
                table.setdefault(value, []).append(entry)

    def match(self, event: Recorded) -> list[_T]:
        """Whatever the event meets."""
        found: list[_T] = []
        for fits, meant in self._candidates(event):
            if fits(event):
                found += meant
        return found

    def _candidates(self, event: Recorded) -> Iterator[tuple[Predicate, list[_T]]]:
        yield from self._always
        for field, table in self._by.items():
            for value in values_of(event, field):
                yield from table.get(value, ())


def values_of(event: Recorded, field: str) -> tuple[str, ...]:
    """What an event is looked up by in a field; no value twice."""
    envelope = event.envelope
    match field:
        case "source":
            return (event.name,) if event.name == envelope.source else (event.name, envelope.source)
        case "project/":
            return (envelope.project.partition("/")[0],)
        case "kind.":
            return (envelope.kind.partition(".")[0],)
        case _:
            return (str(getattr(envelope, field)),)


def anchored(node: Node) -> Anchor | None:
    """A field and the values of which it must have one, for the query to match at all; None when there is none."""
    match node:
        case Is(field, value) if field in _WORTH:
            return field, frozenset((value,))
        case Like("project", pattern):
            return _first("project/", pattern, "/")
        case Like("kind", pattern):
            return _first("kind.", pattern, ".")
        case All(parts):
            return min(filter(None, map(anchored, parts)), key=_worth, default=None)
        case Either(parts):
            return _joined([anchored(part) for part in parts])
        case _:
            return None


def _joined(anchors: Sequence[Anchor | None]) -> Anchor | None:
    """Every branch must have one, and all in the same field."""
    fields = {anchor[0] if anchor else "" for anchor in anchors}
    if len(fields) != 1 or "" in fields:
        return None
    return fields.pop(), frozenset().union(*(anchor[1] for anchor in anchors if anchor))


def _first(field: str, pattern: str, end: str) -> Anchor | None:
    first, found, _ = pattern.partition(end)
    plain = not any(letter in first for letter in "*?\\")
    return (field, frozenset((first,))) if found and plain else None


def _worth(anchor: Anchor) -> tuple[int, int]:
    return _WORTH[anchor[0]], len(anchor[1])
