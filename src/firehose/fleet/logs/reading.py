"""What the log room answers when somebody wants to read: lines around a number, counts. Pure but for the book.

In: a question as JSON, `{"first": …, "last": …}` or `{}`. Out: JSON. The log room runs where its store is; the web asks
it over the bus (`web/api/logs.py`), so that no other process opens the book.
"""

from __future__ import annotations

from typing import Final

import msgspec

from firehose.fleet.logs.book import Row
from firehose.fleet.logs.desk import Desk
from firehose.fleet.logs.digest import stamp
from firehose.fleet.logs.line import Tally

MOST: Final = 500
BYTES: Final = 700_000
"""Bytes of text in one answer; fewer lines are given then."""


class Question(msgspec.Struct, frozen=True):
    """Which lines, both numbers included; 0: none, only counts."""

    first: int = 0
    last: int = 0


class ShownLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line as readers get it."""

    number: int
    time: str
    severity: str
    host: str
    unit: str
    publisher: str
    file: str
    text: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept (`oldest`, `newest`, how many: `kept`), the asked-for lines, and all counts by publisher."""

    trust: str
    oldest: int
    newest: int
    kept: int
    keep_days: int
    lines: list[ShownLine] = msgspec.field(default_factory=list)
    counts: dict[str, Tally] = msgspec.field(default_factory=dict)


async def answer(desk: Desk, body: bytes) -> bytes:
    """The answer to one question."""
    question = msgspec.json.decode(body or b"{}", type=Question)
    oldest, newest, kept = await desk.in_book(desk.book.span)
    found: list[ShownLine] = []
    if question.last:
        last = min(question.last, question.first + MOST - 1)
        rows = await desk.in_book(lambda: desk.book.lines(question.first, last))
        size = 0
        for number, row in rows:
            size += len(row.text) * 2
            if size > BYTES and found:
                break
            found.append(shown(number, row))
    return msgspec.json.encode(
        Answer(
            trust=desk.settings.trust, oldest=oldest, newest=newest, kept=kept, keep_days=desk.settings.keep,
            lines=found, counts={} if question.last else desk.counts(),
        )
    )  # fmt: skip


def shown(number: int, row: Row) -> ShownLine:
    """A line of the book for a reader."""
    return ShownLine(
        number=number, time=stamp(row.time), severity=row.severity, host=row.host, unit=row.unit,
        publisher=row.publisher, file=row.file, text=row.text,
    )  # fmt: skip
