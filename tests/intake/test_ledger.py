"""The books of two processes of one hub: each keeps its own counts, and both know when a source last spoke."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

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
