"""Datanommer's way of keeping and finding messages: what our history is measured against.

In: the same events and the same questions. Out: its rate and its times. The tables are those of datanommer.models 1.x
(JSONB messages, arrays of users and packages, an index on the time) without TimescaleDB's partitions, and its
consumer's habit: one INSERT and one commit a message.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import psycopg

from firehose.event import Recorded
from firehose.plumbing.clock import monotonic

_TABLES: Final = """
create table if not exists messages (
    id bigserial, msg_id text, timestamp timestamptz not null, topic text, category text, username text,
    source_name text, msg jsonb not null, headers jsonb, users text[], packages text[], primary key (id, timestamp));
create index if not exists messages_timestamp on messages (timestamp);
create index if not exists messages_msg_id on messages (msg_id);
create index if not exists messages_topic on messages (topic);
create index if not exists messages_category on messages (category);
create index if not exists messages_users on messages using gin (users);
create index if not exists messages_packages on messages using gin (packages)
"""
_INSERT: Final = """
insert into messages (msg_id, timestamp, topic, category, username, source_name, msg, headers, users, packages)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_COPY: Final = """
copy messages (msg_id, timestamp, topic, category, username, source_name, msg, headers, users, packages) from stdin
"""
_FIND: Final = """
select * from messages where users && %s and packages && %s and msg::text ilike %s order by timestamp desc limit 100
"""


class Datanommer:
    """Its tables in an empty database."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url)
        self._connection.execute(_TABLES)
        self._connection.commit()

    def one_by_one(self, events: Iterable[Recorded]) -> float:
        """Events per second, each committed on its own."""
        begun, done = monotonic(), 0
        for event in events:
            self._insert(event)
            self._connection.commit()
            done += 1
        return done / (monotonic() - begun)

    def fill(self, events: Iterator[Recorded]) -> None:
        """As fast as it goes; how long is nobody's figure."""
        with self._connection.cursor().copy(_COPY) as copy:
            for event in events:
                copy.write_row(_row(event))
        self._connection.commit()
        self._connection.autocommit = True
        self._connection.execute("vacuum analyze messages")

    def find(self, actor: str, project: str, word: str) -> float:
        """Milliseconds for the newest hundred messages of somebody about something with a word."""
        begun = monotonic()
        self._connection.execute(_FIND, ([actor], [project], f"%{word}%")).fetchall()
        return (monotonic() - begun) * 1e3

    def close(self) -> None:
        """Let go of the server."""
        self._connection.close()

    def _insert(self, event: Recorded) -> None:
        self._connection.execute(_INSERT, _row(event))


def _row(event: Recorded) -> tuple[object, ...]:
    envelope = event.envelope
    return (
        envelope.id, event.recorded, envelope.topic, event.name, envelope.actor, event.name, event.body.decode(), "{}",
        [envelope.actor], [envelope.project],
    )  # fmt: skip


def one_by_one_sqlite(path: Path, events: Iterable[Recorded]) -> float:
    """The same habit on SQLite, with a text index: events per second."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript("""
        pragma journal_mode = wal; pragma synchronous = full;
        create table messages (id integer primary key, time text, topic text, headers text, msg text);
        create index messages_time on messages (time); create index messages_topic on messages (topic);
        create virtual table words using fts5 (text)""")
    begun, done = monotonic(), 0
    for event in events:
        envelope = event.envelope
        row: tuple[Any, ...] = (event.sequence, str(event.recorded), envelope.topic, "{}", event.body.decode())
        connection.execute("begin")
        connection.execute("insert into messages values (?, ?, ?, ?, ?)", row)
        connection.execute("insert into words (rowid, text) values (?, ?)", (event.sequence, envelope.summary))
        connection.execute("commit")
        done += 1
    connection.close()
    return done / (monotonic() - begun)
