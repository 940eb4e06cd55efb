"""The recorder's process is killed, its disk is full: what is there is a whole prefix, and it goes on by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from firehose.bus.contract import Message
from firehose.bus.live import Live
from firehose.bus.memory import MemoryBus
from firehose.errors import TryLater
from firehose.history.open import open_store
from firehose.history.reader import Reader
from firehose.history.recorder import Recorder
from firehose.history.sqlite import SqliteStore
from firehose.history.store import Store
from firehose.ops.bench.world import END, World
from firehose.plumbing import metrics
from firehose.plumbing.tasks import Crew
from firehose.query.parse import parse
from firehose.query.tree import Everything
from firehose.settings import History

WRITER = """
import sys
from pathlib import Path
from firehose.history.open import open_store
from firehose.ops.bench.world import World
from firehose.settings import History
store = open_store(History(url=sys.argv[1]), Path("."))
batch = []
for event in World().events(200_000):
    batch.append(event)
    if len(batch) == 200:
        store.append(batch)
        print(batch[-1].sequence, flush=True)
        batch = []
"""


def load_and_kill(url: str, after: int) -> int:
    """The last sequence that the writer saw committed."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, env=os.environ)
    assert writer.stdout is not None
    seen = 0
    for line in writer.stdout:
        seen = int(line)
        if seen >= after:
            break
    os.kill(writer.pid, signal.SIGKILL)
    seen = max([seen, *map(int, writer.stdout.read().split())])
    writer.wait()
    writer.stdout.close()
    return seen


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_killed_writer_leaves_a_whole_prefix(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/h.db" if kind == "sqlite" else request.getfixturevalue("postgres")
    seen = load_and_kill(url, 5_000)
    store = open_store(History(url=url), tmp_path)
    last = store.span().last
    assert last >= seen
    assert last % 200 == 0
    assert [e.sequence for chunk in store.replay(0) for e in chunk] == list(range(1, last + 1))
    assert store.span().count == last == sum(count.count for count in store.counts(Everything(), by="kind"))
    found = found_by_index(store)
    assert found == [e.sequence for e in World().events(last) if e.envelope.actor == "zuul"]
    store.append([event for event in World().events(last + 100) if event.sequence > last])
    assert store.span().last == last + 100
    store.close()


def found_by_index(store: Store) -> list[int]:
    found: list[int] = []
    after = 0
    while True:
        page = store.find(parse("actor:zuul", END), after=after, descending=False, limit=1_000)
        found += [event.sequence for event in page.events]
        if page.cursor is None:
            return found
        after = page.cursor


def limit_pages(store: SqliteStore, pages: int) -> None:
    """A disk that is full: the database may not grow beyond so many pages."""
    store._writer.execute(f"pragma max_page_count = {pages}")


def test_a_full_disk_is_an_error_that_passes(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "h.db")
    events = list(World().events(3_000))
    store.append(events[:1_000])
    (pages,) = store._writer.execute("pragma page_count").fetchone()
    limit_pages(store, pages + 5)
    with pytest.raises(TryLater, match="full"):
        store.append(events[1_000:])
    assert store.span().last == 1_000
    assert len(store.find(parse("actor:zuul", END)).events) == 100
    limit_pages(store, 1_000_000)
    store.append(events[1_000:])
    assert store.span().count == 3_000
    store.close()


async def test_the_recorder_goes_on_when_there_is_room_again(tmp_path: Path) -> None:
    bus, store = MemoryBus(), SqliteStore(tmp_path / "h.db")
    reader, crew = Reader(store), Crew()
    events = list(World().events(4_000))
    (pages,) = store._writer.execute("pragma page_count").fetchone()
    limit_pages(store, pages + 30)
    await bus.publish([Message("events.x", str(event.sequence), event.frame) for event in events])
    recorder = Recorder(bus, store, reader.recorded)
    crew.start("recorder", recorder.run())
    async with asyncio.timeout(30):
        while not recorder.refusals:
            await asyncio.sleep(0.01)
    assert (await reader.span()).last < 4_000
    limit_pages(store, 1_000_000)
    assert await reader.wait(4_000, 30)
    assert [e.sequence for chunk in store.replay(0) for e in chunk] == list(range(1, 4_001))
    await crew.stop()
    reader.close()


FOREIGN = [
    b"", b"not an event", b"{}\n", b'{}\n{"specversion":"1.0",', b"\xff\n\xfe", b'{}\n{"specversion":"1.0","id":3}',
]  # fmt: skip


@pytest.mark.parametrize("whole_batch", [False, True], ids=["among-events", "nothing-else"])
async def test_a_frame_that_is_no_event_is_passed_over_and_counted(tmp_path: Path, whole_batch: bool) -> None:
    bus, store = MemoryBus(), SqliteStore(tmp_path / "h.db")
    reader, crew, live = Reader(store), Crew(), Live()
    events = [] if whole_batch else [event.frame for event in World().events(20)]
    frames = [*FOREIGN, *events[:10], *FOREIGN, *events[10:], *FOREIGN]
    await bus.publish([Message("events.x", str(number), frame) for number, frame in enumerate(frames)])
    before = metrics.unreadable._value.get()
    recorder = Recorder(bus, store, reader.recorded)
    crew.start("recorder", recorder.run())
    crew.start("live", live.follow(bus))
    assert await reader.wait(len(frames), 30)
    assert [event.frame for chunk in store.replay(0) for event in chunk] == events
    assert metrics.unreadable._value.get() == before + 3 * len(FOREIGN)
    await bus.publish([Message("events.x", "good", next(World().events(1)).frame)])
    assert await reader.wait(len(frames) + 1, 30)
    assert store.span().last == len(frames) + 1
    assert await live.wait(len(frames), 30)
    assert [event.sequence for event in live.since(len(frames)) or ()] == [len(frames) + 1]
    await crew.stop()
    reader.close()
