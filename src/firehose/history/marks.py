"""Index terms: one inverted index answers text and fields alike, in both stores.

In: an event. Out: its words as the index keeps them, and its marks: terms that no text can produce, one for each
value that people filter by (`_kchange_2e_merged`). A query of any number of filters is then one merge of posting
lists in the database, which stays quick when each filter alone is common and both together are rare.

Terms are ASCII: `a-z0-9` stand for themselves, any other character is `_<hex>_`. Character by character, so a prefix
of a value is a prefix of its term. Marks start with `_` and a letter beyond `f`, which no escape does.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Final

from firehose.event import Envelope, Recorded
from firehose.query.words import searchable

EVERY: Final = "_z"
"""The mark of every event: what a query of exclusions only starts from."""
NAME: Final = "g"
URI: Final = "h"
NOUN: Final = "n"
FOLDER: Final = "q"
REF: Final = "r"
FIELDS: Final = {
    "kind": "k", "type": "t", "project": "p", "actor": "w", "subject": "u", "outcome": "o", "severity": "s", "id": "i",
}  # fmt: skip
"""Fields with one value, and the letter of their marks."""
MOST: Final = 200
"""Characters of a term before it is cut; what was cut is told apart by a hash behind it."""
_OTHER: Final = re.compile(r"[^a-z0-9]")


def plain(text: str) -> str:
    """A text as the index spells it."""
    return _OTHER.sub(lambda found: f"_{ord(found[0]):x}_", text)


@lru_cache(maxsize=65_536)
def mark(letter: str, value: str) -> str:
    """The mark of a value. Long ones are cut, with a hash behind the cut."""
    term = plain(value)
    if len(term) > MOST:
        term = f"{term[:MOST]}_g{hashlib.blake2b(value.encode('utf-8', 'replace'), digest_size=12).hexdigest()}"
    return f"_{letter}{term}"


def start(letter: str, prefix: str) -> str:
    """What the marks of all values with a prefix start with; of more values when the prefix is very long."""
    return f"_{letter}{plain(prefix)[:MOST]}"


@lru_cache(maxsize=65_536)
def _often(name: str, uri: str, kind: str, type_: str, project: str) -> tuple[str, ...]:
    """The marks that many events share."""
    noun, dot, _ = kind.partition(".")
    levels = project.split("/")[:-1]
    return (
        EVERY,
        mark(NAME, name),
        mark(URI, uri),
        mark("k", kind),
        *([mark(NOUN, noun)] if dot else []),
        mark("t", type_),
        mark("p", project),
        *(mark(FOLDER, "/".join(levels[: depth + 1]) + "/") for depth in range(len(levels))),
    )


def marks(event: Recorded) -> list[str]:
    """All marks of an event, each once."""
    envelope = event.envelope
    found = [
        *_often(event.name, envelope.source, envelope.kind, envelope.type, envelope.project),
        mark("w", envelope.actor),
        mark("o", envelope.outcome),
        mark("s", envelope.severity),
        f"_u{_spell(envelope.subject)}",
        f"_i{_spell(envelope.id)}",
    ]
    found.extend(refs(envelope))
    return found


def refs(envelope: Envelope) -> list[str]:
    """The marks of what an event is tied to; an event without refs has the empty one."""
    return [f"_{REF}{_spell(ref)}" for ref in dict.fromkeys(envelope.refs.split(" "))]


def _spell(value: str) -> str:
    """As in `mark`, for values too various to remember."""
    return plain(value) if len(value) <= MOST // 8 else mark(REF, value)[2:]


def terms(event: Recorded) -> list[str]:
    """The words of an event in order, as the index spells them."""
    return [word if word.isascii() else plain(word) for word in searchable(event)]
