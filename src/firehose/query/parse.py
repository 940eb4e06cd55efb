"""Query text becomes a tree, or an error that knows its place.

In: text, the present moment (for `7d`), the known fields. Out: a `Node`, or `Refused` (400, `bad-query`, field `q`)
whose `extra` holds `position` (from 0, at most the text's length), `length` of the wrong piece and `nearest` (a known
field or word, "" if none is near). Time and memory are linear in the text, and the text is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Final

from lark import Lark, Token, Tree, UnexpectedInput
from lark.lexer import Lexer

from firehose.errors import Refused
from firehose.query import values
from firehose.query.scan import RANGE, scan, unescape
from firehose.query.scan import Token as Piece
from firehose.query.tree import DATA, FIELDS, Either, Everything, Node, Not, both

MAX_LENGTH: Final = 4_000
"""Longest query, in characters."""
MAX_PIECES: Final = 400
"""Most words, values, operators and parentheses of a query."""
MAX_DEPTH: Final = 30
"""Deepest nesting of parentheses."""
ALIASES: Final = {"seq": "sequence"}
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")


def parse(text: str, now: datetime, fields: Sequence[str] = FIELDS) -> Node:
    """The tree of a query; the empty text is `Everything`. `fields`: the names known here, besides `data.…`."""
    if len(text) > MAX_LENGTH:
        raise problem(f"the query has {len(text)} characters, at most {MAX_LENGTH} are read", text, MAX_LENGTH)
    stray = _SURROGATE.search(text)
    if stray:
        raise problem("this is half of a character", text, stray.start(), 1)
    pieces = scan(text)
    _check(text, pieces, fields)
    try:
        tree = _grammar.parse(text)
    except UnexpectedInput as error:
        raise _unexpected(text, pieces, error) from None
    top = tree.children[0] if tree.children else None
    return _Meaning(text, now).node(top, "") if isinstance(top, Tree) else Everything()


def problem(why: str, text: str, position: int, length: int = 0, nearest: str = "") -> Refused:
    """The error of a query: names the place (as people count, from 1) and the nearest known word."""
    hint = f" Did you mean {nearest!r}?" if nearest else ""
    where = f"at character {position + 1}" if position < len(text) else "at the end"
    return Refused(
        f"{why}, {where}.{hint}",
        slug="bad-query",
        field="q",
        extra={"position": min(position, len(text)), "length": length, "nearest": nearest},
    )


class _Scanned(Lexer):
    """Hands the tokens of `scan` to lark."""

    __future_interface__ = True

    def __init__(self, _conf: object) -> None:
        pass

    def lex(self, lexer_state: Any, parser_state: Any) -> Iterator[Token]:
        """One token after the other; the text is lark's slice of what `parse` was given."""
        for piece in scan(lexer_state.text.text):
            yield Token(piece.kind, piece.text, start_pos=piece.start, end_pos=piece.stop)


_grammar: Final = Lark.open(
    "grammar.lark", rel_to=__file__, parser="lalr", lexer=_Scanned, propagate_positions=False, maybe_placeholders=False
)


def known_field(name: str, fields: Sequence[str] = FIELDS) -> bool:
    """Whether a query may name this field."""
    if name.startswith(DATA):
        return all(name.split(".")[1:])
    return name in fields or name in values.SINCE_UNTIL or name in ALIASES


def nearest_field(name: str, fields: Sequence[str] = FIELDS) -> str:
    """The known field that is most like a name; "" when none is."""
    near = get_close_matches(name.lower(), [*fields, *values.SINCE_UNTIL, *ALIASES], 1)
    return near[0] if near else ""


def _check(text: str, pieces: Sequence[Piece], fields: Sequence[str]) -> None:
    depth = 0
    for count, piece in enumerate(pieces, 1):
        depth += (piece.kind == "OPEN") - (piece.kind == "CLOSE")
        if piece.kind == "BROKEN":
            raise problem(piece.why, text, piece.start, len(piece.text))
        if count > MAX_PIECES:
            raise problem(f"the query has more than {MAX_PIECES} parts", text, piece.start)
        if depth > MAX_DEPTH:
            raise problem(f"the parentheses nest deeper than {MAX_DEPTH}", text, piece.start, 1)
        if piece.kind == "FIELD" and not known_field(piece.text[:-1], fields):
            name = piece.text[:-1]
            raise problem(f"there is no field {name!r}", text, piece.start, len(name), nearest_field(name, fields))


def _unexpected(text: str, pieces: Sequence[Piece], error: UnexpectedInput) -> Refused:
    token: Any = getattr(error, "token", None)
    at_end = token is None or token.type == "$END"
    position = len(text) if at_end else int(token.start_pos)
    before = next((piece for piece in reversed(pieces) if piece.stop <= position), None)
    if before is not None and before.kind in ("FIELD", "COMPARE"):
        return problem(f"a value must follow {before.text!r} directly", text, before.stop)
    if at_end:
        still_open = _still_open(pieces)
        if still_open is not None:
            return problem(f"the '(' at character {still_open.start + 1} is never closed", text, position)
        return problem("something to look for must follow", text, position)
    return problem(f"{str(token)!r} cannot stand here", text, position, len(token))


def _still_open(pieces: Sequence[Piece]) -> Piece | None:
    opened: list[Piece] = []
    for piece in pieces:
        if piece.kind == "OPEN":
            opened.append(piece)
        elif piece.kind == "CLOSE":
            opened.pop()
    # With an operator or nothing before the end, what is missing is not the parenthesis.
    whole = pieces[-1:] and pieces[-1].kind in ("WORD", "QUOTED", "VALUE", "LITERAL", "RANGE", "CLOSE")
    return opened[-1] if opened and whole else None


class _Meaning:
    """Nodes of syntax trees. As deep as the parentheses, which are bounded."""

    def __init__(self, text: str, now: datetime) -> None:
        self.text = text
        self.now = now

    def node(self, tree: Tree[Any], field: str) -> Node:
        parts: Sequence[Any] = tree.children
        match str(tree.data):
            case "either":
                return either(*(self.node(part, field) for part in parts if isinstance(part, Tree)))
            case "both":
                return both(*(self.node(part, field) for part in parts if isinstance(part, Tree)))
            case "signed":
                return self._signed(parts, field)
            case "group":
                return self.node(parts[1], field)
            case "clause":
                name = str(parts[0])[:-1]
                return self.node(parts[1], ALIASES.get(name, name))
            case _:
                return self._leaf(parts, field)

    def _signed(self, parts: Sequence[Any], field: str) -> Node:
        node = self.node(parts[-1], field)
        negative = sum(part.type != "PLUS" for part in parts[:-1]) % 2
        return negation(node) if negative else node

    def _leaf(self, parts: Sequence[Token], field: str) -> Node:
        first, last = parts[0], parts[-1]
        raw = str(last)
        try:
            if first.type == "COMPARE":
                return _compared(field, str(first), unescape(raw), self.now)
            match last.type:
                case "WORD":
                    return values.text(raw)
                case "QUOTED" if not field:
                    return values.phrase(unescape(raw))
                case "QUOTED":
                    return values.quoted(field, unescape(raw), self.now)
                case "RANGE":
                    return _range(field, raw, self.now)
                case _:
                    return values.bare(field, raw, self.now)
        except values.Misread as misread:
            start = first.start_pos or 0
            length = (last.end_pos or 0) - start
            raise problem(misread.why, self.text, start, length, misread.nearest) from None


def either(*nodes: Node) -> Node:
    """At least one of the nodes, flattened; one `Everything` is enough for all."""
    parts: list[Node] = []
    for node in nodes:
        if isinstance(node, Everything):
            return node
        parts.extend(node.parts if isinstance(node, Either) else [node])
    return parts[0] if len(parts) == 1 else Either(tuple(parts))


def negation(node: Node) -> Node:
    """The opposite; twice is none."""
    return node.part if isinstance(node, Not) else Not(node)


def _compared(field: str, sign: str, bound: str, now: datetime) -> Node:
    included = (sign == ">=", sign == "<=")
    low, high = (bound, None) if sign[0] == ">" else (None, bound)
    # An open end counts as included, so that equal ranges are equal trees.
    return values.between(field, low, high, (included[0] or low is None, included[1] or high is None), now)


def _range(field: str, raw: str, now: datetime) -> Node:
    found = RANGE.fullmatch(raw)
    assert found is not None  # the scanner cut it by the same rule
    opening, low, _, high, closing = found.groups()
    ends = [None if bound == "*" else unescape(bound) for bound in (low, high)]
    included = (opening == "[" or ends[0] is None, closing == "]" or ends[1] is None)
    return values.between(field, ends[0], ends[1], included, now)
