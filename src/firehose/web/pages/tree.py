"""A payload as a tree that folds, written like JSON; everything bounded, everything escaped.

In: decoded JSON values. Out: HTML of nested `<details>`, which work without scripts. What is too much is said in
numbers and left to the raw view.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from markupsafe import Markup, escape

MOST: Final = 1_500
"""Most values of one tree."""
LONGEST: Final = 2_000
"""Longest text of one value."""
OPEN_DEPTH: Final = 2
SMALL: Final = 4
_TURNING: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that turn the direction of what follows and are not seen themselves."""
REDACTED: Final = "redacted@redacted.invalid"


class _Writer:
    def __init__(self) -> None:
        self.left = MOST
        self.parts: list[str] = []

    def value(self, value: Any, depth: int, head: str, tail: str) -> None:
        self.left -= 1
        pad = "  " * depth
        if isinstance(value, dict) and value:
            self.group(
                [(f"{_text(str(name), 'tok-k')}: ", item) for name, item in value.items()], "{}", depth, head, tail
            )
        elif isinstance(value, list) and value:
            self.group([("", item) for item in value], "[]", depth, head, tail)
        else:
            self.parts.append(f"{pad}{head}{leaf(value)}{tail}\n")

    def group(self, items: list[tuple[str, Any]], signs: str, depth: int, head: str, tail: str) -> None:
        pad = "  " * depth
        noun = "fields" if signs == "{}" else "items"
        opened = " open" if depth < OPEN_DEPTH or len(items) <= SMALL else ""
        count = f"{len(items)} {noun if len(items) > 1 else noun[:-1]}"
        fold = f'<span class="fold"> {count} {signs[1]}{tail}</span>'
        self.parts.append(f"<details{opened}><summary>{pad}{head}{signs[0]}{fold}</summary>")
        for at, (name, item) in enumerate(items):
            if self.left <= 0:
                self.parts.append(f'{pad}  <span class="tok-c">{len(items) - at} more, see Raw</span>\n')
                break
            self.value(item, depth + 1, name, "," if at < len(items) - 1 else "")
        self.parts.append(f"{pad}{signs[1]}{tail}</details>")


def leaf(value: Any) -> str:
    """A value without parts."""
    if isinstance(value, str):
        if value == REDACTED:
            return '<span class="tok-c">redacted on the public stream</span>'
        cut = f'<span class="tok-c"> {len(value) - LONGEST} more characters</span>' if len(value) > LONGEST else ""
        return _text(value[:LONGEST], "tok-s") + cut
    if value is None or isinstance(value, bool):
        return f'<span class="tok-o">{json.dumps(value)}</span>'
    if isinstance(value, (int, float)):
        return f'<span class="tok-n">{json.dumps(value)}</span>'
    return json.dumps(value)


def tree(value: Any) -> Markup:
    """The tree of a decoded payload."""
    writer = _Writer()
    writer.value(value, 0, "", "")
    return Markup("".join(writer.parts))  # noqa: S704


def _text(text: str, name: str) -> str:
    written = _TURNING.sub(lambda sign: f"\\u{ord(sign.group()):04x}", json.dumps(text, ensure_ascii=False))
    return f'<span class="{name}">{escape(written)}</span>'
