"""Hostile readers: such as never read, ask for the absurd, or come in hundreds. Everybody else is served as before."""

from __future__ import annotations

import json
import socket
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from firehose.access.tokens import Tokens
from firehose.testing import HubProcess, StartHub
from firehose.web.live import MOST_PER_ADDRESS

SETTINGS = '[sources.ci]\nkind = "inbox"\n'
PAD = "x" * 20_000


@pytest.fixture
def hub(start_hub: StartHub) -> HubProcess:
    return start_hub(SETTINGS)


@pytest.fixture
def send(hub: HubProcess) -> Callable[[int, int], None]:
    """Publish events with these numbers."""
    tokens = Tokens(hub.data / "access.sqlite")
    text, _ = tokens.create(["publish:ci"])
    tokens.close()
    headers = {"authorization": f"Bearer {text}", "content-type": "application/cloudevents+json"}

    def post(first: int, last: int) -> None:
        with httpx.Client(timeout=60, trust_env=False, headers=headers) as client:
            for number in range(first, last + 1):
                body = {"specversion": "1.0", "id": str(number), "source": "https://ci.example", "type": "a.build.done"}
                answer = client.post(f"{hub.url}/in/ci", content=json.dumps({**body, "data": {"pad": PAD}}))
                assert answer.status_code == 202

    return post


def ids(hub: HubProcess, count: int) -> list[str]:
    """What a well-behaved reader gets."""
    found: list[str] = []
    with httpx.stream("GET", f"{hub.url}/v1/stream/json?since=earliest", timeout=60, trust_env=False) as answer:
        for line in answer.iter_lines():
            told = json.loads(line)
            found += [told["id"]] if "specversion" in told else []
            if len(found) == count:
                break
    return found


def resident(hub: HubProcess) -> int:
    """The hub process's memory in KiB."""
    assert hub.process is not None
    with open(f"/proc/{hub.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def test_readers_that_read_nothing_cost_nobody_anything(hub: HubProcess, send: Callable[[int, int], None]) -> None:
    send(1, 1)
    lazy = []
    for _ in range(60):
        connection = socket.create_connection(("127.0.0.1", hub.http_port))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.sendall(b"GET /v1/stream/sse?since=earliest HTTP/1.1\r\nHost: x\r\n\r\n")
        lazy.append(connection)
    before = resident(hub)
    send(2, 400)
    assert ids(hub, 400) == [str(number) for number in range(1, 401)]
    # Sixty readers times eight megabytes would be half a gigabyte, if what they do not read were kept for each.
    assert resident(hub) - before < 200_000
    for connection in lazy:
        connection.close()


ABSURD = [
    pytest.param("/v1/events?q=" + "a" * 60_000, (400, 414), id="a long word"),
    pytest.param("/v1/events?q=" + "(" * 3_000 + "a" + ")" * 3_000, (400, 414), id="deep parentheses"),
    pytest.param("/v1/events?q=" + "%20OR%20".join(f"a{n}" for n in range(2_000)), (200, 400, 414), id="many terms"),
    pytest.param("/v1/events?q=" + "*a" * 500, (200, 400), id="many stars"),
    pytest.param("/v1/events?q=data." + ".x" * 2_000 + ":1", (200, 400, 414), id="a deep path"),
    pytest.param("/v1/events?" + "&".join(f"kind=k.{n}" for n in range(5_000)), (400, 414), id="many parameters"),
    pytest.param("/v1/events?limit=1000000000", (400,), id="a huge page"),
    pytest.param("/v1/events?since=99999999999999999999999", (400,), id="a huge moment"),
    pytest.param("/v1/events?cursor=-1", (400,), id="a negative cursor"),
    pytest.param("/v1/events?cursor=%00%ff", (400,), id="bytes as a cursor"),
    pytest.param("/v1/counts?by=kind&per=minute&since=earliest", (200, 400, 422), id="every minute ever"),
    pytest.param("/v1/counts?by=kind&per=minute&since=0000000001", (200, 400, 422), id="every minute since 1970"),
    pytest.param("/v1/graph/" + "x" * 9_000, (200, 400, 404, 414), id="a long subject"),
    pytest.param(
        "/v1/stream/" + ",".join(f"events/+/+/+/p{n}/%23" for n in range(3_000)), (400, 414, 431), id="many filters"
    ),
    pytest.param("/v1/stream/" + "%23/" * 500, (400,), id="a filter that is none"),
    pytest.param("/v1/stream/json?until=latest&q=" + urllib.parse.quote('"' + "é" * 9_000), (400, 414), id="no end"),
    pytest.param("/v1/stream?as=" + "x" * 5_000, (400,), id="a form that is none"),
]


@pytest.mark.parametrize(("path", "statuses"), ABSURD)
def test_absurd_requests_are_answered_and_the_hub_goes_on(
    hub: HubProcess, send: Callable[[int, int], None], path: str, statuses: tuple[int, ...]
) -> None:
    send(1, 3)
    answer = raw(hub, path)
    status = int(answer.split(b" ", 2)[1])
    assert status in statuses, answer[:600]
    assert b"Traceback" not in answer
    if status == 400 and b"problem+json" in answer:
        problem = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert problem["detail"]
        assert len(problem["detail"]) < 2_000
    assert ids(hub, 3) == ["1", "2", "3"]
    assert "Traceback" not in hub.log.read_text()


def raw(hub: HubProcess, path: str) -> bytes:
    """The answer to a request that no library would send as it stands."""
    with socket.create_connection(("127.0.0.1", hub.http_port), timeout=60) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        found = b""
        while piece := connection.recv(65_536):
            found += piece
        return found


def test_streams_by_the_hundred_from_one_address_are_limited_not_others(tmp_path: Path) -> None:
    hub = HubProcess(tmp_path / "limited", SETTINGS)
    hub.file.write_text(hub.file.read_text().replace("[http]", '[http]\ntrusted_proxies = ["127.0.0.1"]'))
    try:
        hub.start()
        many = [opened(hub, "203.0.113.9") for _ in range(MOST_PER_ADDRESS + 20)]
        told = [first(connection) for connection in many]
        assert sum(b"too-many-streams" in each for each in told) == 20
        # What this address cannot have, another can, and the first one again once it has let go.
        assert b"too-many-streams" not in first(opened(hub, "203.0.113.10"))
        for connection in many:
            connection.close()
        end = time.monotonic() + 60
        while b"too-many-streams" in first(opened(hub, "203.0.113.9")):
            assert time.monotonic() < end
    finally:
        hub.stop()


def opened(hub: HubProcess, address: str) -> socket.socket:
    """A stream that a proxy passes on for this address."""
    connection = socket.create_connection(("127.0.0.1", hub.http_port), timeout=60)
    request = f"GET /v1/stream/json HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {address}\r\n\r\n"
    connection.sendall(request.encode())
    return connection


def first(connection: socket.socket) -> bytes:
    """Head and first line of an answer."""
    found = b""
    while b'"event":' not in found:
        piece = connection.recv(4_096)
        if not piece:
            break
        found += piece
    return found
