"""A hostile flood of log lines against a whole hub: its counts add up exactly, in few events."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from typing import Any

import pytest
from tests.journeys.reader import search, until

from firehose.bus.engine import free_port
from firehose.testing import HubProcess, StartHub

pytestmark = pytest.mark.timeout(600)  # the log room steps back where other programs take the cores
SETTINGS = """
[sources.joblogs]
kind = "logs"
trust = "jobs"
listen = "127.0.0.1:{http}"
syslog = "127.0.0.1:{syslog}"
allow = ["127.0.0.1/32"]
learn = 0
file_idle = 2
files_per_minute = 60
window = 2
"""
BATCHES = 40


def flooded(hub: HubProcess, ports: tuple[int, int], batches: int) -> dict[str, Counter[str]]:
    """Flood it; what was sent, by publisher and severity."""
    token = hub.token("publish:joblogs")
    done = subprocess.run(
        [sys.executable, "-m", "tests.fleet.flood", *map(str, ports), token, str(batches)],
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return {name: Counter(sent) for name, sent in json.loads(done.stdout).items()}


def counted(hub: HubProcess, sent: dict[str, Counter[str]]) -> dict[str, dict[str, Any]]:
    """The log room's counts, once it has read everything that syslog's connections still held."""

    def found() -> dict[str, dict[str, Any]] | None:
        counts: dict[str, dict[str, Any]] = hub.get("/v1/logs/joblogs")["counts"]
        return counts if counts.get("127.0.0.1", {}).get("lines", 0) >= sent["127.0.0.1"].total() else None

    return until(found, "all syslog lines")


def test_the_counts_of_a_hostile_flood_add_up_exactly(start_hub: StartHub) -> None:
    ports = free_port(), free_port()
    hub = start_hub(SETTINGS.format(http=ports[0], syslog=ports[1]))
    sent = flooded(hub, ports, BATCHES)
    counts = counted(hub, sent)
    # A token without a name is called by its number.
    sent = {"token-1" if name == "hostile" else name: own for name, own in sent.items()}
    assert set(counts) == set(sent)
    for name, own in sent.items():
        found = counts[name]
        assert found["lines"] == own.total()
        assert found["severities"] == dict(own)
        assert found["kept_lines"] + found["over_lines"] == found["lines"]
        assert found["kept_bytes"] + found["over_bytes"] == found["bytes"]
        assert found["over_lines"] > found["kept_lines"] > 0
    told = overflows(hub, {name: found["over_lines"] for name, found in counts.items()})
    for name, found in counts.items():
        assert sum(data["counts"]["over_lines"] for data in told[name]) == found["over_lines"]
        assert told[name][-1]["total"]["lines"] == found["lines"]
        assert told[name][-1]["total"]["severities"] == found["severities"]
    kept = hub.get("/v1/logs/joblogs")
    assert kept["kept"] == sum(found["kept_lines"] for found in counts.values())
    assert kept["newest"] - kept["oldest"] + 1 == kept["kept"]


def test_the_flood_is_a_handful_of_events_and_holds_no_secret(start_hub: StartHub) -> None:
    ports = free_port(), free_port()
    hub = start_hub(SETTINGS.format(http=ports[0], syslog=ports[1]))
    sent = flooded(hub, ports, 10)
    counts = counted(hub, sent)
    overflows(hub, {name: found["over_lines"] for name, found in counts.items()})
    events = search(hub, "source:joblogs", 1)
    by_kind = Counter(event["kind"] for event in events)
    assert by_kind["log.file.processed"] < 100  # 60 at once, and one more each second
    assert by_kind["log.template.new"] <= 20
    assert sum(by_kind.values()) < 150
    assert b"geheim" not in json.dumps(events).encode()
    assert not [event for event in events if event["severity"] not in ("info", "notice")]


def overflows(hub: HubProcess, wanted: dict[str, int]) -> dict[str, list[dict[str, Any]]]:
    """The data of the overflow events by publisher, oldest first, once they tell of so many lines over."""

    def found() -> dict[str, list[dict[str, Any]]] | None:
        told: dict[str, list[dict[str, Any]]] = {name: [] for name in wanted}
        for event in search(hub, "kind:log.overflow", 1):
            told[event["data"]["publisher"]].append(event["data"])
        over = {name: sum(data["counts"]["over_lines"] for data in all_) for name, all_ in told.items()}
        return told if all(over[name] >= lines for name, lines in wanted.items()) else None

    return until(found, "the summaries of the flood")


def test_what_was_answered_is_counted_though_the_log_room_is_killed(start_hub: StartHub) -> None:
    ports = free_port(), free_port()
    hub = start_hub(SETTINGS.format(http=ports[0], syslog=ports[1]))
    headers = {"Content-Type": "application/x-ndjson"}
    answered = tried = 0
    for turn in range(30):
        lines = b"\n".join(b'{"message": "turn %d, line %d"}' % (turn, number) for number in range(200))
        if turn in (10, 20):
            # In the middle of the connection's next request, or of the commit before its answer.
            threading.Timer(0.2, os.kill, (hub.log_room_pid(), signal.SIGKILL)).start()
        tried += 200
        try:
            connection = http.client.HTTPConnection("127.0.0.1", ports[0], timeout=60)
            connection.request("POST", "/in/joblogs", lines, headers)
            answered += 200 if connection.getresponse().status == 202 else 0
        except (OSError, http.client.HTTPException):
            until(lambda: True if listens(ports[0]) else None, "the log room is back")
    counts = hub.get("/v1/logs/joblogs")
    found = counts["counts"]["127.0.0.1"]
    assert answered < tried
    assert answered <= found["lines"] <= tried
    assert found["lines"] % 200 == 0
    assert counts["kept"] == found["kept_lines"]


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
