"""Query text as tokens with their places: the one scanner for parsing, colouring and completing.

In: any text, broken or not. Out: tokens that cover everything but the white space; what cannot be read is a `BROKEN`
token with a reason, never an exception. Which fields exist and what values mean is not known here, but for the
fields whose value is literal up to the next space.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from firehose.query.tree import LITERAL

_SPACE: Final = re.compile(r"\s*")
_BARE: Final = re.compile(r'(?:\\.|[^\s()"\\]|\\\Z)+', re.DOTALL)
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_FIELD: Final = re.compile(r"[A-Za-z_][\w.\-@$]*:")
_RUN: Final = re.compile(r"\S+")
_COMPARE: Final = re.compile(r">=|<=|>|<")
_BOUND: Final = r'"(?:[^"\\]|\\.)*"|[^\s\]}"]+'
RANGE: Final = re.compile(rf"([\[{{])\s*({_BOUND})\s+(TO|to)\s+({_BOUND})\s*([\]}}])", re.DOTALL)
OPERATORS: Final = {"AND": "AND", "&&": "AND", "OR": "OR", "||": "OR", "NOT": "NOT"}
PREFIXES: Final = {"-": "MINUS", "!": "MINUS", "+": "PLUS"}


class Token(NamedTuple):
    """A piece of a query. `kind`: FIELD (with its colon), VALUE, LITERAL, WORD, QUOTED, RANGE, COMPARE, OPEN, CLOSE,
    AND, OR, NOT, MINUS, PLUS, BROKEN (then `why` says why). `start` counts characters from 0."""

    kind: str
    text: str
    start: int
    why: str = ""

    @property
    def stop(self) -> int:
        """The place after the last character."""
        return self.start + len(self.text)


def scan(text: str) -> list[Token]:
    """All tokens of a text, in order."""
    return _Scanner(text).run()


def unescape(text: str) -> str:
    """A bare or quoted piece without its backslashes (and quotes)."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.tokens: list[Token] = []
        # One entry per open parenthesis: whether it holds the values of a field.
        self.groups: list[bool] = []

    def run(self) -> list[Token]:
        while self._skip_space() < len(self.text):
            self._term(values=bool(self.groups and self.groups[-1]))
        return self.tokens

    def _skip_space(self) -> int:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.at

    def _put(self, kind: str, length: int, why: str = "") -> None:
        self.tokens.append(Token(kind, self.text[self.at : self.at + length], self.at, why))
        self.at += length

    def _term(self, *, values: bool) -> None:
        first, second = self.text[self.at], self.text[self.at + 1 : self.at + 2]
        if first == "(":
            self._open(values=values)
        elif first == ")":
            self._close()
        elif first == '"':
            self._quoted()
        elif first in PREFIXES and second and not second.isspace() and first + second != "+/" and second != ")":
            # In a group of topic filters, "+/" begins a filter.
            self._put(PREFIXES[first], 1)
        elif values:
            self._value("", operators=True)
        else:
            self._word()

    def _open(self, *, values: bool) -> None:
        self.groups.append(values)
        self._put("OPEN", 1)

    def _close(self) -> None:
        if self.groups:
            self.groups.pop()
            self._put("CLOSE", 1)
        else:
            self._put("BROKEN", 1, "this ')' closes nothing")

    def _quoted(self) -> None:
        found = _QUOTED.match(self.text, self.at)
        if found:
            self._put("QUOTED", len(found.group()))
        else:
            self._put("BROKEN", len(self.text) - self.at, "this quote is never closed")

    def _word(self) -> None:
        found = _BARE.match(self.text, self.at)
        assert found is not None  # every character starts one of the forms
        field = _FIELD.match(found.group())
        if found.group() in OPERATORS:
            self._put(OPERATORS[found.group()], len(found.group()))
        elif field:
            self._put("FIELD", len(field.group()))
            self._value(field.group()[:-1])
        else:
            self._put("WORD", len(found.group()))

    def _value(self, field: str, *, operators: bool = False) -> None:
        first = self.text[self.at : self.at + 1]
        if not first or first.isspace() or first == ")":
            return
        if first == '"':
            self._quoted()
        elif field in LITERAL:
            self._literal()
        elif first == "(":
            self._open(values=True)
        elif first in "[{":
            self._range()
        else:
            self._bare_value(operators=operators)

    def _bare_value(self, *, operators: bool) -> None:
        compare = _COMPARE.match(self.text, self.at)
        if compare:
            self._put("COMPARE", len(compare.group()))
            if self.text[self.at : self.at + 1] == '"':
                self._quoted()
                return
        found = _BARE.match(self.text, self.at)
        if found:
            kind = OPERATORS.get(found.group(), "VALUE") if operators and not compare else "VALUE"
            self._put(kind, len(found.group()))

    def _literal(self) -> None:
        found = _RUN.match(self.text, self.at)
        assert found is not None
        run = found.group()
        # Inside of a group, closing parentheses that the value did not open itself close the group.
        spare = min(run.count(")") - run.count("("), len(self.groups))
        while spare > 0 and run.endswith(")") and len(run) > 1:
            run, spare = run[:-1], spare - 1
        self._put("LITERAL", len(run))

    def _range(self) -> None:
        found = RANGE.match(self.text, self.at)
        if found:
            self._put("RANGE", len(found.group()))
            return
        broken = _RUN.match(self.text, self.at)
        length = len(broken.group()) if broken else 1
        self._put("BROKEN", length, "a range reads [from TO to], with * for an open end")
