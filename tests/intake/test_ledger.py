"""The books of two processes of one hub: each keeps its own counts, and both know when a source last spoke."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from firehose.bus.memory import MemoryBus
from firehose.intake.books import BUCKET, Books
from firehose.intake.instance import Instance
from firehose.intake.ledger import Ledger
from firehose.source import load

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def ledger(moment: datetime) -> Ledger:
    kind = load("github")
    made = Ledger(lambda: moment)
    made.open(
        msgspec.structs.replace(
            Instance("forge", kind, kind.settings(kind="github", freshness=60)).opening, since=moment
        )
    )
    return made


def test_a_source_that_speaks_in_another_process_is_not_silent_here() -> None:
    web, sources = ledger(NOON + timedelta(hours=1)), ledger(NOON)
    sources.book("forge", "event")
    late = ledger(NOON + timedelta(hours=1))
    late.restore(sources.dump())
    health = late.of("forge")
    assert health is not None
    assert health.state == "quiet"
    web.book("forge", "event")
    late.overhear(web.dump())
    health = late.of("forge")
    assert health is not None
    assert (health.state, health.last_event) == ("healthy", NOON + timedelta(hours=1))
    assert health.verdicts["event"] == 1
    late.overhear(sources.dump())
    health = late.of("forge")
    assert health is not None
    assert health.last_event == NOON + timedelta(hours=1)


async def test_the_next_process_goes_on_where_the_last_one_ended() -> None:
    bus, first = MemoryBus(), ledger(NOON)
    books = Books(bus, first, "books", ())
    await books.write()
    first.book("forge", "event", count=5)
    await books.close()
    second = ledger(NOON + timedelta(hours=1))
    await Books(bus, second, "books", ()).take_up()
    health = second.of("forge")
    assert health is not None
    assert (health.verdicts["event"], health.last_event) == (5, NOON)
    assert health.since == NOON, "the counts are older than this process"


async def test_books_of_a_hub_that_did_not_say_since_when_are_read() -> None:
    bus, late = MemoryBus(), ledger(NOON)
    await bus.put(BUCKET, "books", b'{"forge":[{"event":3},{},"2026-01-01T00:00:00Z"]}')
    await Books(bus, late, "books", ()).take_up()
    health = late.of("forge")
    assert health is not None
    assert (health.verdicts["event"], health.since) == (3, NOON)


async def test_a_bus_that_is_away_does_not_keep_the_hub_from_stopping() -> None:
    bus = MemoryBus()
    bus.away = True
    await Books(bus, ledger(NOON), "books", ()).close()
    bus.away = False
    assert await bus.get(BUCKET, "books") is None
