"""Many rows of one cause as one: what the builds of a run say at once takes a line, and opens in place.

In: recorded events with their rows, newest first. Out: the same list, where at least `LEAST` rows of one kind and one
cause that were recorded within `WITHIN` seconds are a `Batch`. `static/js/feed.js` does the same for what arrives live.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import msgspec

from firehose.event import Recorded
from firehose.web.pages.rows import Row

LEAST: Final = 4
WITHIN: Final = timedelta(seconds=2)
MARKS: Final = 40
MANY: Final = {
    "taskrun": "jobs",
    "pipelinerun": "pipelines",
    "environment": "nodes",
    "change": "changes",
    "ticket": "tickets",
    "comment": "comments",
    "artifact": "artifacts",
    "service": "services",
}
_STATES: Final = {"ok": "ok", "bad": "bad", "run": "run"}


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one cause, newest first. `head` is the row as which they are seen, `marks` (state, x) make the strip."""

    head: Row
    rows: list[Row]
    marks: list[tuple[str, int]]
    width: int
    many: str
    cause: str
    counts: str


def fold(events: Sequence[Recorded], rows: Sequence[Row]) -> list[Row | Batch]:
    """The list with its batches, each where its newest row stood."""
    causes = [cause(row) for row in rows]
    taken: set[int] = set()
    folded: list[Row | Batch] = []
    for at, row in enumerate(rows):
        if at in taken:
            continue
        same = [at]
        if causes[at]:
            oldest = events[at].recorded - WITHIN
            for other in range(at + 1, len(rows)):
                if events[other].recorded < oldest:
                    break
                if causes[other] == causes[at] and other not in taken:
                    same.append(other)
        if len(same) < LEAST:
            folded.append(row)
            continue
        taken.update(same)
        folded.append(batch([rows[one] for one in same]))
    return folded


def cause(row: Row) -> str:
    """The kind and what it belongs to; "" when it belongs to nothing. An event's own subject is no cause."""
    refs = belongs(row)
    return f"{row.kind} {' '.join(refs[:2])}" if refs else ""


def belongs(row: Row) -> list[str]:
    """What the row's event belongs to beside itself."""
    return [ref for ref in row.refs.split() if ref != row.subject]


def batch(rows: list[Row]) -> Batch:
    """One line for rows of one cause."""
    newest = rows[0]
    failed = sum(row.state == "bad" for row in rows)
    passed = sum(row.state == "ok" for row in rows)
    worst = next((row for row in rows if row.state == "bad"), newest)
    rest = Counter(row.outcome for row in rows if row.state in ("skip", "warn"))
    parts = [passed and f"{passed} passed", failed and f"{failed} failed", *(f"{n} {word}" for word, n in rest.items())]
    counts = ", ".join(part for part in parts if part)
    shown, refs = rows[:MARKS][::-1], belongs(newest)
    return Batch(
        head=msgspec.structs.replace(newest, state=worst.state, icon=worst.icon, outcome=worst.outcome),
        rows=rows,
        marks=[(_STATES.get(row.state, "none"), at * 8) for at, row in enumerate(shown)],
        width=len(shown) * 8 - 2,
        many=MANY.get(newest.noun, "events"),
        cause=next((ref for ref in refs if any(sign in ref for sign in "~#!")), refs[0]),
        counts=counts or newest.predicate,
    )
