"""A tree as query text again: for chips that edit the query, saved addresses, and rules shown to people.

In: a `Node`. Out: text that `parse` reads as the same tree, whatever the moment (times are written out).
"""

from __future__ import annotations

import re
from typing import Final

from firehose.query.scan import OPERATORS, PREFIXES
from firehose.query.tree import LITERAL, All, Between, Either, Everything, Filter, Is, Like, Node, Not, Text

_PLAIN: Final = re.compile(r"[^\s()\"\\*?\[\]{}<>]+")
_RANGE_PLAIN: Final = re.compile(r"[^\s\]}\[{\"\\]+")


def write(node: Node) -> str:
    """The text of a tree; `Everything` is the empty text."""
    return "" if isinstance(node, Everything) else _write(node, inside=False)


def _write(node: Node, *, inside: bool) -> str:
    match node:
        case Everything():
            return "*"
        case All(parts):
            return _group(" ".join(_write(part, inside=True) for part in parts), inside=inside)
        case Either(parts):
            return _group(" OR ".join(_write(part, inside=not isinstance(part, All)) for part in parts), inside=inside)
        case Not(Is(field, "")) if field != "refs":
            return f"{field}:*"
        case Not(part):
            return f"-{_write(part, inside=True)}"
        case Text(words, prefix, field):
            return _text(words, prefix=prefix, field=field)
        case Is(field, value):
            return f"{field}:{_value(field, value)}"
        case Like(field, pattern):
            return f"{field}:{_pattern(field, pattern)}"
        case Filter(wanted):
            return f"topic:{wanted if _PLAIN.fullmatch(wanted) else quoted(wanted)}"
        case Between():
            return _between(node)
        case _:
            raise TypeError(f"no text for {node!r}")


def _group(text: str, *, inside: bool) -> str:
    return f"({text})" if inside else text


def _text(words: tuple[str, ...], *, prefix: bool, field: str) -> str:
    start = f"{field}:" if field else ""
    if prefix:
        # A dash keeps words apart and yet in one piece, which a star may end.
        return f"{start}{'-'.join(words)}*"
    plain = len(words) == 1 and words[0] not in OPERATORS
    return f"{start}{words[0]}" if plain else start + quoted(" ".join(words))


def _value(field: str, value: str) -> str:
    if field in LITERAL:
        plain = re.fullmatch(r'[^\s"()*][^\s()*]*', value) is not None
    else:
        plain = _PLAIN.fullmatch(value) is not None and value not in OPERATORS and value[0] not in PREFIXES
    return value if plain else quoted(value)


def _pattern(field: str, pattern: str) -> str:
    if field in LITERAL:
        # Literal but for the star: the backslashes that a pattern needs are not written.
        return re.sub(r"\\(.)", r"\1", pattern)
    return re.sub(r'[\s()"\[\]{}<>]', r"\\\g<0>", pattern)


def _between(node: Between) -> str:
    opening = "[" if node.low_included or node.low is None else "{"
    closing = "]" if node.high_included or node.high is None else "}"
    return f"{node.field}:{opening}{_bound(node.low)} TO {_bound(node.high)}{closing}"


def _bound(bound: str | None) -> str:
    if bound is None:
        return "*"
    return bound if _RANGE_PLAIN.fullmatch(bound) and bound != "*" else quoted(bound)


def quoted(text: str) -> str:
    """Text that `parse` reads as one value or phrase, whatever is in it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
