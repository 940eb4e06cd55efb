"""A tree in plain words, as it stands under the query box: "Events that say live migration, not by proposal-bot."

In: a `Node` and the moment that the query was read at (so that `since:7d` is "the last 7 days"). Out: segments of
text, each emphasised or not; `plain` joins them. It words what the tree means and knows nothing of what was typed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from firehose.query.tree import DATA, All, Between, Either, Everything, Filter, Is, Like, Node, Not, Text


class Segment(msgspec.Struct, frozen=True):
    """A piece of a sentence. `strong`: a value that the reader chose."""

    text: str
    strong: bool = False


Words = list[Segment]
_ABOUT: Final = {
    "source": "from",
    "kind": "of kind",
    "type": "of type",
    "project": "in",
    "actor": "by",
    "subject": "about",
    "outcome": "with outcome",
    "severity": "of severity",
    "refs": "tied to",
    "link": "that link to",
    "summary": "with the summary",
    "topic": "on the topic",
    "id": "with id",
    "sequence": "with cursor",
}
_LIKE: Final = {
    "kind": "of a kind like",
    "type": "of a type like",
    "project": "in projects like",
    "outcome": "with an outcome like",
    "severity": "of a severity like",
    "summary": "with a summary like",
    "link": "that link to",
    "id": "with an id like",
    "topic": "on a topic like",
}
_MISSING: Final = {
    "source": "without a source",
    "project": "without a project",
    "actor": "by nobody named",
    "outcome": "without an outcome",
    "severity": "without a severity",
    "refs": "tied to nothing",
    "link": "without a link",
    "summary": "without a summary",
}
_NEGATED: Final = {
    "that say": "that do not say",
    "that link to": "that do not link to",
    "without": "with",
    "by nobody named": "by anybody named",
    "tied to nothing": "tied to anything",
}
_UNITS: Final = ((604_800, "week"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def explain(node: Node, now: datetime) -> list[Segment]:
    """The sentence of a query."""
    if isinstance(node, Everything):
        return [Segment("Every public event", strong=True), Segment(".")]
    if node == Not(Everything()):
        return [Segment("No event", strong=True), Segment(".")]
    parts = node.parts if isinstance(node, All) else (node,)
    if all(isinstance(part, Not) and not _has(part) for part in parts):
        found = _join([_clause(part, now) for part in parts], ", ", ", ")
        return _merge([Segment("Every public event", strong=True), Segment(", "), *found, Segment(".")])
    found = _join(_clauses(_spans(parts), now), ", ", ", ")
    return _merge([Segment("Events "), *found, Segment(".")])


def plain(segments: Sequence[Segment]) -> str:
    """The sentence as text."""
    return "".join(segment.text for segment in segments)


def _has(node: Node) -> bool:
    """Whether this is how `field:*` reads: the field has a value."""
    return isinstance(node, Not) and isinstance(node.part, Is) and not node.part.value


def _spans(parts: Sequence[Node]) -> list[Node]:
    """Words first, times last, and two halves of one range of time as one clause."""
    times = [part for part in parts if isinstance(part, Between) and part.field == "time"]
    rest = sorted((part for part in parts if part not in times), key=lambda part: not isinstance(part, Text))
    if len(times) == 2 and None not in (low := _pick(times, "low"), high := _pick(times, "high")):
        assert low is not None
        assert high is not None
        joined = Between("time", low.low, high.high, low.low_included, high.high_included)
        return [*rest, joined]
    return [*rest, *times]


def _pick(times: Sequence[Between], end: str) -> Between | None:
    one_sided = [part for part in times if (part.low is None) != (part.high is None)]
    return next((part for part in one_sided if getattr(part, end) is not None), None)


def _clauses(parts: Sequence[Node], now: datetime) -> list[Words]:
    """One clause for a part, but one for all words together: "that say a and b"."""
    said = [part for part in parts if isinstance(part, Text) and not part.field and not part.prefix]
    clauses = [_clause(part, now) for part in parts if part not in said]
    if said:
        values = [[Segment(_said(part), strong=True)] for part in said]
        clauses.insert(0, [Segment("that say "), *_join(values, ", ", " and ")])
    return clauses


def _clause(node: Node, now: datetime) -> Words:
    match node:
        case Everything():
            return [Segment("of any kind")]
        case All(parts):
            return _join(_clauses(parts, now), ", ", " and ")
        case Either(parts):
            return _either(parts, now)
        case Not(Everything()):
            return [Segment("that do not exist")]
        case Not(part):
            return _negated(_clause(part, now), whole=isinstance(part, (All, Either)))
        case Text(words, prefix, field):
            verb = "whose summary says" if field else "that say"
            return _about(f"{verb} a word that begins with" if prefix and len(words) == 1 else verb, _said(node))
        case Is(field, value):
            return _is(field, value)
        case Like(field, pattern):
            return _like(field, pattern)
        case Filter(wanted):
            return _about("on the topic", wanted)
        case Between():
            return _between(node, now)
        case _:
            raise TypeError(f"no words for {node!r}")


def _said(node: Text) -> str:
    return " ".join(node.words) + ("…" if node.prefix and len(node.words) > 1 else "")


def _word(field: str) -> str:
    """The words before a value; rooms with fields of their own get plain ones."""
    return _ABOUT.get(field, f"with {field}")


def _is(field: str, value: str) -> Words:
    if field.startswith(DATA):
        return [Segment("whose "), Segment(field.removeprefix(DATA), strong=True), *_about(" is", value or "empty")]
    if not value:
        return [Segment(_MISSING.get(field, f"without {field}"))]
    return _about(_word(field), value)


def _like(field: str, pattern: str) -> Words:
    if field.startswith(DATA):
        path = field.removeprefix(DATA)
        if pattern == "*":
            return [Segment("that have "), Segment(path, strong=True)]
        return [Segment("whose "), Segment(path, strong=True), *_about(" is like", pattern)]
    if field == "project" and pattern.endswith("/*") and not set(pattern[:-1]) & set("*?\\"):
        return _about("in projects below", pattern[:-1])
    return _about(_LIKE.get(field, f"{_word(field)} like"), pattern)


def _either(parts: Sequence[Node], now: datetime) -> Words:
    if all(isinstance(part, Text) and not part.prefix and not part.field for part in parts):
        said = [[Segment(_said(part), strong=True)] for part in parts if isinstance(part, Text)]
        return [Segment("that say "), *_join(said, ", ", " or ")]
    same = {part.field for part in parts if isinstance(part, Is) and part.value}
    if len(same) == 1 and all(isinstance(part, Is) for part in parts):
        values = [[Segment(part.value, strong=True)] for part in parts if isinstance(part, Is)]
        (field,) = same
        first = _clause(parts[0], now)
        head = first[:-1] if field.startswith(DATA) else [Segment(f"{_word(field)} ")]
        return [*head, *_join(values, ", ", " or ")]
    clauses = [_clause(part, now) for part in parts]
    if any(isinstance(part, All) for part in parts):
        return [Segment("either "), *_join(clauses, ", or ", ", or ")]
    return _join(clauses, ", ", " or ")


def _negated(words: Words, *, whole: bool) -> Words:
    if whole:
        return [Segment("but not those "), *words]
    first = words[0].text
    for positive, negative in _NEGATED.items():
        if first.startswith(positive):
            return [Segment(negative + first[len(positive) :], words[0].strong), *words[1:]]
    if first.startswith(("whose ", "that have ")):
        return [Segment("but not those "), *words]
    return [Segment("not "), *words]


def _between(node: Between, now: datetime) -> Words:
    low, high = node.low, node.high
    if node.field == "time":
        return _when(node, now)
    if node.field == "severity" and low is not None and high is None and node.low_included:
        return [Segment("of severity "), Segment(low, strong=True), Segment(" or worse")]
    if node.field == "sequence":
        return _numbered(node)
    name = node.field.removeprefix(DATA)
    head = f"whose {name} is" if node.field.startswith(DATA) else _word(node.field)
    ends = [
        ("at least" if node.low_included else "above", low),
        ("at most" if node.high_included else "below", high),
    ]
    return _join([_about(f"{head} {word}" if n == 0 or low is None else word, bound)
                  for n, (word, bound) in enumerate(ends) if bound is not None], " and ", " and ")  # fmt: skip


def _numbered(node: Between) -> Words:
    clauses: list[Words] = []
    if node.low is not None:
        clauses.append([*_about("from cursor" if node.low_included else "after cursor", node.low)])
    if node.high is not None:
        clauses.append([*_about("up to cursor" if node.high_included else "before cursor", node.high)])
    return _join(clauses, " ", " ")


def _when(node: Between, now: datetime) -> Words:
    low = datetime.fromisoformat(node.low) if node.low else None
    high = datetime.fromisoformat(node.high) if node.high else None
    if low is not None and high is None:
        span = _span(now - low)
        return _about("of the", f"last {span.removeprefix('1 ')}") if span else _about("since", _date(low))
    if low is None and high is not None:
        span = _span(now - high)
        word = "until" if node.high_included else "before"
        return _about("older than", span) if span else _about(word, _date(high))
    assert low is not None
    assert high is not None
    if _midnight(low) and _midnight(high) and not node.high_included:
        last = high - timedelta(days=1)
        return _about("on", _date(low)) if last == low else _about("from", f"{_date(low)} to {_date(last)}")
    return _about("from", f"{_date(low)} to {_date(high)}")


def _span(delta: timedelta) -> str:
    """A whole number of some unit, as people say it; "" when it is none."""
    seconds = delta.total_seconds()
    if seconds <= 0 or seconds != int(seconds):
        return ""
    if seconds == 3_600 * 24:
        return "24 hours"
    for unit, name in _UNITS:
        # "7 days" reads better than "1 week", "90 minutes" better than "5,400 seconds".
        if seconds % unit == 0 and (name != "week" or seconds > 4 * unit):
            count = int(seconds) // unit
            # A number that nobody would have said is a moment that somebody wrote.
            return "" if count > 366 else f"{count} {name}" if count == 1 else f"{count} {name}s"
    return ""


def _midnight(moment: datetime) -> bool:
    return (moment.hour, moment.minute, moment.second, moment.microsecond) == (0, 0, 0, 0)


def _date(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    date = f"{moment.day} {moment:%B} {moment.year}"
    if _midnight(moment):
        return date
    seconds = f"{moment:%H:%M:%S}" if moment.second or moment.microsecond else f"{moment:%H:%M}"
    return f"{date}, {seconds} UTC"


def _about(words: str, value: str) -> Words:
    return [Segment(f"{words} "), Segment(value, strong=True)]


def _join(clauses: Sequence[Words], between: str, last: str) -> Words:
    joined: Words = []
    for count, clause in enumerate(clauses):
        if count:
            joined.append(Segment(last if count == len(clauses) - 1 else between))
        joined.extend(clause)
    return joined


def _merge(segments: Words) -> Words:
    """Neighbours of one kind become one segment."""
    merged: Words = []
    for segment in segments:
        if merged and merged[-1].strong == segment.strong:
            merged[-1] = Segment(merged[-1].text + segment.text, segment.strong)
        else:
            merged.append(segment)
    return merged
