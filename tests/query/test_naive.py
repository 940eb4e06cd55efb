"""The predicate against a second, naive reading of the same tree: same answers on any event."""

from __future__ import annotations

import fnmatch
import itertools
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firehose.event import SEVERITIES, Recorded
from firehose.query.match import predicate
from firehose.query.tree import All, Between, Either, Everything, Filter, Is, Like, Node, Not, Text

VALUES = ["", "a", "b", "ab", "a/b", "a*", "gerrit", "https://review.opendev.org", "warning", "nova"]
FIELDS = ["source", "kind", "type", "project", "actor", "subject", "outcome", "severity", "refs", "link", "id"]
WORDS = ["a", "b", "ab", "nova", "föhn"]
DATA = [None, True, 7, 7.5, "7", "a", "ab", {"x": "a"}, [{"x": "a"}, {"x": 9}], ["a", "b"], []]

PATTERNS = st.lists(st.sampled_from(["*", "?", "a", "b", "/", r"\*", "nova"]), min_size=1, max_size=5).map("".join)
BOUNDS = st.none() | st.sampled_from(["5", "7", "7.5", "a", "ab"])
TIMES = st.none() | st.sampled_from([f"2016-10-2{day}T10:00:00.000000Z" for day in range(5, 8)])
LEAVES: st.SearchStrategy[Node] = st.one_of(
    st.just(Everything()),
    st.builds(Text, st.lists(st.sampled_from(WORDS), min_size=1, max_size=2).map(tuple), st.booleans()),
    st.builds(Text, st.sampled_from(WORDS).map(lambda word: (word,)), st.booleans(), st.just("summary")),
    st.builds(Is, st.sampled_from([*FIELDS, "data.x", "data.x.x"]), st.sampled_from([*VALUES, "7", "true", "null"])),
    st.builds(Like, st.sampled_from(FIELDS), PATTERNS.filter(lambda pattern: pattern.strip("*"))),
    st.builds(Like, st.sampled_from(["data.x", "data.x.x"]), PATTERNS),
    st.builds(Filter, st.sampled_from(["#", "events/+/a/#", "events/gerrit/#", "events/gerrit/a/b", "+/+/+/+/a/b"])),
    st.builds(Between, st.just("time"), TIMES, TIMES, st.booleans(), st.booleans()),
    st.builds(Between, st.just("sequence"), st.sampled_from(["1", "2"]), st.sampled_from(["2", "3"]), st.booleans()),
    st.builds(Between, st.just("severity"), st.sampled_from(SEVERITIES), st.none(), st.booleans()),
    st.builds(Between, st.sampled_from(["data.x", "data.x.x"]), BOUNDS, BOUNDS, st.booleans(), st.booleans()),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map(lambda parts: All(tuple(parts))),
        st.lists(inner, min_size=2, max_size=4).map(lambda parts: Either(tuple(parts))),
        inner.map(Not),
    ),
    max_leaves=8,
)
TEXTS = st.lists(st.sampled_from([*WORDS, "A", "-", "/", "nova's"]), max_size=4).map(" ".join)
CHANGES = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["a.b", "change.merged"]),
        "subject": st.sampled_from(VALUES[1:]),
        "project": st.sampled_from(VALUES),
        "actor": st.sampled_from(VALUES),
        "outcome": st.sampled_from(VALUES),
        "severity": st.sampled_from([*SEVERITIES, "", "loud"]),
        "summary": TEXTS,
        "text": TEXTS,
        "refs": st.lists(st.sampled_from(VALUES[1:]), max_size=3).map(tuple),
        "time": st.integers(4, 8).map(lambda day: datetime(2016, 10, 20 + day, 10, tzinfo=UTC)),
        "x": st.sampled_from(DATA),
    }
)


def naive(node: Node, event: Recorded, x: Any) -> bool:
    match node:
        case Everything():
            return True
        case All(parts):
            return all(naive(part, event, x) for part in parts)
        case Either(parts):
            return any(naive(part, event, x) for part in parts)
        case Not(part):
            return not naive(part, event, x)
        case Text(sought, prefix, field):
            return says(event, list(sought), prefix=prefix, field=field)
        case Filter(wanted):
            return topic_fits(wanted.split("/"), event.envelope.topic.split("/"))
        case Is(field, value):
            return value in candidates(field, event, x)
        case Like(field, pattern):
            return any(fits(pattern, value) for value in candidates(field, event, x))
        case Between():
            return any(inside(node, value) for value in raw_candidates(node.field, event, x))
        case _:
            raise AssertionError(node)


def says(event: Recorded, sought: list[str], *, prefix: bool, field: str) -> bool:
    envelope = event.envelope
    pieces = [envelope.summary]
    if not field:
        pieces += [envelope.project, envelope.subject, envelope.actor, event.private.text]
    spread = "".join(c if c.isalnum() else " " for c in " ".join(pieces).lower()).split()
    for at in range(len(spread) - len(sought) + 1):
        part = spread[at : at + len(sought)]
        if part[:-1] == sought[:-1] and (part[-1] == sought[-1] or (prefix and part[-1].startswith(sought[-1]))):
            return True
    return False


def topic_fits(wanted: list[str], levels: list[str]) -> bool:
    if wanted[:1] == ["#"]:
        return True
    if not wanted or not levels:
        return not wanted and not levels
    return wanted[0] in ("+", levels[0]) and topic_fits(wanted[1:], levels[1:])


def raw_candidates(field: str, event: Recorded, x: Any) -> list[Any]:
    if field == "data.x":
        return x if isinstance(x, list) else [x]
    if field == "data.x.x":
        return [inner["x"] for inner in (x if isinstance(x, list) else [x]) if isinstance(inner, dict)]
    if field == "source":
        return [event.envelope.source, event.envelope.topic.split("/")[1]]
    if field == "refs":
        return event.envelope.refs.split(" ")
    return [event.sequence] if field == "sequence" else [getattr(event.envelope, field)]


def candidates(field: str, event: Recorded, x: Any) -> list[str]:
    names = {None: "null", True: "true", False: "false"}
    found = [value for value in raw_candidates(field, event, x) if not isinstance(value, (dict, list))]
    return [names[value] if value is None or isinstance(value, bool) else str(value) for value in found]


def fits(pattern: str, text: str) -> bool:
    # fnmatch escapes by brackets, where the query language has backslashes.
    return fnmatch.fnmatchcase(text, pattern.replace(r"\*", "[*]"))


def inside(node: Between, value: Any) -> bool:
    low, high, value = node.low, node.high, comparable(node, value)
    if value is None:
        return False
    edges: list[tuple[Any, bool, int]] = [(low, node.low_included, -1), (high, node.high_included, 1)]
    for bound, included, side in edges:
        if bound is not None:
            limit = comparable(node, bound)
            if value == limit:
                if not included:
                    return False
            elif (value > limit) != (side < 0):
                return False
    return True


def comparable(node: Between, value: Any) -> Any:
    if node.field == "time":
        return datetime.fromisoformat(value) if isinstance(value, str) else value
    if node.field == "severity":
        return SEVERITIES.index(value) if value in SEVERITIES else None
    if node.field == "sequence":
        return int(value)
    if value is None or isinstance(value, (bool, dict, list)):
        return None
    numeric = all(re.fullmatch(r"[0-9.]+", bound) for bound in (node.low, node.high) if bound)
    if numeric:
        return float(value) if re.fullmatch(r"[0-9.]+", str(value)) else None
    return str(value)


@given(TREES, CHANGES)
@settings(max_examples=800, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_predicate_and_naive_reading_agree(
    recorded: Callable[..., Recorded], tree: Node, changes: dict[str, Any]
) -> None:
    x = changes["x"]
    attributes = {name: value for name, value in changes.items() if name != "x"}
    event = recorded(2, data=json.dumps({"x": x}).encode(), **attributes)
    assert predicate(tree)(event) is naive(tree, event, x)


def test_a_negation_is_always_the_opposite(recorded: Callable[..., Recorded]) -> None:
    leaves: list[Node] = [Is(field, value) for field, value in itertools.product([*FIELDS, "data.x"], VALUES)]
    leaves += [Like(field, "a*") for field in [*FIELDS, "data.x"]]
    event = recorded()
    wrong = [leaf for leaf in leaves if predicate(Not(leaf))(event) is predicate(leaf)(event)]
    assert wrong == []
