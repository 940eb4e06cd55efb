"""The history in PostgreSQL 15 or later: COPY in, one inverted index (GIN over a tsvector), a partition a month.

In: recorded events. Out: what `store.py` promises, exactly as SQLite gives it. One writer at a time, by a row lock;
any number of readers, each thread with a connection of its own, opened again after a break. GIN cannot answer "the
newest hundred", so a search first looks at the newest events one by one and then asks for more and more blocks.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from struct import Struct
from typing import Any, Final

import psycopg

from firehose.errors import Broken, TryLater
from firehose.event import Recorded
from firehose.history import match_ts, named
from firehose.history.compile import Plan
from firehose.history.counting import Groups
from firehose.history.migrate import missing
from firehose.history.packing import SAMPLES
from firehose.history.row import HOUR, Row, micros, moment
from firehose.history.sql import SqlStore

NEAR: Final = 1_000
"""Events that a search looks at one by one before it asks the index."""
_LOCK: Final = 0x46495245
_OPTIONS: Final = "-c jit=off -c enable_seqscan=off -c work_mem=32MB -c statement_timeout=60000"
_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_NUMBERS: Final = Struct("!hiqiqiqi")
_LENGTH: Final = Struct("!i")


class PostgresStore(SqlStore):
    """See `store.Store`. `url` is libpq's; the database must exist, the schema is made here."""

    def __init__(self, url: str, *, budget: float = 0.05, samples: int = SAMPLES) -> None:
        self._url = url
        self._sql = named.load("queries_postgres.sql")
        self._local = threading.local()
        self._opening = threading.Lock()
        self._connections: list[psycopg.Connection[Any]] = []
        self._writer: psycopg.Connection[Any] | None = None
        with _trouble():
            self._migrate()
            self._months = {name for (name,) in self._all("partitions")}
        super().__init__(budget, samples)

    def known(self, identities: Sequence[str]) -> Mapping[str, int]:
        """See `store.Store.known`."""
        found = self._all("known", [bytes.fromhex(one) for one in identities])
        return {bytes(identity).hex(): sequence for identity, sequence in found}

    def group_rows(self, wanted: Plan, low: int, high: int) -> Iterator[Groups]:
        """See `counting.Numbers.group_rows`."""
        match = match_ts.render(wanted.index)
        if match == "":
            return
        rows = self._rows("group_rows", low, high) if match is None else self._rows("group_matches", match, low, high)
        yield from ((found[0], found[1], found[2:]) for found in rows)

    def close(self) -> None:
        """See `store.Store.close`."""
        with self._lock, self._opening:
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    # -- reading

    def _window(self, wanted: Plan, low: int, high: int, descending: bool, most: int) -> Iterator[Recorded]:
        match = match_ts.render(wanted.index)
        way = "down" if descending else "up"
        if match is None:
            yield from map(self._event, self._rows(f"range_{way}", low, high, most))
        elif match:
            yield from map(self._event, self._matches(wanted, match, way, (low, high, most)))

    def _matches(self, wanted: Plan, match: str, way: str, bounds: tuple[int, int, int]) -> Iterator[Any]:
        """Near events one by one, then block by block: ever more blocks, as long as little is found."""
        low, high, most = bounds
        walks = match_ts.only_excludes(wanted.index)
        size = high - low + 1 if walks else NEAR
        while low <= high and most > 0:
            first, last = (max(low, high - size + 1), high) if way == "down" else (low, min(high, low + size - 1))
            if size == NEAR or walks:
                found = self._all(f"walk_{way}", first, last, match, most)
            else:
                found = self._blocks(match, way, (first, last, most))
            yield from found
            most -= len(found)
            low, high = (low, first - 1) if way == "down" else (last + 1, high)
            size = _next_size(size, len(found), most)

    def _blocks(self, match: str, way: str, bounds: tuple[int, int, int]) -> list[Any]:
        first, last, most = bounds
        hours = self._all("recorded_range", first, last)[0]
        if hours[0] is None:
            return []
        query = f"({match_ts.blocks(first, last)}) & {match}"
        return self._all(f"match_{way}", query, hours[0] * HOUR, (hours[1] + 1) * HOUR - 1, first, last, most)

    # -- writing

    def prepare(self, events: Sequence[Recorded]) -> list[Row]:
        """See `store.Store.prepare`."""
        made = super().prepare(events)
        for new in made:
            new.ready = _binary(new)
        return made

    def _insert(self, fresh: Sequence[Row]) -> None:
        self._make_months(fresh)
        assert self._writer is not None
        with self._writer.cursor().copy(self._sql["append_events"]) as copy:
            copy.write(_HEADER)
            for start in range(0, len(fresh), 500):
                copy.write(b"".join([new.ready or _binary(new) for new in fresh[start : start + 500]]))
            copy.write(b"\xff\xff")

    def _remove(self, gone: Sequence[Row]) -> None:
        self._do("forget_events", [old.sequence for old in gone])

    def _make_months(self, fresh: Sequence[Row]) -> None:
        """A partition for every month that events were recorded in."""
        for day in {new.recorded // (24 * HOUR) for new in fresh}:
            month = moment(day * 24 * HOUR).replace(day=1)
            name = f"events_{month:%Y_%m}"
            if name not in self._months:
                following = datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)
                assert self._writer is not None
                self._writer.execute(
                    f"create table if not exists {name} partition of events "
                    f"for values from ({micros(month)}) to ({micros(following)})"
                )
                self._months.add(name)

    def _many(self, name: str, values: list[tuple[Any, ...]]) -> None:
        """One statement for all rows: a list for each column."""
        if values:
            self._do(name, *map(list, zip(*values, strict=True)))

    def _do(self, name: str, *values: Any) -> list[Any]:
        assert self._writer is not None
        cursor = self._writer.execute(self._sql[name], values)
        return cursor.fetchall() if cursor.description else []

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, _trouble():
            if self._writer is None or self._writer.closed:
                self._writer = self._connect()
            try:
                with self._writer.transaction():
                    self._do("writer")
                    yield
            except psycopg.Error:
                # A partition may have been undone with the transaction, and the connection may be broken.
                self._months = set()
                raise

    # -- connections

    def _all(self, name: str, *values: Any) -> list[Any]:
        with _trouble():
            return self._reader().execute(self._sql[name], values, binary=True).fetchall()

    def _rows(self, name: str, *values: Any) -> Iterator[Any]:
        """In pieces by a cursor on the server: a walk over everything must not be held in memory."""
        if name.startswith("range"):
            yield from self._all(name, *values)
            return
        with _trouble(), self._reader().transaction(), self._reader().cursor("rows", binary=True) as cursor:
            cursor.execute(self._sql[name], values)
            yield from cursor

    def _reader(self) -> psycopg.Connection[Any]:
        reader: psycopg.Connection[Any] | None = getattr(self._local, "reader", None)
        if reader is None or reader.closed:
            reader = self._local.reader = self._connect()
        return reader

    def _connect(self) -> psycopg.Connection[Any]:
        connection = psycopg.connect(self._url, autocommit=True, connect_timeout=10, options=_OPTIONS)
        if connection.info.server_version < 150_000:
            connection.close()
            raise Broken(
                f"the history needs PostgreSQL 15 or later, this is {connection.info.server_version // 10_000}"
            )
        with self._opening:
            self._connections = [one for one in self._connections if not one.closed]
            self._connections.append(connection)
        return connection

    def _migrate(self) -> None:
        writer = self._writer = self._connect()
        with writer.transaction():
            writer.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
            writer.execute("create table if not exists migrations (name text primary key)")
            applied = [name for (name,) in writer.execute("select name from migrations").fetchall()]
            for name, script in missing("postgres", applied):
                writer.execute(script)
                writer.execute("insert into migrations values (%s)", (name,))


def _next_size(size: int, found: int, most: int) -> int:
    """How many sequences to look at next: about as many as should fill the page, at most four times as before."""
    if size == NEAR:
        return 1 << match_ts.BLOCK
    likely = size * most // found if found else size * 4
    return max(1 << match_ts.BLOCK, min(size * 4, likely))


def _binary(of: Row) -> bytes:
    """A row of COPY's binary form."""
    terms = match_ts.vector(of.words, f"{of.marks} {match_ts.block_mark(of.sequence >> match_ts.BLOCK)}")
    return b"".join((
        _NUMBERS.pack(13, 8, of.sequence, 8, of.recorded, 8, of.time, 16), of.identity,
        *map(_field, of.groups), _field(of.subject),
        _LENGTH.pack(len(terms)), terms, _LENGTH.pack(len(of.body)), of.body,
    ))  # fmt: skip


@lru_cache(maxsize=8_192)
def _field(text: str) -> bytes:
    """A text with its length before it. Most come again."""
    field = text.replace("\0", "\ufffd").encode("utf-8", "replace")
    return _LENGTH.pack(len(field)) + field


@contextmanager
def _trouble() -> Iterator[None]:
    """A server that is away, restarts or has a full disk: all of them may pass."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.InternalError_) as error:
        raise TryLater(f"the history cannot be used now: {str(error).splitlines()[0]}") from error
