"""Query text as coloured spans for the query box; works while a query is still broken.

In: any text, the known fields, the place of an error if there is one. Out: spans that together are the text, character
for character, each with one role. Which role has which colour is the style sheet's choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from firehose.query.parse import known_field
from firehose.query.scan import RANGE, Token, scan
from firehose.query.tree import FIELDS

_ROLES: Final = {
    "FIELD": "field",
    "VALUE": "value",
    "LITERAL": "value",
    "WORD": "word",
    "QUOTED": "quote",
    "COMPARE": "operator",
    "AND": "operator",
    "OR": "operator",
    "NOT": "operator",
    "MINUS": "neg",
    "PLUS": "operator",
    "OPEN": "paren",
    "CLOSE": "paren",
}


class Span(msgspec.Struct, frozen=True):
    """A piece of the text. `role`: field, value, quote, operator, neg, paren, word, space; `wrong`: it is (part of)
    an error."""

    text: str
    role: str
    wrong: bool = False


def ink(text: str, fields: Sequence[str] = FIELDS, *, position: int = -1, length: int = 0) -> list[Span]:
    """The spans of a text. `position` and `length` are those of a `bad-query` error; without them only what the
    scanner sees is marked as wrong."""
    spans: list[Span] = []
    at = 0
    for token in scan(text):
        if token.start > at:
            spans.append(Span(text[at : token.start], "space"))
        spans.extend(_spans(token, fields))
        at = token.stop
    if at < len(text):
        spans.append(Span(text[at:], "space"))
    return _mark(spans, position, position + length) if position >= 0 and length else spans


def _spans(token: Token, fields: Sequence[str]) -> list[Span]:
    if token.kind == "RANGE":
        return _range(token.text)
    if token.kind == "BROKEN":
        return [Span(token.text, "quote" if token.text.startswith('"') else "word", wrong=True)]
    unknown = token.kind == "FIELD" and not known_field(token.text[:-1], fields)
    return [Span(token.text, _ROLES[token.kind], wrong=unknown)]


def _range(text: str) -> list[Span]:
    found = RANGE.fullmatch(text)
    assert found is not None  # the scanner cut it by the same rule
    spans: list[Span] = []
    at = 0
    for group, role in enumerate(("paren", "value", "operator", "value", "paren"), 1):
        start, stop = found.span(group)
        if start > at:
            spans.append(Span(text[at:start], "space"))
        spans.append(Span(text[start:stop], role))
        at = stop
    return spans


def _mark(spans: list[Span], start: int, stop: int) -> list[Span]:
    """The spans with the error's place marked; a span that is wrong only in part is cut."""
    marked: list[Span] = []
    at = 0
    for span in spans:
        first = min(max(start - at, 0), len(span.text))
        last = min(max(stop - at, 0), len(span.text))
        pieces = ((0, first, span.wrong), (first, last, True), (last, len(span.text), span.wrong))
        marked.extend(Span(span.text[a:b], span.role, wrong) for a, b, wrong in pieces if a < b)
        at += len(span.text)
    return marked
