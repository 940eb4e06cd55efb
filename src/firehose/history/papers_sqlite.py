"""The papers in one SQLite file: WAL, on disk at every commit, one connection for all threads in turn.

In: statements of `papers.py`. Out: rows. It knows no document. Several processes may open the file; SQLite lets one
write at a time. The file can only be read by the hub's own user: places hold addresses of people.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from firehose.errors import Broken, TryLater

_BUSY_SECONDS: Final = 10.0


class SqlitePapers:
    """See `papers.Database`."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.RLock()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
            self._connection = sqlite3.connect(
                file, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA synchronous = FULL")
            with file.with_name(f"{file.name}-lock").open("a") as door:
                # SQLite refuses instead of waiting where two processes switch a new file to WAL at once.
                fcntl.flock(door, fcntl.LOCK_EX)
                self._connection.execute("PRAGMA journal_mode = WAL")
        except (OSError, sqlite3.Error) as error:
            raise Broken(f"cannot open the notification rules in {file}: {error}", code=3) from None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See `papers.Database.transaction`."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield
                except BaseException:
                    self._connection.rollback()
                    raise
                self._connection.commit()
            except sqlite3.OperationalError as error:
                raise TryLater(f"the notification rules cannot be used now: {error}") from error

    def run(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """See `papers.Database.run`."""
        return self._connection.execute(sql, values).fetchall()

    def close(self) -> None:
        """See `papers.Database.close`."""
        with self._lock:
            self._connection.close()
