"""Index expressions as PostgreSQL tsqueries, and terms as tsvectors.

In: `compile.Index`, or an event's words and marks. Out: the text of a tsquery, or a tsvector in the binary form that
COPY takes. Each event also has the mark of its block of sequences, so that the index can be asked for a range of
sequences, newest blocks first, instead of for all matches at once.
"""

from __future__ import annotations

from struct import pack
from typing import Final

from firehose.history.compile import And, Every, Index, Or, Phrase

BLOCK: Final = 13
"""Bits of a sequence below the number of its block: 8,192 events."""
_MOST_POSITIONS: Final = 255
_MOST_WORDS: Final = 16_383


def block_mark(block: int) -> str:
    """The mark of all events in a block."""
    return f"_j{block:x}"


def blocks(low: int, high: int) -> str:
    """The tsquery of all blocks that hold sequences between two, inclusive."""
    return " | ".join(block_mark(block) for block in range(low >> BLOCK, (high >> BLOCK) + 1))


def render(index: Index) -> str | None:
    """The tsquery; None when every event fits, "" when none can. Terms are ASCII letters, digits and `_`."""
    match index:
        case Every():
            return None
        case Or(()):
            return ""
        case Phrase(terms, prefix):
            return f"({' <-> '.join(terms)}{':*' if prefix else ''})"
        case And(parts, without):
            asked = [text for part in parts if (text := render(part)) is not None]
            asked += [f"!{text}" for part in without if (text := render(part))]
            if "" in asked or any(render(part) is None for part in without):
                return ""
            return f"({' & '.join(asked)})" if asked else None
        case Or(parts):
            found = [text for part in parts if (text := render(part)) != ""]
            if None in found:
                return None
            return f"({' | '.join(text for text in found if text)})" if found else ""
        case _:
            raise TypeError(f"no tsquery for {index!r}")


def only_excludes(index: Index) -> bool:
    """Whether an expression has a branch without any term to look up, which the index could only answer in full."""
    match index:
        case And(parts, _):
            return not any(not only_excludes(part) for part in parts)
        case Or(parts):
            return any(map(only_excludes, parts))
        case Every():
            return True
        case _:
            return False


def vector(words: list[str], marks: list[str]) -> bytes:
    """A tsvector in its binary form: each term once, in order, words with their positions."""
    places: dict[str, list[int]] = {}
    for position, word in enumerate(words[:_MOST_WORDS], 1):
        at = places.get(word)
        if at is None:
            places[word] = [position]
        elif len(at) < _MOST_POSITIONS:
            at.append(position)
    parts = [pack("!i", len(places) + len(marks))]
    entries = [(term, pack(f"!H{len(at)}H", len(at), *at)) for term, at in places.items()]
    entries += [(term, b"\0\0") for term in marks]
    entries.sort()
    for term, positions in entries:
        parts += (term.encode(), b"\0", positions)
    return b"".join(parts)
