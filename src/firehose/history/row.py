"""An event as the stores write it: columns, index terms, and the groups that it counts in.

In: `Recorded`. Out: `Row`. Both stores keep the same columns and the same terms, which is why they find the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final

import msgspec

from firehose.event import Recorded, identity
from firehose.history.marks import marks, terms

GROUPS: Final = ("source", "kind", "project", "actor", "outcome", "severity")
"""What counts can be grouped by; the roll-ups hold each of them, and the total under ""."""
HOUR: Final = 3_600_000_000
DAY: Final = 24 * HOUR
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Row(msgspec.Struct, frozen=True, gc=False):
    """One event. Times in microseconds since 1970. `groups` are the values of `GROUPS`, in that order. `body` is the
    packed frame."""

    sequence: int
    recorded: int
    time: int
    identity: bytes
    groups: tuple[str, ...]
    subject: str
    words: list[str]
    marks: list[str]
    body: bytes


def rows(events: Sequence[Recorded], bodies: Sequence[bytes]) -> list[Row]:
    """The events for the store, with their packed frames."""
    return [row(event, body) for event, body in zip(events, bodies, strict=True)]


def row(event: Recorded, body: bytes = b"") -> Row:
    """The event for the store."""
    envelope = event.envelope
    return Row(
        event.sequence,
        micros(event.recorded),
        micros(envelope.time),
        bytes.fromhex(identity(envelope.source, envelope.id)),
        (event.name, envelope.kind, envelope.project, envelope.actor, envelope.outcome, envelope.severity),
        envelope.subject,
        terms(event),
        marks(event),
        body,
    )


def tally(of: Sequence[Row]) -> dict[tuple[str, int, str, int], int]:
    """How many events each roll-up gains: (field, width in seconds, value, start in widths) -> n."""
    found: Counter[tuple[str, int, str, int]] = Counter()
    for hour, same in groupby(of, lambda row: row.recorded // HOUR):
        groups = [row.groups for row in same]
        for field, values in (("", ("",) * len(groups)), *zip(GROUPS, zip(*groups, strict=True), strict=True)):
            for value, n in Counter(values).items():
                found[field, 3600, value, hour] += n
                found[field, 86400, value, hour // 24] += n
    return found


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    passed = moment - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def moment(micros_: int) -> datetime:
    """The time that a number of microseconds stands for, UTC."""
    return _EPOCH + timedelta(microseconds=micros_)
