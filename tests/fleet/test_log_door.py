"""The log room's HTTP door and what readers get: tokens, whole files, packed bodies, lines that are gone."""

from __future__ import annotations

import gzip
import http.client
import json
from typing import Any

import pytest
import zstandard
from tests.journeys.reader import listening, search, until

from firehose.bus.engine import free_port
from firehose.testing import HubProcess, StartHub

SETTINGS = """
[sources.logs]
kind = "logs"
listen = "127.0.0.1:{port}"
learn = 0
window = 2

[sources.joblogs]
kind = "logs"
trust = "jobs"
listen = "127.0.0.1:{port}"
allow = ["127.0.0.1/32"]
learn = 0
window = 2
"""


class Ground:
    def __init__(self, hub: HubProcess, port: int) -> None:
        self.hub = hub
        self.port = port
        self.token = hub.token("publish:logs", "read:logs-logs")

    def send(self, path: str, body: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", path, body, {name.replace("_", "-"): text for name, text in headers.items()})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def read(self, path: str, **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.http_port, timeout=60)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.fixture
def ground(start_hub: StartHub) -> Ground:
    port = free_port()
    return Ground(start_hub(SETTINGS.format(port=port)), port)


def test_production_lines_are_read_with_a_token_and_its_events_show_no_value(ground: Ground) -> None:
    bearer = {"authorization": f"Bearer {ground.token}"}
    with listening(ground.hub, "events/logs/#") as reader:
        body = b'{"message": "user 4711 of 192.0.2.7 was refused", "level": "error", "host": "db1"}'
        assert ground.send("/in/logs", body, **bearer)[0] == 202
        (event,) = reader.wait(1, kind="log.template.new")
    assert event["summary"] == "New in the log: user <num> of <ip> was refused"
    assert event["severity"] == "error"
    path = event["link"].removeprefix(ground.hub.url)
    assert ground.read(path)[0] == 401
    assert ground.read(path, authorization="Bearer fht_none")[0] == 403
    status, text = ground.read(path, **bearer)
    assert (status, "user 4711 of 192.0.2.7 was refused" in text) == (200, True)
    assert ground.read("/v1/logs/logs/99", **bearer)[0] == 404
    assert ground.read("/v1/logs/logs?last=5", **bearer)[0] == 400
    assert ground.read(f"{path}?contxt=5", **bearer)[0] == 400
    assert ground.read("/v1/logs/nothing")[0] == 404


def test_a_whole_file_is_one_event_and_is_taken_once(ground: Ground) -> None:
    text = b"2025-10-09 | setting up\n2025-10-09 | ERROR it broke\n\nlast line without an end"
    where = "/in/joblogs/file?name=job-output.txt&build=b7e1&project=lumen/atlas&outcome=failure"
    with listening(ground.hub, "events/joblogs/#") as reader:
        assert ground.send(where, text, content_type="text/plain") == (202, {"lines": 3, "kept": 3, "over": 0})
        status, problem = ground.send(where, text, content_type="text/plain")
        (event,) = reader.wait(1, kind="log.file.processed")
    assert (status, problem["type"].rpartition("/")[2]) == (409, "known-file")
    assert event["summary"] == "job-output.txt: 3 lines (1 error), 3 new templates"
    assert (event["outcome"], event["project"], event["refs"]) == ("failure", "lumen/atlas", "build/b7e1")
    assert ground.send("/in/joblogs/file?name=x", b"")[0] == 400
    assert ground.send("/in/joblogs/file?nme=x&build=1", b"")[1]["field"] == "nme"


def test_packed_bodies_are_taken_and_bombs_are_not(ground: Ground) -> None:
    body = b'{"message": "one"}\n{"message": "two"}\n'
    for coding, packed in (("gzip", gzip.compress(body)), ("zstd", zstandard.compress(body))):
        assert ground.send("/in/joblogs", packed, content_encoding=coding)[1]["lines"] == 2
    zeros = bytes(64 * 2**20)
    for coding, packed in (("gzip", gzip.compress(zeros)), ("zstd", zstandard.compress(zeros))):
        assert ground.send("/in/joblogs", packed, content_encoding=coding)[0] == 413
    assert ground.send("/in/joblogs", b"no gzip", content_encoding="gzip")[0] == 400
    assert ground.send("/in/joblogs", body, content_encoding="br")[0] == 415
    lines = ground.hub.get("/v1/logs/joblogs")["counts"]["127.0.0.1"]["lines"]
    assert lines == 4


def test_counts_files_and_templates_outlive_a_restart(ground: Ground) -> None:
    hub = ground.hub
    line = json.dumps({"message": "worker 7 is ready", "build_uuid": "b1", "filename": "a.log"}).encode()
    assert ground.send("/in/joblogs", line)[0] == 202
    hub.kill()
    hub.start()
    until(lambda: True if ground.send("/in/joblogs", line)[0] == 202 else None, "the log room is back")
    assert ground.send("/in/joblogs", b'{"message": "quite another kind of line"}')[0] == 202
    # What was not told before the hub was killed is told after it, and once.
    new = search(hub, "kind:log.template.new", 2)
    assert sorted(event["summary"] for event in new) == [
        "New in the log: quite another kind of line", "New in the log: worker 7 is ready",
    ]  # fmt: skip
    told = hub.get("/v1/logs/joblogs")
    assert told["counts"]["127.0.0.1"]["lines"] == 3
    assert (told["oldest"], told["newest"], told["kept"]) == (1, 3, 3)
