"""A whole hub with its engine reads a Gerrit over SSH: what happens while it is away is there afterwards, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh

from firehose.app import App
from firehose.bus.engine import free_port
from firehose.plumbing.clock import now
from firehose.settings import build
from firehose.simulator.gerrit_ssh import FakeGerrit
from firehose.web.hub import Hub


def proposed(number: int) -> dict[str, Any]:
    ada = {"name": "Ada Lind", "email": "ada@example.org", "username": "ada"}
    key = f"I{number:040d}"
    change = {
        "project": "acme/widget",
        "branch": "master",
        "id": key,
        "number": number,
        "subject": f"Count to {number}",
        "owner": ada,
        "status": "NEW",
    }
    patch_set = {
        "number": 1,
        "revision": f"{number:040x}",
        "ref": f"refs/changes/01/{number}/1",
        "uploader": ada,
        "createdOn": int(now().timestamp()),
    }
    return {"type": "patchset-created", "uploader": ada, "change": change, "patchSet": patch_set}


@asynccontextmanager
async def hub_reading(gerrits: dict[str, FakeGerrit], key_file: Path, data: Path) -> AsyncIterator[Hub]:
    sources = {
        name: {
            "kind": "gerrit",
            "url": gerrit.url,
            "ssh": f"firehose@127.0.0.1:{gerrit.ssh_port}",
            "key_file": str(key_file),
            "host_key": gerrit.host_key,
        }
        for name, gerrit in gerrits.items()
    }
    app = App(
        build(
            {
                "hub": {"data": str(data)},
                "engine": {"sync": "1s"},
                "mqtt": {"listen": f"127.0.0.1:{free_port()}", "websocket": f"127.0.0.1:{free_port()}"},
                "sources": sources,
            }
        ),
        frozenset({"sources"}),
    )
    hub = await app.start()
    try:
        yield hub
    finally:
        await app.stop()


async def subjects(hub: Hub, count: int) -> list[str]:
    """The subjects of the first `count` events in the stream, once they are there."""
    found: list[str] = []
    async with asyncio.timeout(30):
        async for stored in hub.bus.follow(0):
            found += [one.payload.decode().partition('"subject":"')[2].partition('"')[0] for one in stored]
            if len(found) >= count:
                return found
    return found


async def test_two_gerrits_are_read_and_a_restart_of_the_hub_misses_nothing(tmp_path: Path) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(tmp_path / "key")
    async with FakeGerrit() as one, FakeGerrit(events_plugin=True) as two:
        both = {"one": one, "two": two}
        for gerrit in both.values():
            gerrit.allow(key.export_public_key())
        async with hub_reading(both, tmp_path / "key", tmp_path / "data") as hub:
            await one.listening()
            await two.listening()
            await one.emit(proposed(1))
            await two.emit(proposed(2))
            assert sorted(await subjects(hub, 2)) == ["acme/widget~1", "acme/widget~2"]
        await one.emit(proposed(3))
        await two.emit(proposed(4))
        async with hub_reading(both, tmp_path / "key", tmp_path / "data") as hub:
            found = await subjects(hub, 4)
            health = {health.name: health for health in hub.ledger.report()}
    assert sorted(found) == [f"acme/widget~{number}" for number in (1, 2, 3, 4)]
    assert [health[name].connection.partition(":")[0] for name in both] == ["SSH 127.0.0.1"] * 2
    assert health["two"].gaps == "resumes exactly"
