"""An event as the stores write it: columns, index terms, and the groups that it counts in.

In: `Recorded`. Out: `Row`. Both stores keep the same columns and the same terms, which is why they find the same.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from firehose.event import Recorded, identity
from firehose.history.marks import marks, terms

GROUPS: Final = ("source", "kind", "project", "actor", "outcome", "severity")
"""What counts can be grouped by; the roll-ups hold each of them, and the total under ""."""
HOUR: Final = 3_600_000_000
DAY: Final = 24 * HOUR
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Row(msgspec.Struct, frozen=True):
    """One event. Times in microseconds since 1970. `frame` is what the stream stored. `groups` are the values of
    `GROUPS`, in that order."""

    sequence: int
    recorded: int
    time: int
    identity: bytes
    groups: tuple[str, ...]
    subject: str
    words: list[str]
    marks: list[str]
    frame: bytes


def row(event: Recorded) -> Row:
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
        event.frame,
    )


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    passed = moment - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def moment(micros_: int) -> datetime:
    """The time that a number of microseconds stands for, UTC."""
    return _EPOCH + timedelta(microseconds=micros_)
