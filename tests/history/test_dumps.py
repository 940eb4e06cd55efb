"""Dumps: complete, immutable, and no change to them goes unnoticed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import zstandard

from firehose.bus.memory import MemoryBus
from firehose.event import Event, Recorded, encode
from firehose.history.dumping import _once, dump_hourly
from firehose.history.dumps import Dumps, verify
from firehose.history.reader import Reader
from firehose.history.sqlite import SqliteStore
from firehose.plumbing.tasks import Crew

START = datetime(2016, 10, 25, 22, 30, tzinfo=UTC)


def event(sequence: int) -> Recorded:
    moment = START + timedelta(minutes=10 * sequence)
    made = Event(id=str(sequence), source="s", type="t", kind="a.b", subject="x", time=moment)
    return Recorded(sequence, moment, encode("gerrit", made))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(tmp_path / "h.db")
    made.append([event(n) for n in range(1, 22) if not 9 <= n < 15])
    yield made
    made.close()


@pytest.fixture
def dumps(tmp_path: Path) -> Dumps:
    return Dumps(tmp_path / "dumps", tmp_path / "keys" / "dumps.key")


def test_each_whole_hour_is_dumped_once(store: SqliteStore, dumps: Dumps, tmp_path: Path) -> None:
    until = START + timedelta(hours=3, minutes=20)
    made = dumps.make(store, until)
    assert [(entry.name[:13], entry.first, entry.last, entry.count) for entry in made] == [
        ("2016-10-25-22", 1, 2, 2),
        ("2016-10-25-23", 3, 8, 6),
        ("2016-10-26-00", 0, 0, 0),
    ][:2]
    assert dumps.make(store, until) == []
    path = dumps.path("2016-10-25-23.ndjson.zst")
    assert path is not None
    lines = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes()).splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == [f"{n:020d}" for n in range(3, 9)]
    assert verify(tmp_path / "dumps", dumps.public_key) == []
    later = dumps.make(store, START + timedelta(days=1))
    assert [(entry.first, entry.last) for entry in later] == [(15, 20), (21, 21)]
    assert verify(tmp_path / "dumps", dumps.public_key) == []
    assert [entry.name for entry in dumps.list()] == [entry.name for entry in made + later]


def test_a_removed_dump_stays_in_the_chain(store: SqliteStore, dumps: Dumps, tmp_path: Path) -> None:
    dumps.make(store, START + timedelta(days=1))
    assert dumps.remove(datetime(2016, 10, 25, 23, tzinfo=UTC), "kept for 365d") == ["2016-10-25-22.ndjson.zst"]
    assert dumps.path("2016-10-25-22.ndjson.zst") is None
    assert "2016-10-25-22.ndjson.zst" not in [entry.name for entry in dumps.list()]
    assert b"kept for 365d" in dumps.index()
    assert verify(tmp_path / "dumps", dumps.public_key) == []


async def test_old_dumps_go_when_the_setting_says_so(store: SqliteStore, dumps: Dumps, tmp_path: Path) -> None:
    bus, reader, crew = MemoryBus(first=store.span().last + 1), Reader(store), Crew()
    later = START + timedelta(days=1)
    dumps.make(store, later)
    before = [entry.name for entry in dumps.list()]
    cut = datetime(2016, 10, 25, 23, tzinfo=UTC)
    crew.start("dumps", dump_hourly(dumps, reader, bus, lambda: later, later - cut))
    async with asyncio.timeout(30):
        while len(dumps.list()) == len(before):
            await asyncio.sleep(0.01)
    assert [entry.name for entry in dumps.list()] == [name for name in before if name >= "2016-10-25-23"]
    assert b"history.keep_dumps" in dumps.index()
    assert verify(tmp_path / "dumps", dumps.public_key) == []
    await crew.stop()
    reader.close()


@pytest.mark.parametrize("harm", ["file", "missing", "line changed", "line out", "other key"])
def test_every_harm_is_found(store: SqliteStore, dumps: Dumps, tmp_path: Path, harm: str) -> None:
    folder = tmp_path / "dumps"
    dumps.make(store, START + timedelta(days=1))
    index, file = folder / "index.ndjson", folder / "2016-10-25-23.ndjson.zst"
    lines = index.read_bytes().splitlines(keepends=True)
    key = dumps.public_key
    if harm == "file":
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    elif harm == "missing":
        file.unlink()
    elif harm == "line changed":
        index.write_bytes(lines[0].replace(b'"count":2', b'"count":3') + b"".join(lines[1:]))
    elif harm == "line out":
        index.write_bytes(b"".join(lines[:1] + lines[2:]))
    else:
        key = Dumps(tmp_path / "other", tmp_path / "other.key").public_key
    assert verify(folder, key)


def test_only_dumps_can_be_asked_for(dumps: Dumps, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    assert dumps.path("../secret") is None
    assert dumps.path("index.ndjson") is None
    assert (tmp_path / "keys" / "dumps.key").stat().st_mode & 0o077 == 0


async def test_the_loop_waits_for_the_recorder(store: SqliteStore, dumps: Dumps, tmp_path: Path) -> None:
    bus = MemoryBus(first=store.span().last + 1)
    reader = Reader(store)
    thread = ThreadPoolExecutor(1)
    await _once(dumps, reader, bus, lambda: START + timedelta(hours=1), thread)
    assert [entry.name[:13] for entry in dumps.list()] == ["2016-10-25-22"]
    thread.shutdown()
