"""The tree as a predicate over recorded events, for live streams, sinks, rules, and what SQL cannot sift.

In: a `Node`. Out: a function from `Recorded` to bool. Cheap attributes are looked at first, text later, the payload
last and only when a `data.` field asks for it. No backtracking: patterns are prefix tests or RE2, so an event costs
time linear in its size. The stores find the same events by SQL; `tests/` hold them to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import msgspec
import re2

from firehose.event import SEVERITIES, Envelope, Recorded
from firehose.query.tree import DATA, All, Between, Either, Everything, Filter, Is, Like, Node, Not, Text
from firehose.query.words import haystack, needle, words
from firehose.subject import matches

Predicate = Callable[[Recorded], bool]
FEW: Final = 8
_SIMPLE: Final = re.compile(r"(\*?)((?:[^*?\\]|\\.)*)(\*?)", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


@lru_cache(maxsize=1_024)
def predicate(node: Node) -> Predicate:
    """The node as a function. It never raises, whatever the event holds."""
    match node:
        case Everything():
            return lambda _: True
        case All(parts):
            return _all([predicate(part) for part in sorted(parts, key=cost)])
        case Either(parts):
            return _either(parts)
        case Not(part):
            inner = predicate(part)
            return lambda event: not inner(event)
        case Text(sought, prefix, field):
            return _text(needle(sought, prefix=prefix), field)
        case Is(field, value):
            return _among(field, frozenset((value,)))
        case Like(field, pattern):
            return _fits(field, glob(pattern))
        case Filter(wanted):
            return _topic(wanted)
        case Between():
            return _between(node)
        case _:
            raise TypeError(f"no predicate for {node!r}")


def cost(node: Node) -> int:
    """How dear a node is to ask: 0 envelope, 1 patterns, 2 words, 3 the payload."""
    match node:
        case All(parts) | Either(parts):
            return max((cost(part) for part in parts), default=0)
        case Not(part):
            return cost(part)
        case Text():
            return 2
        case Is(field) | Like(field) | Between(field) if field.startswith(DATA):
            return 3
        case Like() | Filter():
            return 1
        case _:
            return 0


@lru_cache(maxsize=1_024)
def glob(pattern: str) -> Callable[[str], bool]:
    """A test for a `Like` pattern: all of the text must fit. Linear in the text."""
    simple = _SIMPLE.fullmatch(pattern)
    if simple is None:
        compiled = re2.compile(f"(?s){_regular(pattern)}")
        return lambda text: compiled.fullmatch(text) is not None
    before, plain, after = simple[1], _ESCAPE.sub(r"\1", simple[2]), simple[3]
    if before and after:
        return lambda text: plain in text
    if before:
        return lambda text: text.endswith(plain)
    if after:
        return lambda text: text.startswith(plain)
    return lambda text: text == plain


def _regular(pattern: str) -> str:
    pieces: list[str] = []
    escaped = False
    for character in pattern:
        if escaped or character not in "\\*?":
            pieces.append(re2.escape(character))
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            pieces.append(".*" if character == "*" else ".")
    return "".join(pieces)


def _all(parts: list[Predicate]) -> Predicate:
    if len(parts) > FEW:
        return lambda event: all(part(event) for part in parts)
    # Calls in calls cost half of what a generator does, and most queries are short.
    first = parts[0]
    if len(parts) == 1:
        return first
    rest = _all(parts[1:])
    return lambda event: first(event) and rest(event)


def _any(parts: list[Predicate]) -> Predicate:
    if len(parts) > FEW:
        return lambda event: any(part(event) for part in parts)
    first = parts[0]
    if len(parts) == 1:
        return first
    rest = _any(parts[1:])
    return lambda event: first(event) or rest(event)


def _either(parts: tuple[Node, ...]) -> Predicate:
    """Values of one field become one set."""
    sets: dict[str, set[str]] = {}
    rest: list[Node] = []
    for part in parts:
        if isinstance(part, Is):
            sets.setdefault(part.field, set()).add(part.value)
        else:
            rest.append(part)
    found = [_among(field, frozenset(wanted)) for field, wanted in sets.items() if not field.startswith(DATA)]
    dear = [_among(field, frozenset(wanted)) for field, wanted in sets.items() if field.startswith(DATA)]
    found += [predicate(part) for part in sorted(rest, key=cost)] + dear
    return _any(found)


def _among(field: str, wanted: frozenset[str]) -> Predicate:
    if field.startswith(DATA):
        path = field.split(".")[1:]
        return lambda event: any(leaf in wanted for leaf in map(_plain, leaves(_payload(event), path)))
    if field == "source":
        return lambda event: event.envelope.source in wanted or event.name in wanted
    if field == "refs":
        # No refs at all split into one empty text, which is what `refs:""` asks for.
        return lambda event: not wanted.isdisjoint(event.envelope.refs.split(" "))
    if field == "sequence":
        numbers = frozenset(int(value) for value in wanted if value.isdecimal())
        return lambda event: event.sequence in numbers
    read = _reader(field)
    if len(wanted) == 1:
        (only,) = wanted
        return lambda event: read(event.envelope) == only
    return lambda event: read(event.envelope) in wanted


def _fits(field: str, test: Callable[[str], bool]) -> Predicate:
    if field.startswith(DATA):
        path = field.split(".")[1:]
        return lambda event: any(leaf is not None and test(leaf) for leaf in map(_plain, leaves(_payload(event), path)))
    if field == "source":
        return lambda event: test(event.name) or test(event.envelope.source)
    if field == "refs":
        return lambda event: any(ref and test(ref) for ref in event.envelope.refs.split(" "))
    if field == "sequence":
        return lambda event: test(str(event.sequence))
    read = _reader(field)
    return lambda event: test(read(event.envelope))


def _reader(field: str) -> Callable[[Envelope], str]:
    readers: dict[str, Callable[[Envelope], str]] = {
        "kind": lambda envelope: envelope.kind,
        "type": lambda envelope: envelope.type,
        "project": lambda envelope: envelope.project,
        "actor": lambda envelope: envelope.actor,
        "subject": lambda envelope: envelope.subject,
        "outcome": lambda envelope: envelope.outcome,
        "severity": lambda envelope: envelope.severity,
        "link": lambda envelope: envelope.link,
        "summary": lambda envelope: envelope.summary,
        "topic": lambda envelope: envelope.topic,
        "id": lambda envelope: envelope.id,
    }
    if field not in readers:
        raise TypeError(f"events have no field {field!r}")
    return readers[field]


def _text(sought: str, field: str) -> Predicate:
    if field == "summary":
        return lambda event: sought in f" {' '.join(words(event.envelope.summary))} "
    return lambda event: sought in haystack(event)


def _topic(wanted: str) -> Predicate:
    if wanted.endswith("/#") and not set(wanted[:-2]) & set("+#"):
        exact, below = wanted[:-2], wanted[:-1]
        return lambda event: event.envelope.topic.startswith(below) or event.envelope.topic == exact
    if not set(wanted) & set("+#"):
        return lambda event: event.envelope.topic == wanted
    return lambda event: matches(wanted, event.envelope.topic)


def _between(node: Between) -> Predicate:
    field = node.field
    if field == "time":
        inside = _interval(node, datetime.fromisoformat)
        return lambda event: inside(_aware(event.envelope.time))
    if field == "sequence":
        numbered = _interval(node, int)
        return lambda event: numbered(event.sequence)
    if field == "severity":
        ranked = _interval(node, SEVERITIES.index)
        return lambda event: event.envelope.severity in SEVERITIES and ranked(SEVERITIES.index(event.envelope.severity))
    path = field.split(".")[1:]
    fits = _leaf_between(node)
    return lambda event: any(fits(leaf) for leaf in leaves(_payload(event), path))


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _interval(node: Between, convert: Callable[[str], Any]) -> Callable[[Any], bool]:
    low = None if node.low is None else convert(node.low)
    high = None if node.high is None else convert(node.high)
    low_included, high_included = node.low_included, node.high_included

    def inside(value: Any) -> bool:
        if low is not None and not (value >= low if low_included else value > low):
            return False
        return high is None or bool(value <= high if high_included else value < high)

    return inside


def _leaf_between(node: Between) -> Callable[[object], bool]:
    """Numbers against numbers, also where a sender writes them as text; everything else as text."""
    numeric = all(bound is None or number(bound) is not None for bound in (node.low, node.high))
    inside = _interval(node, number if numeric else str)

    def fits(leaf: object) -> bool:
        text = _plain(leaf)
        if text is None or isinstance(leaf, bool) or leaf is None:
            return False
        value = number(text) if numeric else text
        return value is not None and inside(value)

    return fits


def number(text: str) -> float | None:
    """The number that a text writes; None when it is none, or not finite."""
    if len(text) > 40 or not text.isascii() or not set(text) <= set("0123456789.eE+-"):
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) != float("inf") else None


def leaves(value: Any, path: list[str]) -> Iterator[object]:
    """What a path leads to: through objects by key, through lists by index or into every element."""
    level = [value]
    for key in path:
        below: list[Any] = []
        for node in level:
            if isinstance(node, dict):
                if key in node:
                    below.append(node[key])
            elif isinstance(node, list):
                below.extend(_elements(node, key))
        level = below
    for found in level:
        if isinstance(found, list):
            yield from found
        else:
            yield found


def _elements(values: list[Any], key: str) -> Iterator[Any]:
    if key.isdecimal() and len(key) < 9:
        yield from values[int(key) : int(key) + 1]
    for value in values:
        if isinstance(value, dict) and key in value:
            yield value[key]


def _plain(leaf: object) -> str | None:
    """A leaf as it is compared; None for objects and lists."""
    match leaf:
        case str():
            return leaf
        case dict() | list():
            return None
        case bool():
            return "true" if leaf else "false"
        case int():
            return str(leaf)
        case _:
            return msgspec.json.encode(leaf).decode()


def _payload(event: Recorded) -> Any:
    try:
        return event.data
    except (msgspec.DecodeError, RecursionError):
        return None
