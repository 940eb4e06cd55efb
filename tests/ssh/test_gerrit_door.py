"""The stream-events door on a real hub, read by a real SSH client: who gets in, from where, what a break costs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncssh
import httpx
import pytest

from firehose.bus.engine import free_port
from firehose.testing import HubProcess, StartHub

PATIENCE = 60
KEY = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()


class Reader:
    """One key and its streams."""

    def __init__(self, port: int, name: str = "zuul") -> None:
        self.port, self.name = port, name
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self._open: list[asyncssh.SSHClientConnection] = []

    @property
    def public(self) -> str:
        return self.key.export_public_key().decode().strip()

    async def connect(self) -> asyncssh.SSHClientConnection:
        connection = await asyncssh.connect(
            "127.0.0.1", self.port, username="any", client_keys=[self.key], known_hosts=None, config=None
        )
        self._open.append(connection)
        return connection

    async def close(self) -> None:
        for connection in self._open:
            connection.abort()
            await connection.wait_closed()

    async def stream(self, options: str = "") -> asyncssh.SSHClientProcess[str]:
        connection = await self.connect()
        return await connection.create_process(f"gerrit stream-events {options}".strip())


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    made = Reader(free_port())
    yield made
    await made.close()


def settings(*readers: Reader, sources: str = "") -> str:
    keys = "".join(f'{reader.name} = "{reader.public}"\n' for reader in readers)
    return (
        '[sources.gerrit]\nkind = "gerrit"\nurl = "https://review.example.org"\nopen = true\n'
        '[sources.inbox]\nkind = "inbox"\n'
        f'[doors.gerrit]\nlisten = "127.0.0.1:{readers[0].port}"\n{sources}\n[doors.gerrit.readers]\n{keys}'
    )


def event(number: int, native: str = "change-merged") -> dict[str, Any]:
    who = {"name": "Ada", "username": "ada"}
    change = {"project": "org/app", "branch": "main", "id": f"I{number:040d}", "number": number, "subject": "Count",
              "owner": who, "url": f"https://review.example.org/{number}"}  # fmt: skip
    patch_set = {"number": 1, "revision": f"{number:040d}", "ref": f"refs/changes/01/{number}/1", "uploader": who}
    return {"type": native, "change": change, "patchSet": patch_set, "submitter": who, "uploader": who,
            "newRev": f"{number:040d}", "eventCreatedOn": 1750000000 + number}  # fmt: skip


async def happen(hub: HubProcess, *numbers: int, native: str = "change-merged") -> list[bytes]:
    bodies = [json.dumps(event(number, native)).encode() for number in numbers]
    for body in bodies:
        status, answer = await asyncio.to_thread(hub.post, "/in/gerrit", body, {"content-type": "application/json"})
        assert status == 202, answer
    return bodies


async def forge(hub: HubProcess, body: dict[str, Any], source: str = "gerrit") -> None:
    """A CloudEvent through the inbox that says it is a Gerrit's."""
    token = await asyncio.to_thread(hub.token, "publish:inbox")
    envelope = {"specversion": "1.0", "id": str(uuid4()), "source": source,
                "type": f"com.gerritcodereview.{body['type']}", "data": body}  # fmt: skip
    head = {"content-type": "application/cloudevents+json", "authorization": f"Bearer {token}"}
    status, answer = await asyncio.to_thread(hub.post, "/in/inbox", json.dumps(envelope).encode(), head)
    assert status == 202, answer


async def told(stream: asyncssh.SSHClientProcess[str], count: int) -> list[int]:
    async with asyncio.timeout(PATIENCE):
        found = [await stream.stdout.readline() for _ in range(count)]
    return [json.loads(line)["change"]["number"] for line in found]


async def test_a_reader_gets_the_native_bytes_and_after_a_break_what_it_missed(
    start_hub: StartHub, reader: Reader
) -> None:
    hub = await asyncio.to_thread(start_hub, settings(reader))
    await happen(hub, 1)
    stream = await reader.stream()
    # A new reader begins with what comes next, so the first answer proves that it is there.
    version = await (await reader.connect()).run("gerrit version")
    assert version.stdout == "gerrit version 3.11.0\n"
    await until_listening(hub)
    (body,) = await happen(hub, 2)
    async with asyncio.timeout(PATIENCE):
        assert (await stream.stdout.readline()).strip().encode() == body
    await asyncio.to_thread(hub.kill)
    await asyncio.to_thread(hub.start)
    await happen(hub, 3, 4)
    again = await reader.stream()
    assert await upto(again, 4) in ([3, 4], [2, 3, 4])  # the kill may have come before the second was known to be here


async def upto(stream: asyncssh.SSHClientProcess[str], number: int) -> list[int]:
    found = await told(stream, 1)
    while found[-1] != number:
        found += await told(stream, 1)
    return found


async def until_listening(hub: HubProcess) -> None:
    async with asyncio.timeout(PATIENCE):
        while "reader came" not in hub.log.read_text():
            await asyncio.sleep(0.05)


async def test_a_second_connection_with_a_key_takes_over_and_goes_on_where_the_first_was(
    start_hub: StartHub, reader: Reader
) -> None:
    hub = await asyncio.to_thread(start_hub, settings(reader))
    first = await reader.stream()
    await until_listening(hub)
    await happen(hub, 1, 2)
    assert await told(first, 2) == [1, 2]
    second = await reader.stream("-s change-merged")
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(asyncssh.ConnectionLost):
            await first.stdout.readline()
    await happen(hub, 8, native="patchset-created")
    await happen(hub, 3)
    # What was on its way when the first was cut may come again.
    assert [number for number in await upto(second, 3) if number > 2] == [3]


@pytest.mark.parametrize("sources", ["", 'sources = ["gerrit"]'], ids=["by kind", "by name"])
async def test_nobody_else_speaks_for_a_gerrit(sources: str, start_hub: StartHub, reader: Reader) -> None:
    hub = await asyncio.to_thread(start_hub, settings(reader, sources=sources))
    stream = await reader.stream()
    await until_listening(hub)
    await forge(hub, event(1, "comment-added"))
    await forge(hub, event(2, "comment-added"), source="https://review.example.org")
    await happen(hub, 3)
    assert await told(stream, 1) == [3]


async def test_a_payload_that_cannot_be_told_is_passed_by(start_hub: StartHub, reader: Reader) -> None:
    hub = await asyncio.to_thread(start_hub, settings(reader, sources='sources = ["gerrit", "inbox"]'))
    stream = await reader.stream()
    await until_listening(hub)
    for updates in ([], 5, [None]):
        await forge(hub, {"type": "batch-ref-updated", "refUpdates": updates})
    await happen(hub, 4)
    assert await told(stream, 1) == [4]
    assert hub.log.read_text().count("an event is not told") == 3
    metrics = await asyncio.to_thread(httpx.get, f"http://127.0.0.1:{hub.http_port}/metrics")
    assert 'firehose_untold_total{door="gerrit"} 3.0' in metrics.text


async def test_a_reader_may_close_its_stdin_at_once(start_hub: StartHub, reader: Reader) -> None:
    hub = await asyncio.to_thread(start_hub, settings(reader))
    stream = await reader.stream()
    stream.stdin.write_eof()
    await until_listening(hub)
    await happen(hub, 5)
    assert await told(stream, 1) == [5]


async def test_keys_are_told_apart_and_others_stay_outside(start_hub: StartHub, reader: Reader) -> None:
    other = Reader(reader.port, "jenkins")
    hub = await asyncio.to_thread(start_hub, settings(reader, other))
    stranger = Reader(reader.port)
    with pytest.raises(asyncssh.PermissionDenied):
        await stranger.connect()
    mine, theirs = await reader.stream(), await other.stream()
    async with asyncio.timeout(PATIENCE):
        while hub.log.read_text().count("reader came") < 2:
            await asyncio.sleep(0.05)
    await happen(hub, 6)
    assert (await told(mine, 1), await told(theirs, 1)) == ([6], [6])
    connection = await other.connect()
    refused = await connection.run("gerrit review 1,1 --code-review 2")
    assert refused.exit_status == 1
    assert "this is Firehose" in str(refused.stderr)
    with pytest.raises(asyncssh.ChannelOpenError):
        await connection.open_connection("127.0.0.1", hub.http_port)
    await other.close()


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("", "readers is empty"),
        ('[doors.gerrit.readers]\nzuul = "ssh-rsa nonsense"', "doors.gerrit.readers.zuul"),
        (f'[doors.gerrit.readers]\nzuul = "{KEY}"', "doors.gerrit.sources"),
        ('sources = ["gerit"]\n[doors.gerrit.readers]\nzuul = "x"', "doors.gerrit.sources"),
        ('host_key_file = "/nowhere"\n[doors.gerrit.readers]\nzuul = "x"', "host_key_file"),
    ],
    ids=["no readers", "no key", "no Gerrit", "no such source", "no host key"],
)
def test_wrong_settings_are_named(tmp_path: Path, lines: str, words: str) -> None:
    gerrit = "" if KEY in lines else '[sources.gerrit]\nkind = "gerrit"\nopen = true\n'
    hub = HubProcess(tmp_path / "hub", f'{gerrit}[doors.gerrit]\nlisten = "127.0.0.1:{free_port()}"\n{lines}')
    with pytest.raises(AssertionError, match="the hub ended with 2"):
        hub.start()
    assert words in hub.tail()
    assert "Traceback" not in hub.tail()
