"""Schema migrations: which steps a store still needs.

In: the names that a store has applied. Out: the steps to run, in order. Steps come in two halves: `pre` runs before
new code and must suit the old one as well, `post` removes what the old code needed, once nothing old runs any more.
"""

from __future__ import annotations

from collections.abc import Collection

from firehose.errors import Broken
from firehose.history import named


def missing(dialect: str, applied: Collection[str]) -> list[tuple[str, str]]:
    """Steps that are not applied yet, as (name, script). `Broken` when the store is newer than this program."""
    steps = named.migrations(dialect)
    unknown = sorted(set(applied) - {name for name, _ in steps})
    if unknown:
        raise Broken(f"the history was written by a newer Firehose (it has {unknown[-1]}); run that one or a later one")
    return [(name, script) for name, script in steps if name not in applied]
