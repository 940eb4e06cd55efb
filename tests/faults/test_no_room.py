"""The engine is away, or the disk is full: senders are told to come again, nothing promised is lost, and the hub
recovers by itself when the trouble ends."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.faults.ground import Ground, proving_ground
from tests.faults.test_crash_points import check

from firehose.simulator.hooks import signed

# Each starts a hub two or three times; on a busy machine that takes its time.
pytestmark = pytest.mark.timeout(400)
ISSUE = (
    b'{"action":"opened","issue":{"number":1,"id":1,"title":"x","html_url":"https://github.example/a/b/issues/1",'
    b'"user":{"login":"mira","id":1},"state":"open","created_at":"2026-01-01T00:00:00Z",'
    b'"updated_at":"2026-01-01T00:00:00Z"},"repository":{"id":1,"name":"b","full_name":"a/b","private":false},'
    b'"sender":{"login":"mira","id":1}}'
)


async def knock(ground: Ground, number: int) -> tuple[int, str]:
    """One webhook: status and Retry-After."""
    import httpx

    secret = ground.emitter.stage.hook_secrets["github"]
    headers = signed("github", "issues", ISSUE, f"{number:032x}", secret)
    # One batch may be in flight towards an engine that says nothing, and this delivery is in the next: 10 s each.
    async with httpx.AsyncClient(timeout=40, trust_env=False) as client:
        answer = await client.post(f"{ground.hub.url}/in/github", content=ISSUE, headers=headers)
    return answer.status_code, answer.headers.get("retry-after", "")


async def test_the_engine_stands_still(tmp_path: Path) -> None:
    async with proving_ground(tmp_path) as ground:
        ground.play()
        await ground.promises(120)
        engine = ground.hub.engine_pid()
        os.kill(engine, signal.SIGSTOP)
        try:
            status, after = await knock(ground, 1)
        finally:
            os.kill(engine, signal.SIGCONT)
        assert (status, after.isdigit()) == (503, True)
        await ground.promises(150)
        check(await ground.verdict("engine stands still", "503 + Retry-After"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 96 MiB of its own."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small file system")
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"this machine does not let us mount: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False)


async def test_the_disk_is_full(tmp_path: Path, small_disk: Path) -> None:
    async with proving_ground(tmp_path, data=small_disk / "data") as ground:
        ground.play()
        await ground.promises(120)
        filler = small_disk / "filler"
        fill(filler)
        seen = set()
        for number in range(400):
            seen.add(await knock(ground, 100 + number))
            if 503 in {status for status, _ in seen}:
                break
            fill(filler)
            await asyncio.sleep(0.02)
        filler.unlink()
        refusals = [after for status, after in seen if status == 503]
        assert refusals, f"never told to come again: {seen}"
        assert all(after.isdigit() for after in refusals)
        await recovered(ground)
        await ground.promises(150)
        check(await ground.verdict("disk full", "503 + Retry-After"))


async def recovered(ground: Ground) -> None:
    """Until the hub takes webhooks again, by itself."""
    async with asyncio.timeout(60):
        number = 10_000
        while (await knock(ground, number))[0] not in (200, 202):
            number += 1
            await asyncio.sleep(0.5)


def fill(file: Path) -> None:
    """Take all the room that is left."""
    with file.open("ab") as out:
        free = os.statvfs(file.parent)
        try:
            while free.f_bavail:
                out.write(b"\0" * min(free.f_bavail * free.f_frsize, 1 << 20))
                out.flush()
                free = os.statvfs(file.parent)
        except OSError:
            pass
