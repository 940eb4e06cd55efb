"""Queries for the stores: which part of a query tree the index answers, and what is left to look at event by event.

In: a query tree. Out: a `Plan`: an expression over index terms that finds everything that matches, sequence and time
bounds that everything lies in, and `rest`, the condition that the predicate of `query/match.py` must still check.
Whatever the index cannot say is left to that one predicate, so live streams and both stores agree by construction.
"""

from __future__ import annotations

import itertools
import re
from datetime import datetime
from typing import Final

import msgspec

from firehose.event import SEVERITIES
from firehose.history import marks
from firehose.history.marks import mark, start
from firehose.history.row import micros
from firehose.query.tree import All, Between, Either, Everything, Filter, Is, Like, Node, Not, Text, both
from firehose.subject import ROOT, escape, unescape

LATEST: Final = 2**63 - 1
MOST_TERMS: Final = 500
"""Beyond so many terms a part of a query is looked at event by event."""
_PREFIX: Final = re.compile(r"((?:[^*?\\]|\\.)*)(.*)", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


class Index(msgspec.Struct, frozen=True, tag=True):
    """An expression over index terms."""


class Every(Index, frozen=True):
    """All events."""


class Phrase(Index, frozen=True):
    """Terms in this order, next to each other; `prefix`: the last one may go on."""

    terms: tuple[str, ...]
    prefix: bool = False


class And(Index, frozen=True):
    """What all parts find, but for what any of `without` finds."""

    parts: tuple[Index, ...]
    without: tuple[Index, ...] = ()


class Or(Index, frozen=True):
    """What any part finds; no parts find nothing."""

    parts: tuple[Index, ...]


class Plan(msgspec.Struct, frozen=True):
    """How to find what a query asks for. Sequences `low` to `high` inclusive; `times`, if any, in microseconds,
    inclusive, which the index does not check. `rest` is `Everything` when index and bounds are exact."""

    index: Index
    low: int = 0
    high: int = LATEST
    times: tuple[int, int] | None = None
    rest: Node = Everything()

    @property
    def exact(self) -> bool:
        """Whether nothing is left to check event by event."""
        return isinstance(self.rest, Everything)


def plan(query: Node) -> Plan:
    """The plan of a query."""
    parts = query.parts if isinstance(query, All) else (query,)
    low, high, times = 0, LATEST, (-LATEST, LATEST)
    found: list[Index] = []
    rest: list[Node] = []
    for part in parts:
        bounds = _sequences(part)
        if bounds is not None:
            low, high = max(low, bounds[0]), min(high, bounds[1])
            continue
        if isinstance(part, Between) and part.field == "time":
            span = _times(part)
            times = max(times[0], span[0]), min(times[1], span[1])
        index, exact = _index(part)
        found.append(index)
        if not exact:
            rest.append(part)
    index = conjunction(found)
    if count(index) > MOST_TERMS:
        index, rest = Every(), [part for part in parts if _sequences(part) is None]
    bounded = None if times == (-LATEST, LATEST) else times
    return Plan(index, low, high, bounded, both(*rest))


def count(index: Index) -> int:
    """How many terms an expression has."""
    match index:
        case Phrase(terms):
            return len(terms)
        case And(parts, without):
            return sum(map(count, parts)) + sum(map(count, without))
        case Or(parts):
            return sum(map(count, parts))
        case _:
            return 0


def _index(node: Node) -> tuple[Index, bool]:
    """What finds at least everything that matches, and whether it finds nothing else."""
    match node:
        case Everything():
            return Every(), True
        case All(parts):
            found = [_index(part) for part in parts]
            return conjunction([index for index, _ in found]), all(exact for _, exact in found)
        case Either(parts):
            found = [_index(part) for part in parts]
            return _or([index for index, _ in found]), all(exact for _, exact in found)
        case Not(part):
            index, exact = _index(part)
            return (_without(index), True) if exact else (Every(), False)
        case Text(words, prefix, field):
            return Phrase(tuple(map(marks.plain, words)), prefix), field == ""
        case Is(field, value):
            return _is(field, value)
        case Like(field, pattern):
            return _like(field, pattern)
        case Filter(wanted):
            return _filter(wanted)
        case Between("severity", low, high, low_included, high_included):
            return _severities(low, high, low_included, high_included), True
        case _:
            return Every(), False


def conjunction(parts: list[Index]) -> Index:
    """Flat, so that the stores see one merge."""
    plain: list[Index] = []
    without: list[Index] = []
    for part in parts:
        match part:
            case Every():
                continue
            case And(inner, excluded):
                plain.extend(inner)
                without.extend(excluded)
            case _:
                plain.append(part)
    if not plain and not without:
        return Every()
    return plain[0] if len(plain) == 1 and not without else And(tuple(plain), tuple(without))


def _or(parts: list[Index]) -> Index:
    plain: list[Index] = []
    for part in parts:
        match part:
            case Every():
                return part
            case Or(inner):
                plain.extend(inner)
            case _:
                plain.append(part)
    return plain[0] if len(plain) == 1 else Or(tuple(plain))


def _without(index: Index) -> Index:
    match index:
        case Every():
            return Or(())
        case Or(()):
            return Every()
        case And((), (one,)):
            return one
        case _:
            return And((), (index,))


def _one(letter: str, value: str) -> Index:
    return Phrase((mark(letter, value),))


def _is(field: str, value: str) -> tuple[Index, bool]:
    if not value:
        return Every(), False
    if field == "source":
        return Or((_one(marks.NAME, value), _one(marks.URI, value))), True
    if field == "refs":
        return (Every(), False) if " " in value else (_one(marks.REF, value), True)
    if field in marks.FIELDS:
        return _one(marks.FIELDS[field], value), True
    return Every(), False


def _like(field: str, pattern: str) -> tuple[Index, bool]:
    """Patterns that end in their only wildcard, `*`, are prefixes; of others only the beginning is looked up."""
    found = _PREFIX.fullmatch(pattern)
    prefix, tail = (_ESCAPE.sub(r"\1", found[1]), found[2]) if found else ("", pattern)
    if not tail and "\\" not in prefix:
        return _is(field, prefix)
    simple = tail == "*"
    if not prefix:
        # `refs:*` asks for events that have any.
        return Every(), simple and field != "refs" and not field.startswith("data.")
    if field == "project" and prefix.endswith("/"):
        return _one(marks.FOLDER, prefix), simple
    if field == "kind" and prefix.endswith(".") and prefix.count(".") == 1:
        return _one(marks.NOUN, prefix[:-1]), simple
    letters = {"source": (marks.NAME, marks.URI), "refs": (marks.REF,)}.get(field) or tuple(marks.FIELDS.get(field, ""))
    if not letters:
        return Every(), False
    starts = [start(letter, prefix) for letter in letters]
    whole = len(marks.plain(prefix)) <= marks.MOST
    return _or([Phrase((begin,), True) for begin in starts]), simple and whole


def _filter(wanted: str) -> tuple[Index, bool]:
    """A topic filter by its levels: `events/<source>/<noun>/<predicate>/<project…>`."""
    levels = wanted.split("/")
    if levels == ["#"]:
        return Every(), True
    deep = levels[-1] == "#"
    if deep:
        levels.pop()
    if levels[0] != ROOT or "#" in levels or any(escape(unescape(level)) != level for level in levels if level != "+"):
        return Every(), False
    names = [None if level == "+" else unescape(level) for level in levels]
    if "" in names:
        # What is empty has no mark.
        return Every(), False
    source, noun, predicate = [*names[1:4], None, None, None][:3]
    found = [] if source is None else [_one(marks.NAME, source)]
    exact = deep or len(levels) >= 4
    if noun is not None and predicate is not None:
        found.append(_one("k", f"{noun}.{predicate}"))
    elif noun is not None:
        found.append(_or([_one(marks.NOUN, noun), _one("k", noun)]))
    elif predicate is not None:
        exact = False
    below, sure = _project(names[4:], deep=deep or len(levels) < 4)
    return conjunction([*found, below]), exact and sure


def _project(names: list[str | None], *, deep: bool) -> tuple[Index, bool]:
    """The last levels of a filter; `deep` when anything may follow. A topic without a project ends before them."""
    known = [name for name in itertools.takewhile(lambda name: name is not None, names) if name is not None]
    path = "/".join(known)
    if len(known) == len(names):
        if not deep:
            return (_one("p", path), True) if known else (Every(), False)
        return (_or([_one("p", path), _one(marks.FOLDER, f"{path}/")]), True) if known else (Every(), True)
    return (_one(marks.FOLDER, f"{path}/"), False) if known else (Every(), False)


def _severities(low: str | None, high: str | None, low_included: bool, high_included: bool) -> Index:
    first = 0 if low is None else SEVERITIES.index(low) + (not low_included)
    last = len(SEVERITIES) - 1 if high is None else SEVERITIES.index(high) - (not high_included)
    return _or([_one("s", word) for word in SEVERITIES[first : last + 1]])


def _sequences(node: Node) -> tuple[int, int] | None:
    """The sequences that a condition on the sequence itself allows."""
    match node:
        case Is("sequence", value):
            return (int(value), int(value)) if value.isdecimal() else (1, 0)
        case Between("sequence", low, high, low_included, high_included):
            return (
                0 if low is None else int(low) + (not low_included),
                LATEST if high is None else int(high) - (not high_included),
            )
        case _:
            return None


def _times(node: Between) -> tuple[int, int]:
    low = -LATEST if node.low is None else micros(datetime.fromisoformat(node.low))
    high = LATEST if node.high is None else micros(datetime.fromisoformat(node.high))
    return low, high
