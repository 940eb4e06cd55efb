"""`firehose up` as a user sees it: starts from nothing, serves, stops cleanly, explains what is in the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import paho.mqtt.publish
import pytest

from firehose.testing import HubProcess, StartHub

SOURCE = Path(__file__).resolve().parents[2] / "src"


def firehose(*words: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "firehose", *words], cwd=cwd, env={**os.environ, "PYTHONPATH": str(SOURCE), **environ},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


ZUUL = """
[[mqtt.logins]]
user = "zuul"
source = "zuul"
secret_env = "ZUUL_PASSWORD"
own_topics = true
[sources.zuul]
kind = "zuul"
"""
REPORT = {
    "timestamp": 1750000900.5, "action": "enqueue", "tenant": "example", "zuul_ref": "Zdead", "pipeline": "check",
    "uuid": "11112222333344445555666677778888", "trigger_time": 1750000000.0, "enqueue_time": 1750000003.0,
    "changes": [{"project": "org/app", "branch": "master", "change": 7, "patchset": "1", "ref": "refs/changes/07/7/1",
                 "change_url": "https://review.example.org/7", "commit_id": "a" * 40, "owner": "ada", "topic": None}],
    "project": "org/app", "branch": "master", "change": 7, "patchset": "1", "ref": "refs/changes/07/7/1",
    "change_url": "https://review.example.org/7", "message": "Enqueued in check.",
    "buildset": {"uuid": "aaaabbbbccccddddeeeeffff00001111", "result": None, "builds": [], "retry_builds": []},
    "zuul_event_id": "99998888777766665555444433332222",
}  # fmt: skip


def test_a_hub_starts_from_nothing_serves_and_stops_cleanly(start_hub: StartHub) -> None:
    hub = start_hub()
    assert "ready" in hub.tail()
    assert hub.get("/v1/events")["events"] == []
    assert hub.stop() == 0
    assert "firehose: stopped" in hub.tail(5)


def test_one_event_goes_from_zuul_to_a_reader_and_survives_a_restart(start_hub: StartHub) -> None:
    hub = start_hub(ZUUL, environ={"ZUUL_PASSWORD": "z3cret"})
    assert [health["proof"] for health in hub.get("/v1/sources")["sources"]] == ["login"]
    paho.mqtt.publish.single(
        "example/zuul/check/org/app/master/7", json.dumps(REPORT), qos=1, hostname="127.0.0.1", port=hub.mqtt_port,
        auth={"username": "zuul", "password": "z3cret"},
    )  # fmt: skip
    told = firehose(
        "tail", "events/zuul/#", "--since", "earliest", "--until", "seq:2", "--json", "--hub", hub.url, cwd=hub.folder
    )
    event = json.loads(told.stdout)
    assert (event["sequence"], event["kind"], event["project"]) == (f"{1:020d}", "pipelinerun.queued", "org/app")
    assert hub.stop() == 0
    hub.start({"ZUUL_PASSWORD": "z3cret"})
    found = hub.get("/v1/events?q=project:org/app")["events"]
    assert [(e["id"], e["sequence"]) for e in found] == [(event["id"], event["sequence"])]


def test_a_stream_that_was_lost_goes_on_after_the_history_which_still_knows_each_delivery(start_hub: StartHub) -> None:
    """The same as far beyond the engine's window for duplicates: neither it nor the gate's memory knows the id."""
    hub = start_hub('[sources.box]\nkind = "inbox"')
    token = hub.token("publish:box")
    headers = {"content-type": "application/cloudevents+json", "authorization": f"Bearer {token}"}

    def send(number: int) -> tuple[int, str, str]:
        event = {"specversion": "1.0", "id": f"e{number}", "source": "https://x.example", "type": "example.thing.done"}
        status, told = hub.post("/in/box", json.dumps(event).encode(), headers)
        return status, told["verdict"], told["sequence"]

    first = [send(number) for number in (1, 2, 3)]
    # What is not in the history yet is only in the stream.
    deadline = time.monotonic() + 60
    while not hub.get("/v1/events?limit=1&since=seq:3")["events"]:
        assert time.monotonic() < deadline, "the history still lacks the third event"
    assert hub.stop() == 0
    shutil.rmtree(hub.data / "engine" / "store")
    hub.start()
    assert send(2) == (200, "duplicate", first[1][2])
    assert send(4) == (202, "event", f"{4:020d}")
    told = firehose("tail", "--since", "earliest", "--until", "seq:5", "--json", "--hub", hub.url, cwd=hub.folder)
    assert [json.loads(line)["id"] for line in told.stdout.splitlines()] == ["e1", "e2", "e3", "e4"]
    (health,) = hub.get("/v1/sources")["sources"]
    assert health["proof"] == "hub token"


def test_a_clean_restart_keeps_every_count_of_a_source(start_hub: StartHub) -> None:
    hub = start_hub('[sources.box]\nkind = "inbox"')
    headers = {"content-type": "application/cloudevents+json", "authorization": f"Bearer {hub.token('publish:box')}"}
    for number in range(5):
        event = {"specversion": "1.0", "id": f"e{number}", "source": "https://x.example", "type": "example.thing.done"}
        assert hub.post("/in/box", json.dumps(event).encode(), headers)[0] == 202
    (before,) = hub.get("/v1/sources")["sources"]
    hub.kill(signal.SIGTERM)
    hub.start()
    (after,) = hub.get("/v1/sources")["sources"]
    assert before["verdicts"]["event"] == 5
    assert [after[key] for key in ("verdicts", "last_event", "since")] == [
        before[key] for key in ("verdicts", "last_event", "since")
    ]


def test_a_taken_port_names_the_setting_that_changes_it(start_hub: StartHub, tmp_path: Path) -> None:
    first = start_hub()
    second = HubProcess(tmp_path / "second")
    text = second.file.read_text()
    for mine, theirs, setting in (
        (second.mqtt_port, first.mqtt_port, "mqtt.listen"), (second.http_port, first.http_port, "http.listen"),
    ):  # fmt: skip
        second.file.write_text(text.replace(str(mine), str(theirs)))
        done = firehose("up", "--settings", str(second.file), cwd=tmp_path)
        assert done.returncode == 4
        assert setting in done.stderr
        assert "Traceback" not in done.stderr


def test_two_hubs_cannot_share_a_data_folder(start_hub: StartHub, tmp_path: Path) -> None:
    first = start_hub()
    second = HubProcess(tmp_path / "second")
    done = firehose("up", "--settings", str(second.file), "--data", str(first.data), cwd=tmp_path)
    assert done.returncode == 4
    assert "another hub" in done.stderr
    assert "--data" in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[htp]\nlisten = "x"', "did you mean 'http'"),
        ("[http]\nlisen = 1", "unknown setting http.lisen; did you mean 'listen'"),
        ('[sources.x]\nkind = "gerit"', "did you mean 'gerrit'"),
        ("[sources.x]\nurl = 1", "needs kind"),
        ("[hub\n", "firehose.toml"),
        ('[mqtt]\nlogins = [{ user = "a", source = "b" }]', "source 'b'"),
    ],
    ids=["section", "key", "source kind", "no kind", "not TOML", "login without source"],
)
def test_wrong_settings_name_the_nearest_right_one(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "firehose.toml").write_text(text)
    done = firehose("up", cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_say_where_each_value_comes_from(tmp_path: Path) -> None:
    (tmp_path / "firehose.toml").write_text('[hub]\nname = "Mine"')
    done = firehose("settings", "--json", cwd=tmp_path, FIREHOSE_HTTP__LISTEN="127.0.0.1:9")
    told = json.loads(done.stdout)
    assert told["hub.name"] == {"value": "Mine", "origin": "firehose.toml"}
    assert told["http.listen"] == {"value": "127.0.0.1:9", "origin": "$FIREHOSE_HTTP__LISTEN"}
    assert told["engine.sync"] == {"value": "always", "origin": "default"}
