"""The ring of the newest events: who waits is woken, each in time."""

from __future__ import annotations

import asyncio

import uvloop

from firehose.bus.live import Live


def test_a_reader_whose_time_is_over_already_does_not_trip_the_next_one() -> None:
    # All share one timer, and uvloop's handle of a time that is over knows no time.
    async def both() -> list[bool]:
        live = Live()
        live.start_at(7)
        return list(await asyncio.gather(live.wait(7, 0.0), live.wait(7, 0.05), live.wait(6, 5.0)))

    assert uvloop.run(both()) == [False, False, True]
