"""Index expressions as FTS5 match strings.

In: `compile.Index`. Out: the text for `terms match ?`. Terms are ASCII words without quotes (see `marks.py`), so
nothing needs to be escaped; values are bound all the same.
"""

from __future__ import annotations

from typing import Final

from firehose.history import marks
from firehose.history.compile import And, Every, Index, Or, Phrase

EVERYTHING: Final = f'"{marks.EVERY}"'


def render(index: Index) -> str | None:
    """The match string; None when every event fits, "" when none can."""
    match index:
        case Every():
            return None
        case Or(()):
            return ""
        case _:
            return _text(index)


def _text(index: Index) -> str:
    match index:
        case Phrase(terms, prefix):
            return f'"{" ".join(terms)}"' + (" *" if prefix else "")
        case And(parts, without):
            # FTS5 has no "everything but", so exclusions alone start from the mark that every event has.
            kept = " AND ".join(f"({_text(part)})" for part in parts) or f'"{marks.EVERY}"'
            dropped = " OR ".join(f"({_text(part)})" for part in without if part != Or(()))
            return f"({kept}) NOT ({dropped})" if dropped else kept
        case Or(parts):
            # An expression that finds nothing: every event has the mark, so nothing is left.
            return " OR ".join(f"({_text(part)})" for part in parts) or f'("{marks.EVERY}" NOT "{marks.EVERY}")'
        case _:
            return f'"{marks.EVERY}"'
