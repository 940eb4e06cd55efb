"""The recorder is killed as a process of its own, as the hub's child and as `firehose run recorder` beside a hub on an
engine of the operator: sources and web go on, nothing is lost or doubled, readers have no gap (invariants 2, 6)."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from tests.faults.ground import Ground, proving_ground, toml
from tests.faults.parts import Engine, Part
from tests.faults.test_crash_points import check

from firehose.simulator.stage import Stage
from firehose.testing import HubProcess

# Each starts a hub two or three times; on a busy machine that takes its time.
pytestmark = pytest.mark.timeout(400)
POINTS = ("recorder.before-commit", "recorder.after-commit")


def served_all_the_while(ground: Ground, hub: int) -> bool:
    """Whether it is still the process that was started."""
    assert ground.hub.process is not None
    return ground.hub.process.pid == hub and ground.hub.process.poll() is None


@pytest.mark.parametrize("point", POINTS)
async def test_the_hubs_recorder_dies_at_a_named_point(point: str, tmp_path: Path) -> None:
    async with proving_ground(tmp_path, environ={"FIREHOSE_CRASH": f"{point}:12"}) as ground:
        assert ground.hub.process is not None
        hub, first = ground.hub.process.pid, await ground.recorder()
        ground.play()
        await ground.recorder(other_than=first)
        await ground.promises(150)
        assert served_all_the_while(ground, hub)
        check(await ground.verdict(f"recorder at {point}"))


async def test_the_hubs_recorder_is_killed_twice_at_any_moment(tmp_path: Path) -> None:
    async with proving_ground(tmp_path) as ground:
        assert ground.hub.process is not None
        hub = ground.hub.process.pid
        ground.play()
        for _ in range(2):
            await ground.promises(120)
            recorder = await ground.recorder()
            os.kill(recorder, signal.SIGKILL)
            await ground.recorder(other_than=recorder)
        await ground.promises(100)
        assert served_all_the_while(ground, hub)
        check(await ground.verdict("recorder, kill -9 twice"))


async def test_the_recorder_goes_with_a_hub_that_is_killed(tmp_path: Path) -> None:
    async with proving_ground(tmp_path) as ground:
        recorder = await ground.recorder()
        ground.hub.kill()
        await ground.until(lambda: not Path(f"/proc/{recorder}").exists(), 20, "the recorder did not end")
        await ground.again()
        assert await ground.recorder() != recorder


@pytest.mark.parametrize("point", [*POINTS, ""])
async def test_a_recorder_beside_a_hub_on_an_engine_of_ones_own(point: str, tmp_path: Path) -> None:
    engine = Engine(tmp_path / "engine")
    parts: list[Part] = []

    def prepared(stage: Stage) -> HubProcess:
        hub = HubProcess(
            tmp_path / "hub", toml(stage.settings()) + engine.settings, command=("run", "sources", "web", "mirror")
        )
        engine.configure(hub)
        engine.start()
        parts.append(Part(hub, "recorder"))
        # At the same time as the hub: both make the history's file.
        parts[0].start({"FIREHOSE_CRASH": f"{point}:12"} if point else {})
        return hub

    try:
        async with proving_ground(tmp_path, prepared=prepared) as ground:
            (recorder,) = parts
            ground.play()
            if not point:
                await ground.promises(120)
                recorder.end(signal.SIGKILL)
            await ground.until(lambda: recorder.dead, 60, "the recorder did not reach its crash point")
            await ground.promises(60)  # without any recorder
            await asyncio.to_thread(recorder.start)
            await ground.promises(100)
            check(await ground.verdict(f"run recorder, {point or 'kill -9'}", "engine of one's own"))
            assert recorder.end() == 0
    finally:
        for part in parts:
            part.end(signal.SIGKILL)
        engine.kill()
