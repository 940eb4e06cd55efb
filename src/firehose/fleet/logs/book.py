"""The book of one log source: lines, counts, files, templates and unsent digests in one SQLite file beside the stream.

In: what one commit changes, all of it or nothing. Out: lines by number, what was open when it was closed. Lines lie in
compressed packs of what came together. Old packs go, by age and by size; the numbers of lines never come again. It is
not the history: nothing here is an event, and nothing here is kept for good.
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec
import zstandard

from firehose.errors import Broken, TryLater
from firehose.event import fingerprint
from firehose.fleet.logs.line import File, Tally
from firehose.fleet.logs.templates import Template

LEVEL: Final = 3
CLOSED: Final = 50_000
"""Finished files whose names are held in memory. One that is sent again later is known by its event's id."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pack (
  first INTEGER PRIMARY KEY, count INTEGER NOT NULL, moment REAL NOT NULL, size INTEGER NOT NULL, lines BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS tally (
  span INTEGER NOT NULL, publisher TEXT NOT NULL, told INTEGER NOT NULL, counts BLOB NOT NULL,
  PRIMARY KEY (span, publisher)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS total (publisher TEXT PRIMARY KEY, counts BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS file (key TEXT PRIMARY KEY, closed REAL NOT NULL, state BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS file_closed ON file (closed);
CREATE TABLE IF NOT EXISTS template (number INTEGER PRIMARY KEY, state BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS digest (number INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL) STRICT;
"""


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A line in a pack."""

    time: float
    severity: str
    host: str
    unit: str
    publisher: str
    file: str
    text: str


class FileState(msgspec.Struct, kw_only=True):
    """A file that is being read, or was. `first`/`last`: times of its lines; `number`: of its first kept line; `new`
    and `known`: numbers of templates."""

    file: File
    publisher: str
    tally: Tally = msgspec.field(default_factory=Tally)
    opened: float = 0.0
    touched: float = 0.0
    first: float = 0.0
    last: float = 0.0
    number: int = 0
    new: set[int] = msgspec.field(default_factory=set)
    known: set[int] = msgspec.field(default_factory=set)
    closed: float = 0.0


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """What one commit changes, encoded. `spans`: counts of (start, publisher), whole, not differences; `told`: spans
    that are over; `files`: key, when it was finished (0: not yet), state."""

    moment: float
    first: int
    rows: list[Row]
    spans: dict[tuple[int, str], bytes]
    told: list[tuple[int, str, bytes]]
    totals: dict[str, bytes]
    files: list[tuple[str, float, bytes]]
    templates: list[tuple[int, bytes]]
    forgotten: list[int]
    digests: list[bytes]


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """What a book held when it was opened: `number` of the next line, counts that are not told yet,
    open files, and the keys of the newest finished ones."""

    number: int
    born: float
    spans: Mapping[tuple[int, str], Tally]
    totals: Mapping[str, Tally]
    files: Sequence[FileState]
    closed: Sequence[str]
    templates: Sequence[Template]
    next_template: int


_rows: Final = msgspec.json.Decoder(list[Row])
_encode: Final = msgspec.json.Encoder().encode


class Book:
    """One file. Blocking; used by one thread at a time. `newest` is the last commit that is on disk."""

    def __init__(self, file: Path, moment: float, *, always: bool = False) -> None:
        """`always`: sync at each commit; else `sync()` does it, and until then a power cut (not a crash of ours) takes
        the newest commits, whole ones."""
        self._packer = zstandard.ZstdCompressor(level=LEVEL)
        self._opener = zstandard.ZstdDecompressor()
        self.newest: Commit | None = None
        with _trouble(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            # Two rooms would give the same numbers to different lines.
            self._lock = file.with_name(f"{file.name}-lock").open("a")
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Broken(f"another log room uses the log book {file}", code=4) from None
            self._database = sqlite3.connect(file, timeout=10, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA auto_vacuum = INCREMENTAL")
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute(f"PRAGMA synchronous = {'FULL' if always else 'NORMAL'}")
            if not always:
                self._database.execute("PRAGMA wal_autocheckpoint = 0")
            self._database.executescript(_SCHEMA)
            self._note("born", repr(moment))
            self._note("name", fingerprint(str(file), moment))
            file.chmod(0o600)
        self.name = self._get("name")

    def open(self) -> Opened:
        """What is there."""
        ask = self._database.execute
        spans = {
            (span, publisher): msgspec.json.decode(counts, type=Tally)
            for span, publisher, counts in ask("SELECT span, publisher, counts FROM tally WHERE told = 0")
        }
        totals = {name: msgspec.json.decode(counts, type=Tally) for name, counts in ask("SELECT * FROM total")}
        files = [
            msgspec.json.decode(state, type=FileState) for (state,) in ask("SELECT state FROM file WHERE closed = 0")
        ]
        closed = [
            key for (key,) in ask("SELECT key FROM file WHERE closed > 0 ORDER BY closed DESC LIMIT ?", (CLOSED,))
        ]
        templates = [msgspec.json.decode(state, type=Template) for (state,) in ask("SELECT state FROM template")]
        return Opened(
            number=int(self._get("next", "1")), born=float(self._get("born")), spans=spans, totals=totals,
            files=files, closed=closed, templates=templates, next_template=int(self._get("next_template", "1")),
        )  # fmt: skip

    def commit(self, what: Commit) -> None:
        """All of it or nothing; `TryLater` when the disk takes nothing."""
        pack = self._packer.compress(_encode(what.rows)) if what.rows else b""
        with self._transaction() as database:
            if what.rows:
                row = (what.first, len(what.rows), what.moment, len(pack), pack)
                database.execute("INSERT INTO pack VALUES (?, ?, ?, ?, ?)", row)
                self._set("next", what.first + len(what.rows))
            many = database.executemany
            spans = [(*key, 0, counts) for key, counts in what.spans.items()]
            spans += [(span, publisher, 1, counts) for span, publisher, counts in what.told]
            many("INSERT OR REPLACE INTO tally VALUES (?, ?, ?, ?)", spans)
            many("INSERT OR REPLACE INTO total VALUES (?, ?)", what.totals.items())
            many("INSERT OR REPLACE INTO file VALUES (?, ?, ?)", what.files)
            many("INSERT OR REPLACE INTO template VALUES (?, ?)", what.templates)
            many("DELETE FROM template WHERE number = ?", [(number,) for number in what.forgotten])
            many("INSERT INTO digest (body) VALUES (?)", [(body,) for body in what.digests])
            if what.templates:
                newest = max(number for number, _ in what.templates)
                self._set("next_template", max(newest + 1, int(self._get("next_template", "1"))))
        self.newest = what

    def sync(self) -> None:
        """Bring what was committed to the disk itself."""
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def digests(self, most: int) -> list[tuple[int, bytes]]:
        """What is to be told to the hub, oldest first."""
        return list(self._database.execute("SELECT number, body FROM digest ORDER BY number LIMIT ?", (most,)))

    def told(self, numbers: Sequence[int]) -> None:
        """The hub has these."""
        with self._transaction() as database:
            database.executemany("DELETE FROM digest WHERE number = ?", [(number,) for number in numbers])

    def lines(self, first: int, last: int) -> list[tuple[int, Row]]:
        """The lines with these numbers (both included) that are still there."""
        found: list[tuple[int, Row]] = []
        packs = self._database.execute(
            "SELECT first, lines FROM pack WHERE first <= ? AND first + count > ? ORDER BY first", (last, first)
        )
        for start, pack in packs:
            rows = _rows.decode(self._opener.decompress(pack, max_output_size=2**31 - 1))
            low = max(first - start, 0)
            found += [(start + low + at, row) for at, row in enumerate(rows[low : last - start + 1])]
        return found

    def span(self) -> tuple[int, int, int]:
        """The first and the last number that are kept (0, 0 where none), and how many lines."""
        row = self._database.execute("SELECT min(first), max(first + count) - 1, sum(count) FROM pack").fetchone()
        return (row[0] or 0, row[1] or 0, row[2] or 0)

    def totals(self) -> dict[str, Tally]:
        """All counts since the book began, by publisher, as they were committed."""
        rows = self._database.execute("SELECT publisher, counts FROM total")
        return {publisher: msgspec.json.decode(counts, type=Tally) for publisher, counts in rows}

    def forget(self, before: float, most: int) -> int:
        """Remove lines from before a moment, and the oldest beyond `most` bytes; how many lines went."""
        with self._transaction() as database:
            ask = database.execute
            gone = ask("SELECT coalesce(sum(count), 0) FROM pack WHERE moment < ?", (before,)).fetchone()[0]
            ask("DELETE FROM pack WHERE moment < ?", (before,))
            size = ask("SELECT coalesce(sum(size), 0) FROM pack").fetchone()[0]
            while size > most:
                first, count, own = ask("SELECT first, count, size FROM pack ORDER BY first LIMIT 1").fetchone()
                ask("DELETE FROM pack WHERE first = ?", (first,))
                gone, size = gone + count, size - own
            ask("DELETE FROM tally WHERE told = 1 AND span < ?", (int(before),))
            ask("DELETE FROM file WHERE closed > 0 AND closed < ?", (before,))
        self._database.execute("PRAGMA incremental_vacuum(2000)")
        return int(gone)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()
        self._lock.close()

    def _note(self, name: str, value: str) -> None:
        self._database.execute("INSERT OR IGNORE INTO note VALUES (?, ?)", (name, value))

    def _get(self, name: str, default: str = "") -> str:
        row = self._database.execute("SELECT value FROM note WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else default

    def _set(self, name: str, value: int) -> None:
        self._database.execute("INSERT OR REPLACE INTO note VALUES (?, ?)", (name, str(value)))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._database.execute("BEGIN IMMEDIATE")
            yield self._database
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")
            raise TryLater(f"the log book: {error}", after=1.0) from None


@contextmanager
def _trouble(file: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise Broken(f"cannot open the log book {file}: {error}", code=3) from None
