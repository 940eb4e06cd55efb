"""The books of a sink: what was sent, what failed, what is behind, and the state that follows from it.

In: what became of each try. Out: `SinkHealth` for `/v1/sinks`, `$meta/sinks` and the Sources page. The books travel
with the sink's position in the bus, so they survive a restart and any process can show them.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final, Literal

import msgspec

from firehose.plumbing import metrics
from firehose.sink import Outlet
from firehose.urls import place

State = Literal["healthy", "idle", "waiting", "away", "slowed", "disabled", "broken"]
DETAIL: Final = 500
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://.*", re.IGNORECASE | re.DOTALL)


class SinkTrouble(msgspec.Struct, frozen=True):
    """The last failure: when, the sentence, the message it happened to (its event's sequence, 0: none)."""

    time: datetime
    detail: str
    sequence: int = 0


class SinkHealth(msgspec.Struct, kw_only=True):
    """How a sink is. Counts are messages since `since`; `failed` counts tries, `dead` messages given up, `missed`
    events that the history had forgotten before they could be sent. `cursor`: everything up to it was looked at;
    `open`: messages on their way, `oldest` when the oldest of them came. `lag`: events between the stream's head and
    the oldest that is not settled."""

    name: str
    kind: str
    title: str
    family: str
    to: str = ""
    query: str = ""
    topics: tuple[str, ...] = ()
    state: State = "idle"
    why: str = ""
    since: datetime
    sent: int = 0
    failed: int = 0
    dead: int = 0
    missed: int = 0
    open: int = 0
    cursor: int = 0
    lag: int = 0
    oldest: datetime | None = None
    last_sent: datetime | None = None
    answer: str = ""
    trouble: SinkTrouble | None = None


class Books:
    """The mutable books of one sink. Counters start at zero, so that nothing is missing from `/metrics`."""

    def __init__(self, outlet: Outlet, now: datetime) -> None:
        kind, settings = outlet.kind, outlet.settings
        self.health = SinkHealth(
            name=outlet.name, kind=kind.name, title=kind.title, family=kind.family, to=shown(kind.to(settings)),
            query=settings.query, topics=settings.topics, since=now,
        )  # fmt: skip
        self.disabled = ""
        self.broken = ""
        self._sent = metrics.sink_messages.labels(outlet.name, "sent")
        self._failed = metrics.sink_messages.labels(outlet.name, "failed")
        self._dead = metrics.sink_messages.labels(outlet.name, "dead")
        self._lag = metrics.sink_lag.labels(outlet.name)
        self._seconds = metrics.sink_seconds.labels(outlet.name)

    def restore(self, kept: SinkHealth) -> None:
        """Take up counts that were kept; what the settings say now counts more than what they said then."""
        health = self.health
        health.since, health.sent, health.failed, health.dead = kept.since, kept.sent, kept.failed, kept.dead
        health.missed, health.last_sent, health.answer, health.trouble = (
            kept.missed, kept.last_sent, kept.answer, kept.trouble,
        )  # fmt: skip

    def sent(self, now: datetime, recorded: datetime, answer: str, count: int = 1) -> None:
        """Messages that the receiver has; `recorded` is when the newest event was stored."""
        self.health.sent += count
        self.health.last_sent = now
        self.health.answer = answer
        self.broken = ""
        self._sent.inc(count)
        self._seconds.observe(max(0.0, (now - recorded).total_seconds()))

    def failed(self, now: datetime, detail: str, sequence: int = 0) -> None:
        """A try that came to nothing."""
        self.health.failed += 1
        self.health.trouble = SinkTrouble(now, detail[:DETAIL], sequence)
        self._failed.inc()

    def dead(self, count: int = 1) -> None:
        """Messages that went to the dead letters."""
        self.health.dead += count
        self._dead.inc(count)

    def missed(self, now: datetime, count: int, detail: str) -> None:
        """Events that nobody can send any more."""
        self.health.missed += count
        self.health.trouble = SinkTrouble(now, detail[:DETAIL])

    def stand(self, cursor: int, behind: int, count: int, oldest: datetime | None) -> None:
        """Where the sink is: cursor, events behind the head, open messages, since when the oldest waits."""
        health = self.health
        health.cursor, health.lag, health.open, health.oldest = cursor, behind, count, oldest
        self._lag.set(behind)

    def judge(self, *, away: bool, slowed: bool, retrying: int) -> None:
        """The state, from what is known now."""
        health = self.health
        last = health.trouble.detail if health.trouble else ""
        if self.disabled:
            health.state, health.why = "disabled", self.disabled
        elif self.broken:
            health.state, health.why = "broken", self.broken
        elif away:
            health.state, health.why = "away", last
        elif slowed:
            health.state, health.why = "slowed", last
        elif retrying:
            health.state, health.why = "waiting", f"{retrying} to be tried again; last: {last}"
        elif health.last_sent is None:
            health.state, health.why = "idle", "nothing sent yet"
        else:
            health.state, health.why = "healthy", ""


def shown(address: str) -> str:
    """An address as everybody may see it: a URL it ends with loses login, query and path: secrets. So does one whose
    scheme was forgotten."""
    return _URL.sub(lambda found: place(found[0]), address) if "://" in address else place(address)
