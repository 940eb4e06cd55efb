"""From any cursor through the history into the live stream: no hole, no double.

In: a cursor (exclusive) and a query. Out: steps: events in order that fit, and the cursor up to which everything was
looked at; steps without events are ticks for heartbeats. The ring of `bus/live.py` is asked first; while it does not
reach back to the cursor, the history is read on, or the stream itself where the recorder lags behind the ring.
Sequences are the seam: whatever came from where, what is asked for next is what follows the last.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

import msgspec

from firehose.bus.contract import Bus
from firehose.bus.live import Live, recorded
from firehose.errors import Refused, TryLater
from firehose.event import Recorded
from firehose.history.reader import Reader
from firehose.query.match import predicate
from firehose.query.tree import Everything, Node

CHUNK: Final = 500
"""Events in one step at most."""
PAST: Final = 1_000
"""The same where everything is replayed from the history: each step costs two questions to it."""
PATIENCE: Final = 10.0
"""Seconds to wait for the recorder before the reader is told to come back."""


class Step(msgspec.Struct, frozen=True):
    """What comes next: events that fit (none: a tick), and the cursor from which to go on."""

    events: list[Recorded]
    cursor: int


async def events(
    live: Live, reader: Reader, after: int, query: Node, *, idle: float = 1.0, bus: Bus | None = None
) -> AsyncGenerator[Step, None]:
    """What fits after a cursor, without end; a tick at least every `idle` seconds once the reader has caught up.

    `Refused` (`cursor-too-old`, 410, with the `floor`) when the history was cut after the cursor; `TryLater` when
    neither history nor `bus` has what comes next.
    """
    fits = predicate(query)
    await check(reader, after)
    while True:
        batch = live.since(after, CHUNK)
        if batch is None:
            async for step in _past(live, reader, after, query, bus):
                after = step.cursor
                yield step
        elif batch:
            after = batch[-1].sequence
            yield Step([event for event in batch if fits(event)], after)
        elif not await live.wait(after, idle):
            yield Step([], after)


async def check(reader: Reader, after: int) -> None:
    """Refuse a cursor from which the history cannot go on without a hole."""
    floor = (await reader.span()).floor
    if after < floor:
        raise Refused(
            f"the history begins after {floor:020d}; go on from there, or take what came before from the dumps",
            slug="cursor-too-old", status=410, field="cursor", extra={"floor": f"{floor:020d}"},
        )  # fmt: skip


async def _past(live: Live, reader: Reader, after: int, query: Node, bus: Bus | None) -> AsyncGenerator[Step, None]:
    """From the history up to the ring's floor, as far as it is recorded."""
    await check(reader, after)
    head = reader.head if reader.head > after else (await reader.span()).last
    upto = min(head, live.floor - 1)
    if upto <= after:
        yield await _unrecorded(reader, after, query, bus)
    elif isinstance(query, Everything):
        async for batch in reader.replay(after, upto=upto, chunk=PAST):
            # Retention raises the floor before it removes: what was read is whole if the floor is still below it.
            await check(reader, after)
            after = batch[-1].sequence
            yield Step(batch, after)
        # Sequences that retention removed, or that never were, leave nothing to yield.
        yield Step([], upto)
    else:
        while after < upto:
            page = await reader.find(query, after=after, before=upto + 1, descending=False, limit=CHUNK)
            await check(reader, after)
            after = upto if page.cursor is None else page.cursor
            yield Step(page.events, after)


async def _unrecorded(reader: Reader, after: int, query: Node, bus: Bus | None) -> Step:
    """What has left the ring before it was recorded: from the stream, else as soon as the recorder has it."""
    stored = [] if bus is None else await bus.fetch(after, CHUNK)
    if stored:
        fits = predicate(query)
        return Step([event for event in map(recorded, stored) if fits(event)], stored[-1].sequence)
    if not await reader.wait(after + 1, PATIENCE):
        raise TryLater("the recorder is behind what live readers have seen; resume with the same cursor")
    return Step([], after)
