"""The common HTTP parameters, the same on every address: from name-value pairs to what is asked for.

In: the pairs of a query string, the present moment. Out: a `Request`, or `Refused` (400) that names the parameter and,
for an unknown one, the nearest known. Which history answers, and what its head is, is only known to `window`'s caller.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Final

import msgspec

from firehose.errors import Refused
from firehose.query import moments, values
from firehose.query.parse import either, negation, parse
from firehose.query.tree import Everything, Filter, Node, both
from firehose.subject import filter_problem

FILTERS: Final = ("topic", "source", "kind", "type", "project", "actor", "subject", "outcome", "severity")
NEGATED: Final = tuple(f"not_{name}" for name in FILTERS)
SINGLE: Final = ("since", "until", "order", "limit", "cursor")
NAMES: Final = (*FILTERS, *NEGATED, "q", *SINGLE)
MAX_LIMIT: Final = 1_000
DEFAULT_LIMIT: Final = 100
MAX_VALUES: Final = 200
"""Most filter values of one request."""
LAST: Final = 2**63 - 1


class Place(msgspec.Struct, frozen=True):
    """Where to begin or end: a recorded `moment`, or a `sequence`, or the head as it is (`latest`)."""

    moment: datetime | None = None
    sequence: int | None = None
    latest: bool = False


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader asks for. `node` holds the filters and `q`; `since` is included, `until` and `cursor` are not;
    None is open. `text` is `q` as typed."""

    node: Node = Everything()
    text: str = ""
    since: Place | None = None
    until: Place | None = None
    descending: bool = True
    limit: int = DEFAULT_LIMIT
    cursor: int | None = None


class Window(msgspec.Struct, frozen=True):
    """Which sequences are asked for, both ends excluded as `Store.find` takes them; `before` 0 is open."""

    after: int = 0
    before: int = 0

    @property
    def empty(self) -> bool:
        """Whether nothing can lie in it, now or later."""
        return 0 < self.before <= self.after + 1


def read(
    pairs: Iterable[tuple[str, str]], now: datetime, *, also: Collection[str] = (), descending: bool = True
) -> Request:
    """The request that the parameters make. `also`: names that the address knows besides (they are skipped).
    An empty value counts as not given."""
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        if name in NAMES:
            if value:
                given.setdefault(name, []).append(value)
        elif name not in also:
            raise _unknown(name, also)
    for name in SINGLE:
        if len(given.get(name, ())) > 1:
            raise _bad(name, "is given more than once")
    if sum(map(len, given.values())) > MAX_VALUES:
        raise Refused(f"more than {MAX_VALUES} parameters are given", slug="bad-parameter")
    single = {name: given[name][0] for name in SINGLE if name in given}
    texts = given.get("q", [])
    return Request(
        node=both(*_filters(given, now), either(*(parse(text, now) for text in texts)) if texts else Everything()),
        text=" OR ".join(f"({text})" for text in texts) if len(texts) > 1 else "".join(texts),
        since=place("since", single["since"], now) if "since" in single else None,
        until=place("until", single["until"], now) if "until" in single else None,
        descending=_order(single.get("order", ""), descending),
        limit=_limit(single.get("limit", "")),
        cursor=cursor(single["cursor"]) if "cursor" in single else None,
    )


def window(request: Request, head: int, at_time: Callable[[datetime], int]) -> Window:
    """The sequences of a request. `at_time` gives the last sequence recorded before a moment (`Store.at_time`)."""
    after = _before(request.since, head, at_time) if request.since else 0
    before = 0
    if request.until:
        before = head + 1 if request.until.latest else _before(request.until, head, at_time) + 1
    if request.cursor is not None and request.descending:
        # Nothing comes before the first event: 1 is a window that holds none.
        before = min(before, request.cursor) if before else max(request.cursor, 1)
    elif request.cursor is not None:
        after = max(after, request.cursor)
    return Window(after, before)


def place(name: str, value: str, now: datetime) -> Place:
    """A `since` or `until`: time, epoch, duration, `seq:123`, 20 digits, `earliest`, `latest`."""
    if value == "earliest":
        return Place(sequence=1)
    if value == "latest":
        return Place(latest=True)
    digits = value.removeprefix("seq:")
    if digits != value or (len(value) == 20 and value.isascii() and value.isdecimal()):
        return Place(sequence=_sequence(name, digits))
    # A "+" of a zone that nobody escaped arrives as a space.
    found = moments.read(value, now) or moments.read(value.replace(" ", "+"), now)
    if found is None:
        raise _bad(name, f"is {value!r}, not {moments.FORMS}, seq:123, earliest or latest")
    return Place(moment=found.start)


def cursor(value: str, name: str = "cursor") -> int:
    """A cursor as readers write it: 20 digits, leading zeros may be missing."""
    return _sequence(name, value.strip().removeprefix("seq:"))


def topics(filters: Sequence[str]) -> Node:
    """Any of the MQTT filters, as in `/v1/stream/{topic filter[,…]}`; none is everything."""
    return either(*map(_filter, filters)) if filters else Everything()


def _filter(text: str) -> Filter:
    # A "+" that nobody escaped arrives as a space, which no topic holds.
    read = "/".join("+" if level == " " else level for level in text.split("/"))
    problem = filter_problem(read) or ("no topic holds white space" if any(map(str.isspace, read)) else "")
    if problem:
        raise _bad("topic", f"is {text!r}: {problem}")
    return Filter(read)


def _filters(given: dict[str, list[str]], now: datetime) -> list[Node]:
    nodes: list[Node] = []
    for name in FILTERS:
        for key in (name, f"not_{name}"):
            if key in given:
                node = either(*(_value(key, name, value, now) for value in given[key]))
                nodes.append(node if key == name else negation(node))
    return nodes


def _value(key: str, name: str, value: str, now: datetime) -> Node:
    if name == "topic":
        return topics([value])
    try:
        values.listed(name, value)
        node = values.bare(name, value, now)
        # By parameter a subject is followed with what is tied to it; `q=subject:…` is the attribute alone.
        return either(node, values.bare("refs", value, now)) if name == "subject" else node
    except values.Misread as misread:
        raise _bad(key, f"is {value!r}: {misread.why}", misread.nearest) from None


def _before(at: Place | None, head: int, at_time: Callable[[datetime], int]) -> int:
    """The last sequence before a place."""
    if at is None:
        return 0
    if at.moment is not None:
        return at_time(at.moment)
    return head if at.latest else max((at.sequence or 1) - 1, 0)


def _sequence(name: str, digits: str) -> int:
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 20 and int(digits) <= LAST):
        raise _bad(name, f"is {digits[:40]!r}, not a sequence of up to 20 digits")
    return int(digits)


def _order(value: str, descending: bool) -> bool:
    if value not in ("", "asc", "desc"):
        raise _bad("order", f"is {value!r}, it must be asc or desc")
    return value == "desc" if value else descending


def _limit(value: str) -> int:
    if not value:
        return DEFAULT_LIMIT
    if not (value.isascii() and value.isdecimal() and len(value) < 10 and 1 <= int(value) <= MAX_LIMIT):
        raise _bad("limit", f"is {value[:40]!r}, it must be a number from 1 to {MAX_LIMIT}")
    return int(value)


def _bad(name: str, why: str, nearest: str = "") -> Refused:
    hint = f"; did you mean {nearest!r}?" if nearest else ""
    extra: dict[str, object] = {"nearest": nearest} if nearest else {}
    return Refused(f"the parameter {name} {why}{hint}", slug="bad-parameter", field=name, extra=extra)


def _unknown(name: str, also: Collection[str]) -> Refused:
    known = (*NAMES, *also)
    near = (get_close_matches(name.lower(), known, 1, 0.5) or [""])[0]
    hint = f"; did you mean {near!r}?" if near else f"; known: {', '.join((*FILTERS, 'q', *SINGLE, *sorted(also)))}"
    return Refused(
        f"there is no parameter {name[:100]!r}{hint}",
        slug="unknown-parameter",
        field=name[:100],
        extra={"nearest": near},
    )
