"""The listening server tells when its port is open, so that "ready" is true when it is said."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from firehose.bus.engine import free_port
from firehose.errors import Broken
from firehose.plumbing.tasks import Crew
from firehose.web.listener import Listener, split


async def application(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def test_who_waited_for_listening_is_answered() -> None:
    crew = Crew()
    for _ in range(20):
        port = free_port()
        listener = Listener(application, f"127.0.0.1:{port}")
        await listener.start()
        serving = crew.start("web", listener.run())
        await listener.listening()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n")
        assert (await reader.readline()).split()[1] == b"204"
        writer.close()
        await listener.close()
        serving.cancel()
    await crew.stop()


async def test_a_server_that_ended_is_not_waited_for() -> None:
    listener = Listener(application, f"127.0.0.1:{free_port()}", "sources.logs.listen")
    await listener.start()
    crew = Crew()
    crew.start("web", listener.run())
    await listener.listening()
    await listener.close()
    with pytest.raises(Broken, match=r"sources\.logs\.listen: nothing listens"):
        await listener.listening()
    await crew.stop()


@pytest.mark.parametrize(
    ("listen", "found"),
    [("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:80", ("::1", 80)), ("localhost:80", ("127.0.0.1", 80))],
)
def test_an_address_is_taken_as_people_write_it(listen: str, found: tuple[str, int]) -> None:
    assert split(listen) == found


@pytest.mark.parametrize(
    "listen", ["8080", ":8080", "127.0.0.1:0", "127.0.0.1:http", "nowhere.invalid:80", "[x:80", f"{'x' * 70}.y:80"]
)
def test_what_is_no_address_names_its_setting(listen: str) -> None:
    with pytest.raises(Broken, match=r"sources\.logs\.listen: ") as caught:
        split(listen, "sources.logs.listen")
    assert caught.value.code == 2
