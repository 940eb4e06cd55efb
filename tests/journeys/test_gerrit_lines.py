"""The shared Gerrit payloads as lines of `stream-events` over SSH: each ends as explained, and the line goes on."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.faults.ground import toml

from firehose.ops.explain import explain, payloads
from firehose.plumbing.clock import now
from firehose.simulator.stage import Stage
from firehose.testing import HubProcess

SAME = {"duplicate": "event"}
"""Samples repeat events: the second one is known, which is no other verdict on its payload."""


def counted(hub: HubProcess) -> Counter[str]:
    (found,) = [health for health in hub.get("/v1/sources")["sources"] if health["name"] == "gerrit"]
    books: Counter[str] = Counter()
    for verdict, count in found["verdicts"].items():
        books[SAME.get(verdict, verdict)] += count
    return +books


async def test_each_line_ends_as_explained(tmp_path: Path, shared: Path) -> None:
    lines = []
    for path in sorted((shared / "samples" / "gerrit").iterdir()):
        for payload in payloads(path.read_bytes(), file=path.name):
            lines.append((path.name, payload, json.dumps(json.loads(payload.body)).encode()))
    wanted: Counter[str] = Counter(explain("gerrit", payload, now())["verdict"] for _, payload, _ in lines)
    async with Stage(tmp_path / "stage") as stage:
        settings: dict[str, Any] = stage.settings()
        own = {"sources": {"gerrit": settings["sources"]["gerrit"]}, "mqtt": {"logins": []}}
        hub = HubProcess(tmp_path / "hub", toml(own))
        try:
            await asyncio.to_thread(hub.start)
            await asyncio.wait_for(stage.gerrit.listening(1), 60)
            for _, _, line in lines:
                await stage.gerrit.say(line + b"\n")
            end = time.monotonic() + 90
            while (found := await asyncio.to_thread(counted, hub)).total() < len(lines) and time.monotonic() < end:
                await asyncio.sleep(0.1)
            print(f"\ngerrit over SSH: {len(lines)} payloads, {dict(found)}")
            assert found == wanted
            assert "Traceback" not in hub.log.read_text()
        finally:
            await asyncio.to_thread(hub.stop)
