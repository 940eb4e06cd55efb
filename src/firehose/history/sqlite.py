"""The history in one SQLite file: WAL, fsync at every commit, one inverted index (FTS5) for text and fields.

In: recorded events. Out: what `store.py` promises. One writer at a time (a lock, and SQLite's own for other
processes), any number of readers, each thread with a connection of its own. It knows neither the bus nor the web.
A search walks windows of sequences and stops at its time limit with a cursor, so no question can hold a thread.
"""

from __future__ import annotations

import fcntl
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Final

from firehose.errors import TryLater
from firehose.event import Recorded
from firehose.history import match_fts, named
from firehose.history.compile import Index, Plan
from firehose.history.counting import Groups
from firehose.history.migrate import missing
from firehose.history.packing import SAMPLES
from firehose.history.row import Row
from firehose.history.sql import SqlStore

_BUSY_SECONDS: Final = 10.0


class SqliteStore(SqlStore):
    """See `store.Store`; the parameters are those of `sql.SqlStore`."""

    def __init__(self, path: Path | str, *, budget: float = 0.05, samples: int = SAMPLES) -> None:
        self._path = str(path)
        self._sql = named.load("queries_sqlite.sql")
        self._local = threading.local()
        self._opening = threading.Lock()
        self._connections: list[sqlite3.Connection] = []
        with _trouble():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._writer = self._connect()
            self._create()
        super().__init__(budget, samples)

    def known(self, identities: Sequence[str]) -> Mapping[str, int]:
        """See `store.Store.known`."""
        # One statement for all: each would let the interpreter's lock go, and wait for it while the hub is busy.
        if not identities:
            return {}
        found = self._all("known", bytes.fromhex("".join(identities)))
        return {identity.hex(): sequence for identity, sequence in found}

    def group_rows(self, wanted: Plan, low: int, high: int) -> Iterator[Groups]:
        """See `counting.Numbers.group_rows`."""
        match = match_fts.render(wanted.index)
        if match == "":
            return
        rows = self._rows("group_rows", low, high) if match is None else self._rows("group_matches", match, low, high)
        yield from ((found[0], found[1], found[2:]) for found in rows)

    def match_count(self, index: Index, low: int, high: int) -> int | None:
        """See `counting.Numbers.match_count`."""
        match = match_fts.render(index)
        if match == "":
            return 0
        counted: int = self._all("match_count", match or match_fts.EVERYTHING, low, high)[0][0]
        return counted

    def close(self) -> None:
        """See `store.Store.close`."""
        with self._lock, self._opening:
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    def _window(self, wanted: Plan, low: int, high: int, descending: bool, most: int) -> Iterator[Recorded]:
        match = match_fts.render(wanted.index)
        way = "down" if descending else "up"
        if match is None:
            found = self._rows(f"range_{way}", low, high, most)
        elif match:
            found = self._rows(f"match_{way}", match, low, high, most)
        else:
            return
        yield from map(self._event, found)

    def _insert(self, fresh: Sequence[Row]) -> None:
        self._many(
            "append_event",
            [(new.sequence, new.recorded, new.time, new.identity, *new.groups, new.subject, new.body) for new in fresh],
        )
        self._many("append_words", [(new.sequence, _terms(new)) for new in fresh])

    def _remove(self, gone: Sequence[Row]) -> None:
        self._many("drop_words", [(old.sequence, _terms(old)) for old in gone])
        self._many("forget_event", [(old.sequence,) for old in gone])

    def _many(self, name: str, values: list[tuple[Any, ...]]) -> None:
        """Insert many rows with few calls into the database; other statements run row by row.

        Each call gives up the interpreter's lock and must win it back, which beside a busy event loop takes up to
        5 ms: row by row, a batch would take seconds.
        """
        one = self._sql[name]
        head, _, rest = one.partition("values (")
        places, _, tail = rest.partition(")")
        done = 0
        for size in (2_000, 400, 50) if rest else ():
            many = f"{head}values {', '.join([f'({places})'] * size)}{tail}"
            while len(values) - done >= size:
                self._writer.execute(many, list(chain.from_iterable(values[done : done + size])))
                done += size
        self._writer.executemany(one, values[done:])

    def _do(self, name: str, *values: Any) -> list[Any]:
        return self._writer.execute(self._sql[name], values).fetchall()

    def _all(self, name: str, *values: Any) -> list[Any]:
        with _trouble():
            return self._reader().execute(self._sql[name], values).fetchall()

    def _rows(self, name: str, *values: Any) -> Iterator[Any]:
        with _trouble():
            cursor = self._reader().execute(self._sql[name], values)
        try:
            while True:
                with _trouble():
                    found = cursor.fetchmany(100)
                if not found:
                    return
                yield from found
        finally:
            cursor.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, _trouble():
            self._writer.execute("begin immediate")
            try:
                yield
                self._writer.execute("commit")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("rollback")
                raise

    def _reader(self) -> sqlite3.Connection:
        reader: sqlite3.Connection | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = self._connect()
            reader.execute("pragma query_only = 1")
        return reader

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        with self._opening:
            self._connections.append(connection)
        for pragma in ("synchronous = full", "cache_size = -32768", "temp_store = memory"):
            connection.execute(f"pragma {pragma}")
        return connection

    def _create(self) -> None:
        """The file and its schema, by one process at a time: several parts of a hub may start at once.

        SQLite does not wait where two connections switch a new file to WAL, it refuses; so a lock file stands before.
        """
        with Path(f"{self._path}-lock").open("a") as door:
            fcntl.flock(door, fcntl.LOCK_EX)
            self._writer.execute("pragma journal_mode = wal")
            self._writer.execute("create table if not exists migrations (name text primary key) without rowid")
            applied = [name for (name,) in self._writer.execute("select name from migrations")]
            for name, script in missing("sqlite", applied):
                self._writer.executescript(
                    f"begin immediate; {script}\ninsert into migrations values ('{name}'); commit;"
                )


def _terms(of: Row) -> str:
    return f"{of.words} {of.marks}"


@contextmanager
def _trouble() -> Iterator[None]:
    """A full disk, a lock held too long, a failing device: all of them may pass."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise TryLater(f"the history cannot be used now: {error}") from error
