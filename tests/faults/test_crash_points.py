"""Kill -9 under load, at each named point and at none: nothing promised is lost, nothing is there twice, and whoever
reads goes on without a gap (invariants 1 to 4 and 6)."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from tests.faults.ground import Verdict, proving_ground

from firehose.plumbing.crashpoint import POINTS

# Each starts a hub two or three times; on a busy machine that takes its time.
pytestmark = pytest.mark.timeout(400)


def check(verdict: Verdict) -> None:
    assert verdict.findings.promised > 200
    assert verdict.findings.lost == ()
    assert verdict.findings.doubled == ()
    assert verdict.findings.disordered == ()
    assert verdict.readers == dict.fromkeys(verdict.readers, "")
    assert len(verdict.readers) == 3


# The delivery's points need a sink, and are walked through in tests/delivery/test_kill.py.
@pytest.mark.parametrize(
    "point", [point for point in POINTS if not point.startswith(("recorder.", "delivery.", "notify."))]
)
async def test_the_hub_dies_at_a_named_point(point: str, tmp_path: Path) -> None:
    async with proving_ground(tmp_path, environ={"FIREHOSE_CRASH": f"{point}:12"}) as ground:
        ground.play()
        await ground.died()
        await ground.again()
        await ground.promises(150)
        check(await ground.verdict(f"hub at {point}"))


async def test_the_hub_is_killed_twice_at_any_moment(tmp_path: Path) -> None:
    async with proving_ground(tmp_path) as ground:
        ground.play()
        for _ in range(2):
            await ground.promises(120)
            ground.hub.kill()
            await ground.again()
        await ground.promises(100)
        check(await ground.verdict("hub, kill -9 twice"))


async def test_the_engine_is_killed(tmp_path: Path) -> None:
    async with proving_ground(tmp_path) as ground:
        ground.play()
        await ground.promises(120)
        os.kill(ground.hub.engine_pid(), signal.SIGKILL)
        await ground.promises(150)
        check(await ground.verdict("engine, kill -9"))
