"""The papers in PostgreSQL, beside the history: one connection for all threads in turn, opened again after a break.

In: statements of `papers.py`. Out: rows. It knows no document. The tables are made here, under a lock, so that several
processes may start together.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg

from firehose.errors import TryLater

_LOCK: Final = 0x50415045


class PostgresPapers:
    """See `papers.Database`. `url` is libpq's; the database must exist."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.RLock()
        self._connection: psycopg.Connection[Any] | None = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See `papers.Database.transaction`."""
        with self._lock:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=10)
                with self._connection.transaction():
                    self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                    yield
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                raise TryLater(f"the notification rules cannot be used now: {str(error).splitlines()[0]}") from error

    def run(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """See `papers.Database.run`."""
        assert self._connection is not None
        cursor = self._connection.execute(sql.replace("?", "%s"), values)
        return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        """See `papers.Database.close`."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
