"""What people keep at the hub: small documents (rules, places, mutes), and what they were told.

In: documents by drawer and key, notes of messages. Out: the same, durable when a call returns. One contract for SQLite
(a file of its own in the data folder) and PostgreSQL (tables beside the history). Calls block; `Papers` is for threads.
It knows no rule: a document is bytes with an owner.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from firehose.errors import Broken
from firehose.history.open import Address

FILE: Final = "notify.db"
SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS papers (drawer TEXT NOT NULL, name TEXT NOT NULL, owner TEXT NOT NULL, "
    "body TEXT NOT NULL, PRIMARY KEY (drawer, name))",
    "CREATE INDEX IF NOT EXISTS papers_owner ON papers (owner, drawer)",
    "CREATE TABLE IF NOT EXISTS papers_version (one INTEGER PRIMARY KEY, version BIGINT NOT NULL)",
    "INSERT INTO papers_version (one, version) VALUES (1, 1) ON CONFLICT (one) DO NOTHING",
    "CREATE TABLE IF NOT EXISTS told (place TEXT NOT NULL, sequence BIGINT NOT NULL, owner TEXT NOT NULL, "
    "message TEXT NOT NULL, time BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (place, sequence))",
    "CREATE INDEX IF NOT EXISTS told_owner ON told (owner, time)",
    "CREATE TABLE IF NOT EXISTS digests (place TEXT NOT NULL, schedule TEXT NOT NULL, first BIGINT NOT NULL, "
    "upto BIGINT NOT NULL, sent BIGINT NOT NULL, PRIMARY KEY (place, schedule, first))",
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Paper(msgspec.Struct, frozen=True):
    """A document: where it lies, whose it is, its text."""

    drawer: str
    name: str
    owner: str
    body: bytes


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An event that a place was told of, once: by which message, when, and what is worth remembering of it."""

    place: str
    sequence: int
    owner: str
    message: str
    time: datetime
    body: bytes = b"{}"


class Digest(msgspec.Struct, frozen=True):
    """A digest that was begun: the events from `first` to `upto`, both included. `sent`: the receiver has it."""

    first: int
    upto: int
    sent: bool


class Database(Protocol):
    """One connection of either kind. `run` inside of `transaction` only."""

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing; on disk when it ends. Errors: `TryLater`."""
        ...

    def run(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """A statement with `?` for values; the rows that it gives."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class Papers:
    """See the module. Every call is a transaction, and raises `TryLater` when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        with database.transaction():
            for statement in SCHEMA:
                database.run(statement)

    def version(self) -> int:
        """Another number after every change of a document, whoever made it."""
        with self._database.transaction():
            return int(self._database.run("SELECT version FROM papers_version")[0][0])

    def all(self, owner: str = "") -> list[Paper]:
        """Every document, or one owner's, in order of drawer and name."""
        where, values = ("WHERE owner = ?", (owner,)) if owner else ("", ())
        with self._database.transaction():
            rows = self._database.run(
                f"SELECT drawer, name, owner, body FROM papers {where} ORDER BY drawer, name",  # noqa: S608 - a constant
                *values,
            )
        return [Paper(drawer, name, whose, body.encode()) for drawer, name, whose, body in rows]

    def get(self, drawer: str, name: str) -> Paper | None:
        """A document, None when there is none."""
        with self._database.transaction():
            return self._get(drawer, name)

    def put(self, paper: Paper) -> None:
        """Keep a document, in place of the one before."""
        with self._database.transaction():
            self._put(paper)

    def drop(self, drawer: str, name: str) -> bool:
        """Throw a document away; False when there was none."""
        with self._database.transaction():
            found = self._database.run("DELETE FROM papers WHERE drawer = ? AND name = ? RETURNING name", drawer, name)
            self._stir()
        return bool(found)

    def change(self, drawer: str, name: str, how: Callable[[Paper], Paper | None]) -> Paper | None:
        """Read and write a document with nobody between; None when it is not there, or when `how` says no."""
        with self._database.transaction():
            # The counter's row is what writers wait for each other at.
            self._stir()
            found = self._get(drawer, name)
            made = how(found) if found is not None else None
            if made is not None:
                self._put(made)
            return made

    def known(self, place: str, sequences: Sequence[int]) -> set[int]:
        """Which of these events a place was told of."""
        found: set[int] = set()
        with self._database.transaction():
            for start in range(0, len(sequences), 500):
                some = sequences[start : start + 500]
                marks = ",".join("?" * len(some))
                rows = self._database.run(
                    f"SELECT sequence FROM told WHERE place = ? AND sequence IN ({marks})",  # noqa: S608 - question marks
                    place,
                    *some,
                )
                found.update(int(row[0]) for row in rows)
        return found

    def tell(self, entries: Sequence[Told], digest: tuple[str, Digest] | None = None) -> None:
        """Note what a place was told; with a digest's schedule and itself, that this one is done up to its end, which
        may be sooner than it was begun with, in one step."""
        with self._database.transaction():
            for told in entries:
                self._database.run(
                    "INSERT INTO told (place, sequence, owner, message, time, body) VALUES (?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT (place, sequence) DO NOTHING",
                    told.place, told.sequence, told.owner, told.message, _micros(told.time), told.body.decode(),
                )  # fmt: skip
            if digest is not None and entries:
                schedule, done = digest
                self._finish(entries[0].place, schedule, done)

    def recent(self, owner: str, *, after: datetime | None = None, limit: int = 50) -> list[Told]:
        """What somebody was told last, newest first."""
        with self._database.transaction():
            rows = self._database.run(
                "SELECT place, sequence, owner, message, time, body FROM told WHERE owner = ? AND time > ? "
                "ORDER BY time DESC, sequence DESC LIMIT ?",
                owner, _micros(after) if after else -1, limit,
            )  # fmt: skip
        return [
            Told(place=row[0], sequence=int(row[1]), owner=row[2], message=row[3],
                 time=_EPOCH + timedelta(microseconds=int(row[4])), body=row[5].encode())
            for row in rows
        ]  # fmt: skip

    def counts(self, owner: str, since: datetime) -> dict[str, int]:
        """How much each place was told since a moment."""
        with self._database.transaction():
            rows = self._database.run(
                "SELECT place, count(*) FROM told WHERE owner = ? AND time >= ? GROUP BY place", owner, _micros(since)
            )
        return {row[0]: int(row[1]) for row in rows}

    def begin(self, place: str, schedule: str, first: int, upto: int) -> Digest:
        """Fix the end of the digest that begins with an event. One that was begun before keeps the end it had, so
        that each try is the same message; one that reached past `first` and is sent counts for `first`, too."""
        with self._database.transaction():
            rows = self._database.run(
                "SELECT first, upto, sent FROM digests WHERE place = ? AND schedule = ? AND first <= ? AND upto >= ? "
                "ORDER BY first DESC LIMIT 1",
                place, schedule, first, first,
            )  # fmt: skip
            if rows:
                return Digest(int(rows[0][0]), int(rows[0][1]), bool(rows[0][2]))
            self._database.run(
                "INSERT INTO digests (place, schedule, first, upto, sent) VALUES (?, ?, ?, ?, 0)",
                place, schedule, first, upto,
            )  # fmt: skip
        return Digest(first, upto, False)

    def finish(self, place: str, schedule: str, digest: Digest) -> None:
        """A digest is done without anything to say."""
        with self._database.transaction():
            self._finish(place, schedule, digest)

    def forget(self, before: datetime, upto: int) -> None:
        """Throw away what was told before a moment, and digests that end before an event and are sent."""
        with self._database.transaction():
            self._database.run("DELETE FROM told WHERE time < ?", _micros(before))
            self._database.run("DELETE FROM digests WHERE upto < ? AND sent = 1", upto)

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def _finish(self, place: str, schedule: str, digest: Digest) -> None:
        self._database.run(
            "UPDATE digests SET sent = 1, upto = ? WHERE place = ? AND schedule = ? AND first = ?",
            digest.upto,
            place,
            schedule,
            digest.first,
        )

    def _get(self, drawer: str, name: str) -> Paper | None:
        rows = self._database.run("SELECT owner, body FROM papers WHERE drawer = ? AND name = ?", drawer, name)
        return Paper(drawer, name, rows[0][0], rows[0][1].encode()) if rows else None

    def _put(self, paper: Paper) -> None:
        self._stir()
        self._database.run(
            "INSERT INTO papers (drawer, name, owner, body) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (drawer, name) DO UPDATE SET owner = excluded.owner, body = excluded.body",
            paper.drawer, paper.name, paper.owner, paper.body.decode(),
        )  # fmt: skip

    def _stir(self) -> None:
        self._database.run("UPDATE papers_version SET version = version + 1")


def open_papers(settings: Address, data: Path) -> Papers:
    """The papers of a hub: beside a history in PostgreSQL, else in a file of their own in the data folder."""
    url = os.environ.get(settings.url_env, "") if settings.url_env else settings.url
    if settings.url_env and not url:
        raise Broken(f"history.url_env: the environment variable {settings.url_env} is not set", code=2)
    if url.startswith(("postgresql://", "postgres://")):
        # Imported here, so that a hub on SQLite does not hold the driver in memory.
        from firehose.history.papers_postgres import PostgresPapers

        return Papers(PostgresPapers(url))
    from firehose.history.papers_sqlite import SqlitePapers

    return Papers(SqlitePapers(data / FILE))


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
