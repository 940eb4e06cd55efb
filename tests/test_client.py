"""The client follows over breaks, proxies and hubs that come and go: each event once, in order."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner

from firehose import client as module
from firehose.__main__ import main
from firehose.client import Client, HubAway, HubRefused


class Answer(NamedTuple):
    """What a hub says once: events by their number, then the end of the connection, whole or torn."""

    events: tuple[int, ...] = ()
    status: int = 200
    retry_after: str = ""
    torn: bool = False


class Hub:
    """Gives the answers that it was told, in turn, then 503; remembers what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.asked: list[dict[str, str]] = []
        left = list(answers)
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                address = urlsplit(self.path)
                hub.asked.append({name: found[0] for name, found in parse_qs(address.query).items()})
                answer = left.pop(0) if left else Answer(status=503)
                self.send_response(answer.status)
                lines = b"".join(json.dumps(event(number)).encode() + b"\n" for number in answer.events)
                if answer.status != 200:
                    lines = b'{"detail":"so it is"}'
                if answer.retry_after:
                    self.send_header("retry-after", answer.retry_after)
                self.send_header("content-length", str(len(lines) + (9 if answer.torn else 0)))
                self.end_headers()
                self.wfile.write(lines + (b'{"spe' if answer.torn else b""))

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def event(number: int) -> dict[str, str]:
    return {"specversion": "1.0", "id": f"e{number}", "source": "s", "sequence": f"{number:020}",
            "time": f"2026-01-01T00:00:{number:02}Z"}  # fmt: skip


Start = Callable[..., Hub]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    monkeypatch.setattr(module, "_waits", lambda: iter([0.01] * 100))
    hubs: list[Hub] = []

    def make(*answers: Answer) -> Hub:
        hubs.append(Hub(*answers))
        return hubs[-1]

    yield make
    for hub in hubs:
        hub.close()


def ids(client: Client, count: int, **more: str) -> list[str]:
    return [found["id"] for found in islice(client.stream(**more), count)]


def test_a_torn_line_and_a_proxy_without_its_hub_cost_no_event(start: Start) -> None:
    hub = start(
        Answer((1, 2), torn=True), Answer(status=502), Answer(status=503), Answer(status=504), Answer(status=429),
        Answer((2, 3)),
    )  # fmt: skip
    assert ids(Client(hub.url), 3, since="1h") == ["e1", "e2", "e3"]
    assert [asked.get("cursor", asked.get("since")) for asked in hub.asked] == ["1h"] + [f"{2:020}"] * 5


def test_each_break_is_told_with_its_cause_and_the_wait(start: Start) -> None:
    hub = start(Answer((1,)), Answer(status=503, retry_after="1"), Answer((2,)))
    told: list[tuple[str, float]] = []
    assert len(list(islice(Client(hub.url).stream(on_break=lambda why, wait: told.append((why, wait))), 2))) == 2
    assert told == [(f"{hub.url} has ended the connection", 0.01), (f"{hub.url} does not answer: HTTP 503", 1.0)]


@pytest.mark.parametrize("status", [400, 401, 404, 410, 500])
def test_a_refusal_ends_it(start: Start, status: int) -> None:
    hub = start(Answer(status=status))
    with pytest.raises(HubRefused, match="so it is") as caught:
        next(Client(hub.url).stream())
    assert caught.value.status == status


def test_without_reconnecting_a_break_is_an_error(start: Start) -> None:
    hub = start(Answer((1,), torn=True))
    stream = Client(hub.url).stream(reconnect=False)
    assert next(stream)["id"] == "e1"
    with pytest.raises(HubAway, match="does not answer"):
        next(stream)


def test_the_next_hub_goes_on_from_the_last_events_time_and_repeats_nothing(start: Start) -> None:
    first, second = start(Answer((1, 2))), start(Answer((1, 2, 3)))
    assert ids(Client(first.url, second.url), 3) == ["e1", "e2", "e3"]
    assert second.asked == [{"since": "2026-01-01T00:00:02Z"}]


def test_tail_says_what_it_waits_for(start: Start) -> None:
    hub = start(Answer(status=503), Answer((1,)), Answer(status=404))
    told = CliRunner().invoke(main, ["tail", "--json", "--hub", hub.url])
    assert json.loads(told.stdout) == event(1)
    assert f"{hub.url} does not answer: HTTP 503; again in 0.0 s" in told.stderr
    assert told.exit_code == 1


@pytest.mark.parametrize("words", [["replay", "--since", "1h"], ["capture", "gerrit"], ["search", "x"]])
def test_a_command_without_a_hub_says_so(words: list[str]) -> None:
    told = CliRunner().invoke(main, [*words, "--hub", "http://127.0.0.1:1"])
    assert told.exit_code == 1
    assert "no hub answers at http://127.0.0.1:1; is it running?" in told.stderr


@pytest.mark.parametrize("token", ["again:\nfht_x", "fht_x\n", "fht x", "fht_\x01", "fht_ü"])
def test_a_malformed_token_is_named_and_no_hub_is_asked(start: Start, token: str) -> None:
    hub = start(Answer((1,)))
    told = CliRunner().invoke(main, ["search", "x", "--hub", hub.url, "--token", token])
    assert told.exit_code == 2
    assert told.stderr.startswith("firehose: the token is malformed")
    assert "fht" not in told.stderr
    assert hub.asked == []


@pytest.mark.parametrize(
    "hub", ["127.0.0.1:8301", "localhost:8301", "hub.example.org", "ftp://x", "http://", "http://x:0"]
)
def test_an_address_that_is_none_is_named(hub: str) -> None:
    told = CliRunner().invoke(main, ["search", "x", "--hub", hub])
    assert told.exit_code == 2
    assert f"the hub's address {hub!r} is not http://host… or https://host…" in told.stderr
    assert ("did you mean http://" in told.stderr) == ("://" not in hub)


@pytest.mark.parametrize("limit", ["0", "-5"])
def test_a_search_for_no_events_is_a_usage_error(start: Start, limit: str) -> None:
    hub = start(Answer((1,)))
    told = CliRunner().invoke(main, ["search", "x", "--hub", hub.url, "--limit", limit])
    assert told.exit_code == 2
    assert "--limit" in told.stderr
    assert hub.asked == []
