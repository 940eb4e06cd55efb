"""Log lines in every form, to the few events that they become."""

from __future__ import annotations

import base64
import json
import urllib.request
from typing import Any

from tests.journeys.reader import listening, search

from firehose.bus.engine import free_port
from firehose.testing import HubProcess, Mosquitto, StartHub

SETTINGS = """
[sources.logs]
kind = "logs"
trust = "production"
listen = "127.0.0.1:{port}"
allow = ["127.0.0.1/32"]
learn = 0
file_idle = 1
window = 2

[sources.joblogs]
kind = "logs"
trust = "jobs"
listen = "127.0.0.1:{port}"
learn = 0
file_idle = 1
window = 2
"""


def send(hub: HubProcess, port: int, path: str, body: bytes, **headers: str) -> tuple[int, Any]:
    """A POST to the log room."""
    own, hub.url = hub.url, f"http://127.0.0.1:{port}"
    try:
        return hub.post(path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    finally:
        hub.url = own


def test_a_jobs_file_is_one_event_and_its_new_template_another(start_hub: StartHub, mosquitto: Mosquitto) -> None:
    port = free_port()
    sink = f'[sinks.lab]\nkind = "mqtt"\nurl = "mqtt://127.0.0.1:{mosquitto.port}"\nmode = "structured"\n'
    hub = start_hub(SETTINGS.format(port=port) + sink)
    token = hub.token("publish:joblogs")
    lines = [
        {
            "@timestamp": "2025-10-09T09:20:00.123Z", "message": f"worker {n} timed out, password=hunter{n}",
            "level": "ERROR", "build_uuid": "b7e1", "filename": "screen-n-cpu.txt", "project": "lumen/atlas",
            "log_url": "https://logs.lumen.example/b7e1/screen-n-cpu.txt", "build_status": "FAILURE",
        }
        for n in range(20)
    ]  # fmt: skip
    with listening(hub, "events/joblogs/#") as reader, listening(mosquitto.port) as lab:
        status, told = send(hub, port, "/in/joblogs", json.dumps(lines).encode(), authorization=f"Bearer {token}")
        assert (status, told) == (202, {"lines": 20, "kept": 20, "over": 0})
        assert send(hub, port, "/in/joblogs", b"[]")[0] == 401
        assert send(hub, port, "/in/logs", b"[]", authorization=f"Bearer {token}")[0] == 403
        events = reader.wait(2)
        sunk = lab.wait(2)
    assert {event["id"] for event in sunk} == {event["id"] for event in events}
    new, file = sorted(events, key=lambda event: event["kind"], reverse=True)
    assert (new["kind"], new["severity"], new["project"]) == ("log.template.new", "notice", "lumen/atlas")
    assert new["summary"] == "New in the log: worker 0 timed out, password=<hidden>"
    assert (file["kind"], file["subject"].split("/")[0]) == ("log.file.processed", "logfile")
    assert file["summary"] == "screen-n-cpu.txt: 20 lines (20 error), 1 new templates"
    assert file["link"] == "https://logs.lumen.example/b7e1/screen-n-cpu.txt"
    assert "build/b7e1" in file["refs"].split()
    with urllib.request.urlopen(new["link"]) as answer:
        shown = answer.read().decode()
    assert shown.splitlines()[0].startswith("> 1 2025-10-09T09:20:00")
    assert "error   screen-n-cpu.txt: worker 0 timed out, password=<hidden>" in shown
    found = search(hub, "kind:log.* source:joblogs", 2)
    assert {event["id"] for event in found} == {event["id"] for event in events}
    assert b"hunter" not in json.dumps(found).encode()


def test_the_hubs_own_address_passes_lines_on_to_the_room_but_only_with_a_token(start_hub: StartHub) -> None:
    hub = start_hub(SETTINGS.format(port=free_port()))
    token = hub.token("publish:logs")
    lines = b"".join(b'{"message": "disk %d is full", "level": "error"}\n' % number for number in range(20_000))
    known = {"Authorization": f"Bearer {token}"}
    status, told = hub.post("/in/logs", lines, {**known, "Content-Type": "application/x-ndjson"})
    assert (status, told["lines"], told["kept"] + told["over"]) == (202, 20_000, 20_000)
    file = b"one\ntwo\nthree\n"
    basic = base64.b64encode(f"any:{token}".encode()).decode()
    status, told = hub.post("/in/logs/file?name=a.txt&build=b1", file, {"Authorization": f"Basic {basic}"})
    assert (status, told["lines"]) == (202, 3)
    # The room lets 127.0.0.1 in without a token, and the hub is there: nobody may come in through it.
    empty = base64.b64encode(b"any:").decode()
    proofs: tuple[dict[str, str], ...] = ({}, {"Authorization": f"Basic {empty}"}, {"Authorization": "Bearer "})
    for headers in proofs:
        status, told = hub.post("/in/logs", b"[]", headers)
        assert (status, told["type"].rsplit("/", 1)[1]) == (401, "no-signature")
    status, told = hub.post("/in/logs", b"[]", {"Authorization": "Bearer fht_wrong"})
    assert (status, told["type"].rsplit("/", 1)[1]) == (403, "bad-token")
    status, told = hub.post("/in/logs", b"x" * (17 * 2**20), known)
    assert (status, told["type"].rsplit("/", 1)[1]) == (413, "too-large")
    assert hub.post("/in/logs/elsewhere", b"[]", known)[0] == 404
