"""The ledger: every delivery under exactly one verdict, per source and hour, and what the last trouble was.

In: verdicts from the gate and the doors, states from connections. Out: `Health` per source for the Sources page,
`$meta/sources` and the doctor. It judges freshness by a pure rule (`state_of`) and keeps no payload but one sample of
the last failure, already redacted by the gate.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, Literal

import msgspec
from prometheus_client import Counter as PlainCounter

from firehose.plumbing import metrics

Verdict = Literal["event", "ignored", "duplicate", "unknown", "refused"]
VERDICTS: Final[tuple[Verdict, ...]] = ("event", "ignored", "duplicate", "unknown", "refused")
State = Literal["healthy", "quiet", "refusing", "down", "never"]
NOTHING_YET: Final = "no event yet"
HOURS: Final = 24
SAMPLE: Final = 2_000


class Trouble(msgspec.Struct, frozen=True):
    """A failure: when, the problem's slug, the sentence, up to 2,000 characters of the delivery."""

    time: datetime
    cause: str
    detail: str
    sample: str = ""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How a source is. Counts are since `since`; `hours` are events in the last 24 hours, oldest first, `failures`
    refused and unknown ones. `freshness` in seconds, 0 without limit. `proof` says how senders are verified,
    `connection` how the hub is connected, `gaps` what became of missed events."""

    name: str
    kind: str
    title: str
    family: str
    url: str = ""
    proof: str = ""
    connection: str = ""
    gaps: str = "not needed"
    state: State = "never"
    why: str = ""
    since: datetime
    last_event: datetime | None = None
    last_delivery: datetime | None = None
    freshness: int = 0
    verdicts: dict[str, int] = msgspec.field(default_factory=dict)
    hours: list[int] = msgspec.field(default_factory=list)
    failures: list[int] = msgspec.field(default_factory=list)
    trouble: Trouble | None = None


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of a source's books over a restart. since: when its counts began (None: written by a hub that did
    not say)."""

    verdicts: Mapping[str, int]
    by_hour: Mapping[int, Mapping[str, int]]
    last_event: datetime | None
    since: datetime | None = None


class Account:
    """The mutable books of one source."""

    def __init__(self, opening: Health) -> None:
        self.opening = opening
        self.verdicts: Counter[str] = Counter(dict.fromkeys(VERDICTS, 0))
        self.by_hour: dict[int, Counter[str]] = {}
        self.last_event: datetime | None = None
        self.last_delivery: datetime | None = None
        self.trouble: Trouble | None = None
        self.down = ""
        self.connection = opening.connection
        self.gaps = opening.gaps
        self.recent: deque[Verdict] = deque(maxlen=20)

    def health(self, now: datetime) -> Health:
        """The books as they stand."""
        hour = _hour(now)
        spans = range(hour - HOURS + 1, hour + 1)
        empty: Counter[str] = Counter()
        state, why = state_of(self, now)
        return msgspec.structs.replace(
            self.opening,
            connection=self.connection,
            gaps=self.gaps,
            state=state,
            why=why,
            last_event=self.last_event,
            last_delivery=self.last_delivery,
            verdicts=dict(self.verdicts),
            hours=[self.by_hour.get(span, empty)["event"] for span in spans],
            failures=[
                self.by_hour.get(span, empty)["refused"] + self.by_hour.get(span, empty)["unknown"] for span in spans
            ],
            trouble=self.trouble,
        )


class Ledger:
    """The books of all sources. Deliveries for a source that does not exist are booked under `unknown source`."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._accounts: dict[str, Account] = {}

    def open(self, opening: Health) -> None:
        """Start the books of a source; counters start at zero, so that nothing is missing from `/metrics`."""
        self._accounts[opening.name] = Account(opening)
        for verdict in VERDICTS:
            metrics.deliveries.labels(opening.name, verdict)

    def book(
        self, source: str, verdict: Verdict, *, count: int = 1, trouble: tuple[str, str, str] | None = None
    ) -> None:
        """One delivery (or `count` alike) under its verdict; `trouble` is cause, sentence, sample."""
        _counter(source if source in self._accounts else "", verdict).inc(count)
        if trouble is not None:
            metrics.refusals.labels(source if source in self._accounts else "", trouble[0]).inc(count)
        account = self._accounts.get(source)
        if account is None:
            return
        now = self._now()
        account.verdicts[verdict] += count
        account.recent.append(verdict)
        hour = _hour(now)
        if hour not in account.by_hour:
            account.by_hour[hour] = Counter()
            for old in [span for span in account.by_hour if span <= hour - HOURS]:
                del account.by_hour[old]
        account.by_hour[hour][verdict] += count
        account.last_delivery = now
        if verdict in ("event", "duplicate"):
            account.last_event = now
        if trouble is not None:
            account.trouble = Trouble(now, trouble[0], trouble[1], trouble[2][:SAMPLE])

    def connected(self, source: str, connection: str, *, down: str = "", gaps: str = "") -> None:
        """What a connection says of itself; `down` is why it is not there."""
        account = self._accounts.get(source)
        if account is not None:
            account.connection, account.down = connection, down
            account.gaps = gaps or account.gaps

    def report(self) -> list[Health]:
        """Every source, as it stands now."""
        now = self._now()
        return [account.health(now) for account in self._accounts.values()]

    def of(self, source: str) -> Health | None:
        """One source, or None."""
        account = self._accounts.get(source)
        return account.health(self._now()) if account else None

    def dump(self) -> bytes:
        """The counts, to be kept over a restart."""
        return msgspec.json.encode(
            {
                name: Kept(dict(account.verdicts), account.by_hour, account.last_event, account.opening.since)
                for name, account in self._accounts.items()
            }
        )

    def restore(self, dumped: bytes) -> None:
        """Take up counts that `dump` wrote; sources that are gone are left out."""
        kept = _books.decode(dumped)
        for name, books in kept.items():
            account = self._accounts.get(name)
            if account is not None:
                account.verdicts.update(books.verdicts)
                account.by_hour = {hour: Counter(counts) for hour, counts in books.by_hour.items()}
                account.last_event = books.last_event
                since = min(account.opening.since, books.since or account.opening.since)
                account.opening = msgspec.structs.replace(account.opening, since=since)

    def overhear(self, dumped: bytes) -> None:
        """What another process of this hub wrote into its books: a source that speaks there is not silent here."""
        for name, books in _books.decode(dumped).items():
            account = self._accounts.get(name)
            if account is not None and books.last_event is not None:
                account.last_event = max(books.last_event, account.last_event or books.last_event)


_books: Final = msgspec.json.Decoder(dict[str, Kept])


@lru_cache(maxsize=1_024)
def _counter(source: str, verdict: str) -> PlainCounter:
    # Looking a label set up takes a lock and two joins: more than the rest of the booking.
    return metrics.deliveries.labels(source, verdict)


def state_of(account: Account, now: datetime) -> tuple[State, str]:
    """The state of a source and the reason in words."""
    opening = account.opening
    if account.down:
        return "down", account.down
    if len(account.recent) >= 3 and list(account.recent)[-3:] == ["refused"] * 3 and account.trouble is not None:
        return "refusing", account.trouble.detail
    if account.last_event is None:
        return "never", opening.why or NOTHING_YET
    silent = now - account.last_event
    if opening.freshness and silent > timedelta(seconds=opening.freshness):
        return "quiet", f"silent for {int(silent.total_seconds())} s, limit {opening.freshness} s"
    return "healthy", ""


def proofs(checks: Mapping[str, str]) -> str:
    """How senders prove themselves, in words."""
    return ", ".join(checks.values()) or "none needed"


def _hour(moment: datetime) -> int:
    return int(moment.timestamp() // 3_600)
