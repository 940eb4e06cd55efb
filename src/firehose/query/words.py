"""Searchable words: the one rule by which text becomes words, for live matching, SQLite and PostgreSQL alike.

A word is a run of letters and digits, lower case, accents kept, at most 64 characters. Both stores index exactly
these words, so a query finds the same events live and in the history.
"""

from __future__ import annotations

import re
from typing import Final

from firehose.event import Recorded

MOST: Final = 2_000
LONGEST: Final = 64
_ASCII: Final = bytes(byte if chr(byte).isalnum() and byte < 128 else 32 for byte in range(256))
_WORD: Final = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """The words of a text in order, at most `MOST`."""
    if text.isascii():
        # The same words, three times as fast: most text is ASCII, and the recorder does this for every event.
        found = text.lower().encode().translate(_ASCII).decode().split()
        if len(found) > MOST:
            del found[MOST:]
        return [word[:LONGEST] for word in found] if found and len(max(found, key=len)) > LONGEST else found
    return [word[:LONGEST] for word in _WORD.findall(text.lower())[:MOST]]


def searchable(event: Recorded) -> list[str]:
    """The words that a text search looks at: summary, project, subject, actor, then the source's own `text`.

    Stores index exactly these, in this order. The last part exists only where the whole frame does: an event that
    came back from a history has lost it, so a store must not sift text hits a second time.
    """
    envelope = event.envelope
    parts = (envelope.summary, envelope.project, envelope.subject, envelope.actor, event.private.text)
    return words("\n".join(parts))


def haystack(event: Recorded) -> str:
    """`searchable` as one text with a space around every word, made once per event."""
    if event.words is None:
        event.words = f" {' '.join(searchable(event))} "
    return event.words


def needle(sought: tuple[str, ...], *, prefix: bool) -> str:
    """What to look for in a haystack: whole words, but for the last one of a prefix."""
    return f" {' '.join(sought)}" if prefix else f" {' '.join(sought)} "
