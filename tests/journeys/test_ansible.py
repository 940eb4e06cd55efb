"""A real ansible-core with the shipped plugin: its run is one graph, secrets stay, an absent hub costs nothing."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.reader import Reader, everywhere, listening, search, sink, source, until
from tests.servers.hook import Receiver

from firehose import source as sources
from firehose.bus.engine import free_port
from firehose.testing import HubProcess, StartHub, peer

PLUGINS = Path(sources.__file__).parent / "sources" / "ansible" / "callback_plugins"
PLAYBOOK = """
- name: Base
  hosts: web
  gather_facts: false
  tasks:
    - name: Greet
      ansible.builtin.command: echo hello
    - name: Set the password
      ansible.builtin.command: "echo hunter2 {{ password }}"
      no_log: true
    - name: Left out
      ansible.builtin.debug: {msg: x}
      when: false
    - name: Fill up
      ansible.builtin.fail: {msg: out of disk}
      when: inventory_hostname == 'web2'
"""
SETTINGS = '[sources.ansible]\nkind = "ansible"\n'


class Controller:
    """The machine that runs Ansible."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spool = folder / "spool"
        (folder / "site.yml").write_text(PLAYBOOK)
        python = f"ansible_connection=local ansible_python_interpreter={sys.executable}"
        (folder / "hosts").write_text(f"[web]\nweb1 {python}\nweb2 {python}\n")

    def run(self, **options: str) -> subprocess.CompletedProcess[str]:
        program = Path(peer("ansible", "ansible-playbook"))
        env = {
            **os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_CALLBACK_PLUGINS": str(PLUGINS), "ANSIBLE_CALLBACKS_ENABLED": "firehose",
            "FIREHOSE_ANSIBLE_SPOOL": str(self.spool), "LC_ALL": "C.UTF-8",
            **{f"FIREHOSE_ANSIBLE_{key.upper()}": value for key, value in options.items()},
        }  # fmt: skip
        return subprocess.run(
            [str(program), "-i", "hosts", "-e", "password=swordfish", "site.yml"], cwd=self.folder, env=env,
            capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    folder = tmp_path / "controller"
    folder.mkdir()
    return Controller(folder)


def graph(hub: HubProcess, run: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = hub.get(f"/v1/graph/{run}")["events"]
    return found


def check_run(hub: HubProcess) -> None:
    """The run is complete, is one graph, and nothing of its secrets is anywhere."""
    (finished,) = search(hub, "kind:pipelinerun.finished")
    found = graph(hub, finished["subject"])
    kinds = [event["kind"] for event in found]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "pipelinerun.started": 1, "play.started": 1, "taskrun.started": 4, "taskrun.finished": 8, "host.finished": 2,
        "pipelinerun.finished": 1,
    }  # fmt: skip
    assert (finished["outcome"], finished["refs"]) == ("failure", f"{finished['subject']} build/1f0c")
    assert finished["summary"].startswith("site.yml failed on 2 hosts: 4 ok, 4 changed, 1 failures")
    (failed,) = [event for event in found if event["outcome"] == "failure" and event["kind"] == "taskrun.finished"]
    assert failed["summary"] == "web2: Fill up: failed: out of disk"
    everything = json.dumps(found)
    assert "hunter2" not in everything
    assert "swordfish" not in everything
    secret = [event["data"] for event in found if event["data"].get("ansible_task") == "Set the password"]
    assert [one["ansible_result"] for one in secret if one["event"] == "result"] == 2 * [
        {"censored": True, "changed": True}
    ]


def started(reader: Reader) -> list[str]:
    """The original topics on which a play's start came."""
    return [topic for topic, _ in list(reader.got) if topic.endswith("/action/start")]


def test_a_run_by_http_is_one_graph(start_hub: StartHub, controller: Controller, receiver: Receiver) -> None:
    hub = start_hub(SETTINGS + sink(receiver))
    token = controller.folder / "token"
    token.write_text(hub.token("publish:ansible"))
    with listening(hub, "events/ansible/#", "ansible/#") as reader:
        done = controller.run(url=f"{hub.url}/in/ansible", token_file=str(token), refs="build/1f0c")
        assert done.returncode == 2, done.stdout + done.stderr
        assert "firehose:" not in done.stderr
        check_run(hub)
        (start,) = until(lambda: started(reader) or None, "the play's start by MQTT")
        play = start.split("/")[2]
        failed = json.loads(reader.payload(f"ansible/playbook/{play}/task/web2/FAILED"))
        assert failed["ansible_result"]["msg"] == "out of disk"
        (finished,) = search(hub, "kind:pipelinerun.finished")
        assert everywhere(finished, reader, receiver) == (
            "pipelinerun.finished", "", socket.getfqdn(),
            "site.yml failed on 2 hosts: 4 ok, 4 changed, 1 failures, 3 skipped", "",
            f"{finished['subject']} build/1f0c",
        )  # fmt: skip
    # Seventeen records in fewer deliveries: they come together.
    assert source(hub, "ansible")["verdicts"]["event"] < 17
    assert not controller.spool.exists()


def test_a_run_by_mqtt_is_the_same(start_hub: StartHub, controller: Controller) -> None:
    login = '[[mqtt.logins]]\nuser = "ansible"\nsource = "ansible"\nsecret_env = "ANSIBLE_PASSWORD"\n'
    hub = start_hub(login + SETTINGS, environ={"ANSIBLE_PASSWORD": "pw"})
    password = controller.folder / "password"
    password.write_text("pw")
    done = controller.run(mqtt=f"127.0.0.1:{hub.mqtt_port}", token_file=str(password), refs="build/1f0c")
    assert done.returncode == 2, done.stdout + done.stderr
    check_run(hub)


def test_without_a_hub_the_play_goes_on_and_the_next_run_brings_what_was_missed(
    start_hub: StartHub, controller: Controller
) -> None:
    done = controller.run(url=f"http://127.0.0.1:{free_port()}/in/ansible", finish_seconds="0.5", refs="build/1f0c")
    assert done.returncode == 2
    assert "out of disk" in done.stdout
    assert "the hub is away" in done.stderr
    assert list(controller.spool.glob("*.json"))
    (controller.spool / "0-0-00000.json").write_text("[]")  # oldest of all, and nothing that the hub takes
    hub = start_hub(SETTINGS)
    token = controller.folder / "token"
    token.write_text(hub.token("publish:ansible"))
    done = controller.run(url=f"{hub.url}/in/ansible", token_file=str(token))
    assert "is no longer sent" in " ".join(done.stderr.split())
    assert [file.name for file in controller.spool.iterdir()] == ["0-0-00000.refused"]
    first, second = search(hub, "kind:pipelinerun.finished", 2)
    assert len(graph(hub, first["subject"])) == len(graph(hub, second["subject"])) == 17
    assert not list(controller.spool.glob("*.json"))


def test_original_plugin_defect_a_connection_for_each_event_in_the_plays_way(controller: Controller) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:  # takes connections and never says a word
        port = silent.getsockname()[1]
        done = controller.run(url=f"http://127.0.0.1:{port}/in/ansible", finish_seconds="0.5")
        silent.setblocking(False)
        connections = []
        with contextlib.suppress(BlockingIOError):
            while True:
                connections.append(silent.accept()[0])
        for connection in connections:
            connection.close()
    assert (done.returncode, "out of disk" in done.stdout, "the hub is away" in done.stderr) == (2, True, True)
    spooled = [json.loads(file.read_text())["events"] for file in sorted(controller.spool.glob("*.json"))]
    records = [record["event"] for batch in spooled for record in batch]
    assert (records[0], records[-1], len(records)) == ("run_start", "run_finish", 17)
    assert 0 < len(connections) < len(records)


def test_a_wrong_token_is_said_once_and_fails_nothing(start_hub: StartHub, controller: Controller) -> None:
    hub = start_hub(SETTINGS)
    done = controller.run(url=f"{hub.url}/in/ansible")
    assert done.returncode == 2
    assert "answered 401" in done.stderr
    assert "token create" in done.stderr or "Authorization: Bearer" in done.stderr
    assert "out of disk" in done.stdout
