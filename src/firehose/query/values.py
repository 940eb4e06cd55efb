"""What a value means in its field: exact, pattern, words, range, time. Shared by the query and the HTTP parameters.

In: a field and the text as typed. Out: a node, or `Misread` with the reason, to which the caller adds the place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Final

from firehose.event import OUTCOMES, SEVERITIES, rfc3339
from firehose.query import moments
from firehose.query.scan import unescape
from firehose.query.tree import DATA, LITERAL, Between, Everything, Filter, Is, Like, Node, Not, Text
from firehose.query.words import words
from firehose.subject import filter_problem

_PIECE: Final = re.compile(r"\\(.)|([*?])|([^\\*?]+|\\\Z)", re.DOTALL)
_SPECIAL: Final = re.compile(r"[\\?]")
_DIGITS: Final = re.compile(r"[0-9]{1,20}")
_ALWAYS: Final = ("id", "source", "type", "kind", "subject", "time", "topic", "sequence")
SINCE_UNTIL: Final = ("since", "until")
LISTED: Final = {"outcome": OUTCOMES, "severity": SEVERITIES}
"""Fields of few values."""
RANGED: Final = "ranges work on time, sequence, severity and data.…"


class Misread(Exception):
    """A value that its field cannot have. Never leaves the room: parse and params turn it into `Refused`."""

    def __init__(self, why: str, nearest: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.nearest = nearest


def bare(field: str, raw: str, now: datetime) -> Node:
    """A value as typed without quotes: backslashes escape, `*` and `?` are wildcards."""
    if field in LITERAL:
        return _literal(field, raw)
    special = _special(field, raw, now)
    if special is not None:
        return special
    wanted = pattern(raw)
    if wanted is None:
        return exactly(field, unescape(raw))
    if field == "summary" and wanted.endswith("*") and pattern(raw[:-1]) is None:
        return text(raw, field)
    return like(field, wanted)


def quoted(field: str, value: str, now: datetime) -> Node:
    """A value that stood in quotes: no wildcards."""
    if field not in LITERAL:
        special = _special(field, value, now)
        if special is not None:
            return special
    return exactly(field, value)


def exactly(field: str, value: str) -> Node:
    """The field is this value; `summary` holds these words."""
    if field == "topic":
        problem = filter_problem(value)
        if problem:
            raise Misread(problem)
        return Filter(value)
    if field == "summary" and value:
        return phrase(value, field)
    return Is(field, value)


def like(field: str, wanted: str) -> Node:
    """The field fits a pattern; one of `*` alone asks whether there is a value at all."""
    if wanted.strip("*") or field.startswith(DATA):
        return Like(field, wanted)
    return Everything() if field in _ALWAYS else Not(Is(field, ""))


def phrase(value: str, field: str = "") -> Text:
    """Words next to each other."""
    found = tuple(words(value))
    if not found:
        raise Misread("there is no letter or digit in it to search for")
    return Text(found, field=field)


def text(raw: str, field: str = "") -> Node:
    """A bare word of a query: words to search, with `*` allowed at the end."""
    wanted = pattern(raw)
    if wanted is None:
        return phrase(unescape(raw), field)
    if not wanted.strip("*"):
        return Everything()
    stem = wanted.rstrip("*")
    if not wanted.endswith("*") or pattern(stem) is not None:
        raise Misread("in words, '*' stands only at the end and '?' nowhere; quote it, or use a field such as summary:")
    plain = unescape(stem)
    return Text(phrase(plain).words, prefix=plain[-1:].isalnum(), field=field)


def pattern(raw: str) -> str | None:
    """The text as a pattern for `Like`; None when it has no wildcard. Stars in a row become one."""
    wild = False
    pieces: list[str] = []
    for escaped, wildcard, plain in _PIECE.findall(raw):
        wild = wild or bool(wildcard)
        if escaped:
            pieces.append(f"\\{escaped}" if escaped in "*?\\" else escaped)
        elif wildcard != "*" or pieces[-1:] != ["*"]:
            pieces.append(wildcard or plain.replace("\\", "\\\\"))
    return "".join(pieces) if wild else None


def between(field: str, low: str | None, high: str | None, included: tuple[bool, bool], now: datetime) -> Node:
    """A range; None is an open end."""
    if low is None and high is None:
        return like(field, "*")
    if field == "time":
        return _time_range(low, high, included, now)
    convert: Callable[[str], str]
    if field == "sequence":
        convert = sequence
    elif field == "severity":
        convert = _severity
    elif field.startswith(DATA):
        convert = str
    else:
        raise Misread(f"{field} has no order; {RANGED}")
    return Between(
        field,
        None if low is None else convert(low),
        None if high is None else convert(high),
        low_included=included[0],
        high_included=included[1],
    )


def moment(value: str, now: datetime) -> moments.Moment:
    """A point in time, or `Misread` that lists the forms."""
    found = moments.read(value, now)
    if found is None:
        raise Misread(f"{value!r} is not {moments.FORMS}")
    return found


def sequence(value: str) -> str:
    """A sequence as plain decimal digits."""
    if not _DIGITS.fullmatch(value) or int(value) >= 2**63:
        raise Misread(f"{value!r} is not a sequence; it has up to 20 digits and is below 2^63")
    return str(int(value))


def edge(word: str, value: str, now: datetime) -> Node:
    """`since` (included) and `until` (excluded) within a query: a time, a sequence, `earliest` or `latest`."""
    if value == "earliest":
        return Everything() if word == "since" else Not(Everything())
    digits = value.removeprefix("seq:")
    if digits != value or (len(value) == 20 and value.isdigit()):
        bound = sequence(digits)
        return Between("sequence", bound, None) if word == "since" else _before("sequence", bound)
    start = rfc3339(moment(value, now).start)
    return Between("time", start, None) if word == "since" else _before("time", start)


def _before(field: str, bound: str) -> Between:
    return Between(field, None, bound, high_included=False)


def _literal(field: str, raw: str) -> Node:
    if "*" not in raw:
        return Is(field, raw)
    return like(field, re.sub(r"\*+", "*", _SPECIAL.sub(r"\\\g<0>", raw)))


def _special(field: str, value: str, now: datetime) -> Node | None:
    if field in SINCE_UNTIL:
        return edge(field, value, now)
    if field == "topic" and "*" not in value:
        return exactly(field, value)
    if field == "time" and value != "*":
        found = moment(value, now)
        stop = found.stop
        if found.instant and not found.start.microsecond:
            stop = found.start + timedelta(seconds=1)
        return Between("time", rfc3339(found.start), rfc3339(stop), high_included=False)
    if field == "sequence" and value != "*":
        return Is("sequence", sequence(value))
    return None


def _time_range(low: str | None, high: str | None, included: tuple[bool, bool], now: datetime) -> Node:
    low_text, high_text = None, None
    low_included, high_included = included
    if low is not None:
        found = moment(low, now)
        # After a day means after its end; from an instant on, the instant itself is told apart by the bracket.
        whole = not found.instant and not low_included
        low_text = rfc3339(found.stop if whole else found.start)
        low_included = low_included or whole
    if high is not None:
        found = moment(high, now)
        whole = not found.instant and high_included
        high_text = rfc3339(found.stop if whole else found.start)
        high_included = high_included and not whole
    return Between("time", low_text, high_text, low_included=low_included, high_included=high_included)


def listed(field: str, raw: str) -> None:
    """`Misread` when the field never has this value. For those who ask now: what was kept long ago, such as a rule,
    must still be read, and then finds nothing."""
    known = LISTED.get(field)
    if known is not None and pattern(raw) is None:
        _listed(field, unescape(raw), known)


def _severity(value: str) -> str:
    _listed("severity", value, SEVERITIES)
    return value


def _listed(field: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        near = get_close_matches(value, known, 1)
        each = "an outcome" if field == "outcome" else f"a {field}"
        raise Misread(f"{value!r} is not {each}; they are {', '.join(known)}", near[0] if near else "")
