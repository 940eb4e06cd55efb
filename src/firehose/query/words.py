"""Searchable words: the one rule by which text becomes words, for live matching, SQLite and PostgreSQL alike.

A word is a run of letters and digits, lower case, accents kept, at most 64 characters. Both stores index exactly
these words, so a query finds the same events live and in the history.
"""

from __future__ import annotations

import re
from typing import Final

MOST: Final = 2_000
_WORD: Final = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """The words of a text in order, at most `MOST`."""
    return [word[:64] for word in _WORD.findall(text.lower())[:MOST]]
