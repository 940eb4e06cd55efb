"""Who is refused learns why, however large the body is that is still on its way."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from firehose.bus.engine import free_port
from firehose.errors import TryLater
from firehose.plumbing.tasks import Crew
from firehose.web import incoming
from firehose.web.answer import reply
from firehose.web.incoming import Incoming
from firehose.web.listener import Listener
from firehose.web.passing import pass_on

BODY = b"x" * 5_000_000
SCOPE: dict[str, Any] = {
    "path": "/in/logs", "query_string": b"", "headers": [(b"authorization", b"Bearer fht_1")],
}  # fmt: skip


async def refusing(scope: Any, receive: Any, send: Any) -> None:
    await Incoming(scope, receive).drop()
    await reply(send, 403, b"because", [(b"connection", b"close")])


@pytest.fixture
async def port() -> AsyncIterator[int]:
    port = free_port()
    listener = Listener(refusing, f"127.0.0.1:{port}")
    await listener.start()
    crew = Crew()
    crew.start("web", listener.run())
    await listener.listening()
    yield port
    await listener.close()
    await crew.stop()


def posted(port: int) -> tuple[int, bytes]:
    """By a client that sends everything before it reads."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/", BODY)
    told = connection.getresponse()
    return told.status, told.read()


async def test_a_large_body_does_not_cost_its_sender_the_answer(port: int) -> None:
    found = [await asyncio.to_thread(posted, port) for _ in range(20)]
    assert set(found) == {(403, b"because")}


async def test_who_asks_before_it_sends_is_answered_at_once(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\nhost: here\r\nexpect: 100-continue\r\ncontent-length: 5000000\r\n\r\n")
    assert (await reader.readline()).split()[1] == b"403"
    writer.close()


async def test_a_sender_without_end_is_read_up_to_a_limit() -> None:
    pieces = 0

    async def receive() -> dict[str, Any]:
        nonlocal pieces
        pieces += 1
        return {"type": "http.request", "body": bytes(2**20), "more_body": True}

    await Incoming(SCOPE, receive).drop()
    assert pieces == incoming.REST_BYTES // 2**20 + 1


async def test_a_sender_that_pauses_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "REST_PAUSE", 0.01)
    waits: list[bool] = []

    async def receive() -> dict[str, Any]:
        waits.append(True)
        await asyncio.Event().wait()
        return {}

    await Incoming(SCOPE, receive).drop()
    assert waits == [True]


class Door:
    """A room's door that answers as soon as it has seen the head, and breaks the connection."""

    def __init__(self, said: bytes) -> None:
        self._said = said
        self.closed = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        line, _ = self._listening.accept()
        head = b""
        while b"\r\n\r\n" not in head:
            head += line.recv(65_536)
        line.sendall(self._said)
        line.close()
        self._listening.close()
        self.closed.set()

    async def receive(self) -> dict[str, Any]:
        """A body without end, which begins when the door is shut: the loop sees the answer after its writes fail."""
        self.closed.wait(30)
        return {"type": "http.request", "body": b"x" * 1_000, "more_body": True}


async def test_a_rooms_refusal_outlives_the_connection_that_it_breaks() -> None:
    door = Door(b"HTTP/1.1 403 Forbidden\r\ncontent-type: a/b\r\ncontent-length: 3\r\nserver: s\r\n\r\nwhy")
    async with asyncio.timeout(30):
        told = await pass_on(door.address, SCOPE, door.receive)
    assert told == (403, b"why", [(b"content-type", b"a/b")])


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 202 Acc", b"HTTP/1.1 202 Accepted\r\ncontent-length: 9\r\n\r\nshort", b"x" * 200_000]
)
async def test_half_an_answer_is_none(said: bytes) -> None:
    door = Door(said)
    with pytest.raises(TryLater, match="broke off"):
        async with asyncio.timeout(30):
            await pass_on(door.address, SCOPE, door.receive)


async def test_a_room_that_is_away_is_said_to_be() -> None:
    with pytest.raises(TryLater, match="is away"):
        await pass_on(f"127.0.0.1:{free_port()}", SCOPE, Incoming(SCOPE, asyncio.Event().wait))  # type: ignore[arg-type]
