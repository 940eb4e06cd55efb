"""Index terms: one inverted index answers text and fields alike, in both stores.

In: values of an event. Out: their marks: terms that no text can produce, one for each value that people filter by
(`_kchange_2e_merged`). A query of any number of filters is then one merge of posting lists in the database, which
stays quick when each filter alone is common and both together are rare.

Terms are ASCII: `a-z0-9` stand for themselves, any other character is `_<hex>_`. Character by character, so a prefix
of a value is a prefix of its term. Marks start with `_` and a letter beyond `f`, which no escape does.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

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


class _Spelling(dict[int, str]):
    """How each character is spelled, filled as characters come by."""

    def __missing__(self, character: int) -> str:
        spelled = chr(character) if chr(character) in "abcdefghijklmnopqrstuvwxyz0123456789" else f"_{character:x}_"
        self[character] = spelled
        return spelled


_SPELLING: Final = _Spelling()


def plain(text: str) -> str:
    """A text as the index spells it."""
    return text.translate(_SPELLING)


@lru_cache(maxsize=8_192)
def mark(letter: str, value: str) -> str:
    """The mark of a value. Long ones are cut, with a hash behind the cut."""
    term = plain(value)
    if len(term) > MOST:
        term = f"{term[:MOST]}_g{hashlib.blake2b(value.encode('utf-8', 'replace'), digest_size=12).hexdigest()}"
    return f"_{letter}{term}"


def start(letter: str, prefix: str) -> str:
    """What the marks of all values with a prefix start with; of more values when the prefix is very long."""
    return f"_{letter}{plain(prefix)[:MOST]}"


@lru_cache(maxsize=8_192)
def often(name: str, uri: str, kind: str, type_: str, project: str) -> str:
    """The marks that many events share, with a space between."""
    noun, dot, _ = kind.partition(".")
    levels = project.split("/")[:-1]
    return " ".join((
        EVERY,
        mark(NAME, name),
        *_mark(URI, uri),
        *_mark("k", kind),
        *([mark(NOUN, noun)] if dot else []),
        *_mark("t", type_),
        *_mark("p", project),
        *(mark(FOLDER, "/".join(levels[: depth + 1]) + "/") for depth in range(len(levels))),
    ))  # fmt: skip


@lru_cache(maxsize=8_192)
def who(actor: str, outcome: str, severity: str) -> str:
    """The marks of these three, each with a space before it."""
    return "".join(f" {one}" for one in (*_mark("w", actor), *_mark("o", outcome), *_mark("s", severity)))


def _mark(letter: str, value: str) -> tuple[str, ...]:
    """What is empty has no mark: hardly anybody asks for it, and it would be in most events."""
    return (mark(letter, value),) if value else ()


def own(id_: str, subject: str, refs: str) -> str:
    """The marks of an event's id, subject and refs, each once, each with a space before it."""
    spelled = _spell(subject)
    found = f" _u{spelled} _i{_spell_once(id_)}"
    if refs == subject:
        return f"{found} _{REF}{spelled}" if refs else found
    for ref in dict.fromkeys(refs.split(" ")) if refs else ():
        if ref:
            found += f" _{REF}{_spell(ref)}"
    return found


@lru_cache(maxsize=8_192)
def _spell(value: str) -> str:
    """A value without the letter of its mark."""
    return mark(REF, value)[2:] if len(value) > MOST // 8 else plain(value)


def _spell_once(value: str) -> str:
    """The same for values that hardly come again; most of them are hex digits."""
    if len(value) <= MOST and value.isascii() and value.isalnum() and value == value.lower():
        return value
    return value.translate(_SPELLING) if len(value) <= MOST // 8 else mark(REF, value)[2:]
