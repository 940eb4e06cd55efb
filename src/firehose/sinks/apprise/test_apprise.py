"""The Apprise sink: what a notification says, and that a real service over there gets it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from firehose.errors import Broken, TryLater
from firehose.event import Event, Recorded, encode
from firehose.plumbing.clock import now
from firehose.sink import Outlet, Tools
from firehose.sinks.apprise.apprise import SINK, AppriseSettings, render


def event(id_: str, **more: Any) -> Recorded:
    given: dict[str, Any] = {
             "id": id_, "source": "https://ci.example", "type": "t", "kind": "incident.detected", "subject": "node/7",
             "project": "infra", "summary": "the node is gone", "time": datetime(2026, 3, 1, tzinfo=UTC)}  # fmt: skip
    return Recorded(7, now(), encode("ci", Event(**{**given, **more})))


def outlet(**more: Any) -> Outlet:
    return Outlet(name="x", kind=SINK, settings=AppriseSettings(kind="apprise", **more), hub_url="https://hub.example")


def tools(url: str) -> Tools:
    return Tools(secret=lambda word: url.encode(), sign=lambda words: b"", now=now)


class Service(HTTPServer):
    """What Apprise's json:// posts to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[dict[str, Any]] = []
        self.status = 200


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.server.got.append(json.loads(body) if "json" in self.headers["content-type"] else {"xml": body})
        self.send_response(self.server.status)
        self.send_header("location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    found = Service()
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


def test_a_notification_says_what_happened_and_where_to_look() -> None:
    message = render([event("1"), event("2", summary="it is back", link="https://ci.example/7")], "", outlet())
    assert message.headers["title"] == "infra incident.detected"
    assert message.body.decode().splitlines() == [
        "the node is gone", f"https://hub.example/events/{7:020d}", "it is back", "https://ci.example/7",
    ]  # fmt: skip
    assert render([event("1")], "", outlet(title="Night")).headers["title"] == "Night"


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # Apprise's own; it does without from Python 3.13 on
async def test_a_service_gets_it_and_a_refusal_is_tried_again(service: Service) -> None:
    transport = SINK.connect(outlet(allow=("127.0.0.1",)), tools(f"json://127.0.0.1:{service.server_port}/"))
    message = render([event("1")], "", outlet())
    assert await transport.send(message) == "notified"
    (got,) = service.got
    assert got["title"] == "infra incident.detected"
    assert got["message"].startswith("the node is gone")
    for status in (500, 307):
        service.got.clear()
        service.status = status
        with pytest.raises(TryLater):
            await transport.send(message)
        assert len(service.got) == 1
    await transport.close()


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
async def test_another_service_gets_it_in_its_own_words(service: Service) -> None:
    transport = SINK.connect(outlet(allow_private=True), tools(f"xml://localhost:{service.server_port}/"))
    assert await transport.send(render([event("1", summary="Zoë & <the> node")], "", outlet())) == "notified"
    (got,) = service.got
    assert "Zoë &amp;" in got["xml"]
    assert "infra incident.detected" in got["xml"]
    await transport.close()


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
@pytest.mark.parametrize(
    "url", ["json://127.0.0.1:{port}/", "xml://localhost:{port}/", "json://169.254.169.254:{port}/"]
)
async def test_nothing_goes_to_an_inner_address_that_is_not_allowed(service: Service, url: str) -> None:
    transport = SINK.connect(outlet(), tools(url.format(port=service.server_port)))
    with pytest.raises(TryLater, match="unless the settings allow it"):
        await transport.send(render([event("1")], "", outlet()))
    assert service.got == []
    await transport.close()


@pytest.mark.parametrize("url", ["", "json://a json://b", "no-such-service://x"])
def test_what_cannot_work_is_told_and_the_secret_is_not(url: str) -> None:
    with pytest.raises(Broken) as error:
        SINK.connect(outlet(), tools(url))
    assert error.value.code == 2
    assert not url or url not in error.value.detail
