"""Index expressions as PostgreSQL tsqueries, and terms as tsvectors.

In: `compile.Index`, or an event's words and marks. Out: the text of a tsquery, or a tsvector in the binary form that
COPY takes. Each event also has the mark of its block of sequences, so that the index can be asked for a range of
sequences, newest blocks first, instead of for all matches at once.
"""

from __future__ import annotations

from functools import lru_cache
from operator import add
from struct import Struct, pack
from typing import Final

from firehose.history.compile import And, Every, Index, Or, Phrase

BLOCK: Final = 13
"""Bits of a sequence below the number of its block: 8,192 events."""
_MOST_POSITIONS: Final = 255
_MOST_WORDS: Final = 2_000
_COUNT: Final = Struct("!i")
_PLACES: Final = [pack("!xHH", 1, place).decode("latin-1") for place in range(1, _MOST_WORDS + 1)]
"""What follows the word at each place: its end, one position, which."""


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


def vector(words: str, marks: str) -> bytes:
    """A tsvector in its binary form: words with their positions, marks without; each term once, as PostgreSQL brings
    them into its order by itself. Both are ASCII with spaces between; there is at least one mark."""
    found = words.split(" ")[:_MOST_WORDS] if words else []
    # All in one text, since a call per term would be most of the work.
    placed = dict(zip(found, _PLACES, strict=False))
    if len(placed) < len(found):
        _repeat(found, placed)
    text = "".join(map(add, placed, placed.values())) + marks.replace(" ", "\0\0\0") + "\0\0\0"
    return _COUNT.pack(len(placed) + marks.count(" ") + 1) + text.encode("latin-1")


def _repeat(words: list[str], placed: dict[str, str]) -> None:
    """Note all places of the words that come more than once; `placed` has the last of each."""
    first: dict[str, int] = {}
    again: dict[str, list[int]] = {}
    for place, word in enumerate(words, 1):
        if first.setdefault(word, place) != place:
            again.setdefault(word, [first[word]]).append(place)
    for word, places in again.items():
        placed[word] = _several(*places[:_MOST_POSITIONS])


@lru_cache(maxsize=1_024)
def _several(*places: int) -> str:
    """What follows a word with several places."""
    return pack(f"!xH{len(places)}H", len(places), *places).decode("latin-1")
