"""The history's lines of design section 13: recorder, search, counts, replay, each with its rival in the same run.

In: a scale. Out: lines. Stores and the PostgreSQL server are made for the run and gone afterwards; the events are
those of `world.py`. Where PostgreSQL is not installed, its lines say so.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Final

import psycopg

from firehose.bus.contract import Message
from firehose.bus.live import Live
from firehose.bus.memory import MemoryBus
from firehose.errors import Broken
from firehose.event import Recorded
from firehose.history.postgres import PostgresStore
from firehose.history.reader import Reader
from firehose.history.recorder import Recorder
from firehose.history.replay import events as replayed
from firehose.history.sqlite import SqliteStore
from firehose.history.store import Store
from firehose.ops.bench.line import Line
from firehose.ops.bench.measure import Measure
from firehose.ops.bench.postgres import server
from firehose.ops.bench.rivals import Datanommer, one_by_one_sqlite
from firehose.ops.bench.world import END, World
from firehose.plumbing.clock import monotonic
from firehose.plumbing.tasks import Crew
from firehose.query.parse import parse
from firehose.query.tree import Everything

RECORDED: Final = 100_000
SEARCHED: Final = 1_000_000
RIVALS: Final = 1_000_000
"""Events that the rival's search is asked over at most; filling it is slow."""
LEARNED: Final = 4_000
BATCH: Final = 4_000
QUESTIONS: Final = 40

Rate = Callable[[Iterable[Recorded]], float]


def recorder(scale: float = 1, count: int = RECORDED) -> list[Line]:
    """Both stores, `scale` × `count` events."""
    events = int(count * scale)
    with tempfile.TemporaryDirectory(prefix="firehose-bench-") as name:
        folder = Path(name)
        found: list[Line] = []
        for small in (False, True):
            rival = partial(one_by_one_sqlite, folder / f"rival-{small}.db")
            store: Store = SqliteStore(folder / f"{small}.db")
            found.append(asyncio.run(record("SQLite", store, events, 20_000, rival, small)))
    try:
        with server() as url:
            store = PostgresStore(_database(url, "ours"))
            other = Datanommer(_database(url, "theirs"))
            found.append(asyncio.run(record("PostgreSQL", store, events, 30_000, other.one_by_one)))
            store = PostgresStore(_database(url, "small"))
            found.append(asyncio.run(record("PostgreSQL", store, events, 30_000, other.one_by_one, True)))
            other.close()
    except Broken as problem:
        found.append(_unmeasured("recorder into PostgreSQL", "events/s", problem))
    return found


def search(scale: float = 1, count: int = SEARCHED) -> list[Line]:
    """Search, counts and replay on SQLite, `scale` × `count` events."""
    events = int(count * scale)
    with tempfile.TemporaryDirectory(prefix="firehose-bench-") as name:
        path = Path(name) / "h.db"
        store: Store = SqliteStore(path)
        fill(store, World().events(events))
        found = [*searches("SQLite", store, events), *counts("SQLite", store), asyncio.run(replay(store))]
        store.close()
        return [*found, opening(path)]


def search_postgres(scale: float = 1, count: int = SEARCHED) -> list[Line]:
    """Search and counts on PostgreSQL, `scale` × `count` events, and datanommer's tables on the same server."""
    events = int(count * scale)
    found: list[Line] = []
    try:
        with server() as url:
            theirs = _rival(_database(url, "theirs"), min(events, RIVALS))
            ours = _database(url, "ours")
            store = PostgresStore(ours)
            fill(store, World().events(events))
            with psycopg.connect(ours, autocommit=True) as connection:
                connection.execute("vacuum analyze")
            found += [*searches("PostgreSQL", store, events, theirs), *counts("PostgreSQL", store)]
            store.close()
    except Broken as problem:
        found.append(_unmeasured("search, PostgreSQL", "ms", problem))
    return found


MEASURES: Final = (
    Measure("recorder", "stream to history, both stores, against one INSERT a message", 60, recorder),
    Measure("search", "search, counts and replay over a million events, SQLite", 200, search),
    Measure("search-postgres", "search and counts over a million events, PostgreSQL", 500, search_postgres),
)


def fill(store: Store, events: Iterator[Recorded]) -> None:
    """Append all events in batches."""
    while batch := list(islice(events, BATCH)):
        store.append(batch)


async def record(name: str, store: Store, count: int, reach: float, rival: Rate, small: bool = False) -> Line:
    """From a stream in memory into the store, as fast as it goes. The dictionary is learned before: once in a life.
    The events are of 2 kB, or `small`, of 600 B."""
    # At such a rate one hour holds all of it.
    world = list(World(small=small).events(count + LEARNED, span=timedelta(minutes=10)))
    store.append(world[:LEARNED])
    bus, reader, crew = MemoryBus(first=LEARNED + 1), Reader(store), Crew()
    await bus.publish([Message("events.x", str(event.sequence), event.frame) for event in world[LEARNED:]])
    size = sum(len(event.frame) for event in world[:LEARNED]) // LEARNED
    begun = monotonic()
    crew.start("recorder", Recorder(bus, store, reader.recorded).run())
    await reader.wait(count + LEARNED, 3_600)
    value = count / (monotonic() - begun)
    await crew.stop()
    reader.close()
    other = rival(world[: min(3_000, count)])
    good = value >= reach and value / other >= 10
    size_ = ", 600 B" if small else ""
    return Line(
        f"recorder into {name}{size_}", round(value), "events/s", reach, round(other), round(value / other, 1), good,
        f"with text and field index, {size} B an event; at least 10 times the rival is wanted",
    )  # fmt: skip


def filters(seed: int) -> Iterator[tuple[str, str, str, str]]:
    """An actor, a project, a kind and a word: from frequent to never together."""
    world, chance = _names(), random.Random(seed)
    kinds = ("change.merged", "change.reviewed", "ticket.closed", "taskrun.finished")
    while True:
        yield (
            chance.choice(world.actors[: chance.choice((3, 50, 1_500))]),
            chance.choice(world.projects[: chance.choice((5, 50, 300))]),
            chance.choice(kinds),
            chance.choice(world.vocabulary[: chance.choice((10, 500, 20_000))]),
        )


def questions(seed: int) -> dict[str, list[str]]:
    """Query texts by class."""
    found: dict[str, list[str]] = {"two filters": [], "filters and text": [], "text": []}
    for actor, project, kind, word in islice(filters(seed), QUESTIONS):
        found["two filters"] += [
            f"actor:{actor} project:{project}", f"project:{project} kind:{kind}", f"kind:{kind} actor:{actor}",
            f"source:tracker project:{project}",
        ]  # fmt: skip
        found["filters and text"] += [f"actor:{actor} project:{project} {word}", f"kind:{kind} {word}"]
        found["text"] += [word, f"{word} {actor}"]
    return found


def searches(name: str, store: Store, count: int, rival: float | None = None) -> list[Line]:
    """The 95th percentile of each class of questions: the newest hundred with their bodies."""
    reach = 20.0 if count <= SEARCHED else 60.0
    found: list[Line] = []
    for class_, texts in questions(count).items():
        times, partial_pages = [], 0
        for text in texts:
            query, begun = parse(text, END), monotonic()
            partial_pages += store.find(query).partial
            times.append((monotonic() - begun) * 1e3)
        value = percentile(times)
        other = rival if class_ == "filters and text" else None
        found.append(Line(
            f"search, {class_}, {name}, p95", round(value, 1), "ms", reach, other,
            None if other is None else round(other / value, 1), value <= reach,
            f"{count:,} events; p50 {statistics.median(times):.1f} ms, most {max(times):.1f} ms; "
            f"{partial_pages} of {len(times)} pages ended at the cost limit",
        ))  # fmt: skip
    return found


def counts(name: str, store: Store) -> list[Line]:
    """90 days by the hour, of everything and of one project."""
    found = []
    for what, text in (("everything", ""), ("one project", f"project:{_names().projects[0]}")):
        query, times = parse(text, END), []
        for _ in range(20):
            begun = monotonic()
            store.counts(query, per="hour", limit=3_000)
            times.append((monotonic() - begun) * 1e3)
        value = percentile(times)
        found.append(Line(f"90 days of hourly counts, {what}, {name}", round(value, 1), "ms", 10, ok=value <= 10))
    return found


async def replay(store: Store, most: int = 200_000) -> Line:
    """One reader, from the beginning, out of the history into lines of JSON."""
    reader, live = Reader(store), Live()
    last = (await reader.span()).last
    live.start_at(last)
    begun, done, size = monotonic(), 0, 0
    async for step in replayed(live, reader, 0, Everything()):
        size += len(b"".join(event.json + b"\n" for event in step.events))
        done += len(step.events)
        if step.cursor >= last or done >= most:
            break
    value = done / (monotonic() - begun)
    return Line(
        "replay, one reader, lines of JSON, SQLite", round(value), "events/s", 50_000, ok=value >= 50_000,
        note=f"{size // done} B an event; Jetstream v2 names 79,000 on 16 times the cores",
    )  # fmt: skip


def opening(path: Path) -> Line:
    """Opening a store and reading its head; the rest of a start is the hub's."""
    begun = monotonic()
    store = SqliteStore(path)
    store.span()
    value = monotonic() - begun
    store.close()
    return Line("opening the history, SQLite", round(value, 3), "s", 5, ok=value <= 5)


@cache
def _names() -> World:
    """A world to take names from."""
    return World()


def percentile(values: list[float], share: float = 0.95) -> float:
    """The value that `share` of all do not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _rival(url: str, count: int) -> float:
    rival = Datanommer(url)
    rival.fill(World().events(count))
    times = [rival.find(actor, project, word) for actor, project, _, word in islice(filters(count), QUESTIONS)]
    rival.close()
    return round(percentile(times), 1)


def _database(url: str, name: str) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    return url.replace("/postgres?", f"/{name}?")


def _unmeasured(name: str, unit: str, problem: Broken) -> Line:
    return Line(name, 0.0, unit, ok=False, note=f"not measured: {problem.detail}")
