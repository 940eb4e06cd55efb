"""A process tells where its threads and tasks stand, and goes on."""

from __future__ import annotations

import asyncio
import signal

from tests.journeys.reader import until

from firehose.plumbing import stacks
from firehose.testing import StartHub


async def test_a_task_is_told_with_all_the_calls_that_it_waits_in() -> None:
    never = asyncio.Event()

    async def inner() -> None:
        await never.wait()

    async def outer() -> None:
        await inner()

    async with asyncio.TaskGroup() as group:
        group.create_task(outer(), name="the slow one")
        await asyncio.sleep(0)
        (line,) = [line for line in stacks.waiting() if line.startswith("task the slow one: ")]
        never.set()
    calls = [call.rpartition(":")[0] for call in line.partition(": ")[2].split(" > ")]
    assert calls[:3] == [f"{__name__}.outer", f"{__name__}.inner", "asyncio.locks.wait"]


def test_a_hub_that_is_asked_goes_on(start_hub: StartHub) -> None:
    hub = start_hub()
    assert hub.process is not None
    hub.process.send_signal(signal.SIGUSR1)
    until(lambda: stacks.END in hub.log.read_text() or None, "the stacks")
    told = hub.log.read_text()
    assert " in _tell" in told  # the thread that tells
    assert "firehose.bus.live.follow" in told
    assert hub.ready()
