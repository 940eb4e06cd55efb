"""What a connection's silence and gaps mean: pure decisions, and the events that the hub publishes about a source.

In: times, limits, what a recovery said. Out: whether to raise an alarm, and `incident.detected` / `incident.resolved`
events with the source itself as their subject. Ids come from the times that the state keeps, so a decision that is
taken again after a crash is the same event.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

from firehose.event import Event, fingerprint
from firehose.source import Gap

TRIES: Final = 8
TYPE: Final = "org.infra-firehose.source."


class Owed(msgspec.Struct, frozen=True, omit_defaults=True):
    """A gap that is still to be recovered: its span, the cursor before it, how often that was tried in vain."""

    since: datetime
    until: datetime
    cursor: str = ""
    tries: int = 0

    def gap(self) -> Gap:
        """As the source takes it."""
        return Gap(self.since, self.until, self.cursor)


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of an address that is polled: how its last answer is named in a conditional request, digests of
    what that held, and whether the server said that it is gone for good."""

    etag: str = ""
    modified: str = ""
    held: tuple[str, ...] = ()
    gone: bool = False


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a connection keeps over restarts. cursor: the source's own. seen: the last line, or the first connection.
    owed: see `Owed`. silent: since when an alarm is raised. marks: by address, what is polled."""

    cursor: str = ""
    seen: datetime | None = None
    owed: Owed | None = None
    silent: datetime | None = None
    marks: dict[str, Mark] = {}


def owe(state: State, now: datetime, before: State | None = None) -> State:
    """The state with a gap to recover, from the last line (of the state `before`) until now; an older gap is widened,
    never forgotten."""
    earlier = before or state
    if state.owed is not None:
        owed = msgspec.structs.replace(state.owed, until=now, tries=0)
    else:
        owed = Owed(earlier.seen or now, now, earlier.cursor)
    return msgspec.structs.replace(state, owed=owed)


def overdue(state: State, heard: datetime, freshness: int, now: datetime) -> bool:
    """Whether the silence since `heard` is to be raised as an alarm now."""
    return bool(freshness) and state.silent is None and now - heard >= timedelta(seconds=freshness)


def retry_after(tries: int) -> timedelta:
    """How long an owed recovery waits after it failed: 5 s, doubling, at most 10 minutes."""
    return timedelta(seconds=min(600, 5 * 2**tries))


def silent(name: str, url: str, since: datetime, now: datetime, answers: bool) -> Event:
    """The alarm."""
    told = "the server still answers" if answers else "the server does not answer"
    summary = f"Source {name} has been silent for {_seconds(since, now)} s; {told}"
    return _about(name, url, ("silent", since, now), ("incident.detected", "failure", "error"), summary)


def heard(name: str, url: str, since: datetime, now: datetime) -> Event:
    """The end of the alarm."""
    summary = f"Source {name} speaks again after {_seconds(since, now)} s"
    return _about(name, url, ("heard", since, now), ("incident.resolved", "success", "info"), summary)


def lost(name: str, url: str, owed: Owed, why: str) -> Event:
    """A gap that nothing brought back."""
    span = f"{owed.since:%Y-%m-%d %H:%M:%S} to {owed.until:%Y-%m-%d %H:%M:%S} UTC"
    summary = f"Source {name} may have missed events from {span}: {why}"
    return _about(name, url, ("gap", owed.since, owed.until), ("incident.detected", "failure", "error"), summary)


def _seconds(since: datetime, now: datetime) -> int:
    return int((now - since).total_seconds())


def _about(
    name: str, url: str, what: tuple[str, datetime, datetime], rank: tuple[str, str, str], summary: str
) -> Event:
    word, since, until = what
    kind, outcome, severity = rank
    data = {"source": name, "since": since, "until": until, "what": word}
    return Event(
        id=fingerprint(word, name, since.isoformat()),
        source=url or f"urn:firehose:{name}",
        type=TYPE + word,
        kind=kind,
        subject=f"source/{name}",
        time=until,
        summary=summary,
        outcome=outcome,
        severity=severity,
        data=msgspec.json.encode(data),
    )
