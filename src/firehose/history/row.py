"""An event as the stores write it: columns, index terms, and the groups that it counts in.

In: `Recorded`. Out: `Row`. Both stores keep the same columns and the same terms, which is why they find the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from itertools import groupby
from typing import Final

import msgspec
import structlog

from firehose.event import Recorded, digest, rfc3339
from firehose.history.marks import often, own, plain, who
from firehose.plumbing import metrics
from firehose.query.words import words
from firehose.subject import source_of

log = structlog.get_logger(__name__)

GROUPS: Final = ("source", "kind", "project", "actor", "outcome", "severity")
"""What counts can be grouped by; the roll-ups hold each of them, and the total under ""."""
HOUR: Final = 3_600_000_000
DAY: Final = 24 * HOUR
_MINUTES: Final = [b"%02d:%02d:" % divmod(minute, 60) for minute in range(1_440)]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Row(msgspec.Struct, gc=False):
    """One event. Times in microseconds since 1970. `groups` are the values of `GROUPS`, in that order. `words` and
    `marks` are its index terms with spaces between. `body` is the packed frame. `ready`: the dialect's own form of
    all this, made while the database writes the rows before."""

    sequence: int
    recorded: int
    time: int
    identity: bytes
    groups: tuple[str, ...]
    subject: str
    words: str
    marks: str
    body: bytes
    ready: bytes = b""


class _Seen(msgspec.Struct, frozen=True, gc=False):
    """What of an envelope the columns and the index need: the payload is passed over, which is most of the work."""

    id: str
    source: str
    type: str
    kind: str
    subject: str
    time: datetime
    topic: str
    project: str = ""
    actor: str = ""
    summary: str = ""
    outcome: str = ""
    severity: str = ""
    refs: str = ""


class _Text(msgspec.Struct, frozen=True, gc=False):
    """The private line's part of the index."""

    text: str = ""


_decode: Final = msgspec.json.Decoder(_Seen).decode
_private: Final = msgspec.json.Decoder(_Text).decode
_name: Final = lru_cache(maxsize=4_096)(source_of)


def rows(events: Sequence[Recorded], pack: Callable[[Sequence[bytes]], Sequence[bytes]]) -> list[Row]:
    """The events for the store, their frames packed by `pack`. A frame that is no event (a foreign hand wrote to the
    stream) is left out and told: it must not keep everything after it from being recorded."""
    try:
        return list(map(row, events, pack([event.frame for event in events])))
    except ValueError:
        sound = list(filter(readable, events))
        return list(map(row, sound, pack([event.frame for event in sound])))


def readable(event: Recorded) -> bool:
    """Whether a frame is an event; what is not is logged and counted."""
    try:
        row(event)
    except ValueError as problem:
        metrics.unreadable.inc()
        log.error("a frame in the stream is no event and is not recorded", sequence=event.sequence, cause=str(problem))
        return False
    return True


def row(event: Recorded, body: bytes = b"") -> Row:
    """The event for the store, in one pass: this is done for every event, and its time is the recorder's rate."""
    frame = event.frame
    cut = frame.index(b"\n")
    seen = _decode(memoryview(frame)[cut + 1 :])
    text = "" if cut == 2 else _private(frame[:cut]).text
    name, subject, project, actor = _name(seen.topic), seen.subject, seen.project, seen.actor
    kind, outcome, severity = seen.kind, seen.outcome, seen.severity
    return Row(
        event.sequence,
        micros(event.recorded),
        micros(seen.time),
        digest(seen.source, seen.id),
        (name, kind, project, actor, outcome, severity),
        subject,
        terms(f"{seen.summary}\n{project}\n{subject}\n{actor}\n{text}"),
        often(name, seen.source, kind, seen.type, project) + who(actor, outcome, severity)
        + own(seen.id, subject, seen.refs),
        body,
    )  # fmt: skip


def terms(text: str) -> str:
    """The words of a text in order, as the index spells them."""
    found = " ".join(words(text))
    return found if found.isascii() else " ".join(map(plain, found.split(" ")))


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


class Kept(Recorded):
    """An event out of a store: its time of recording stays a number until somebody asks, since a replay only writes
    it down."""

    def __init__(self, sequence: int, recorded: int, frame: bytes) -> None:
        self.sequence = sequence
        self.frame = frame
        self._micros = recorded

    @cached_property
    def recorded(self) -> datetime:  # type: ignore[override]
        """When the stream stored it, UTC."""
        return moment(self._micros)

    @property
    def stamp(self) -> bytes:
        """See `Recorded.stamp`."""
        minutes, rest = divmod(self._micros, 60_000_000)
        day, minute = divmod(minutes, 1_440)
        return b"%b%b%02d.%06dZ" % (_day(day), _MINUTES[minute], rest // 1_000_000, rest % 1_000_000)


@lru_cache(maxsize=1_024)
def _day(days: int) -> bytes:
    """The part of a timestamp that all events of one day share, up to the `T`."""
    return rfc3339(moment(days * DAY))[:11].encode()


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    passed = moment - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


@lru_cache(maxsize=16_384)
def moment(micros_: int) -> datetime:
    """The time that a number of microseconds stands for, UTC."""
    return _EPOCH + timedelta(microseconds=micros_)
