"""What the Connect page gives to copy, copied and run as it stands, against a real hub: each shows the next events.

MQTT.js and the browser's EventSource are run in Chromium by `test_same_for_all.py`.
"""

from __future__ import annotations

import html
import json
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from firehose.testing import HubProcess, StartHub, need

SETTINGS = """
[sources.deploys]
kind = "inbox"
[[sources.deploys.rules]]
type = "example.deploy.*"
kind = "service.deployed"
project = "{data.service}"
summary = "{data.service} {data.version} is live"
"""
SNIPPET = re.compile(r'role="tabpanel" id="how-(\w+)".*?<pre[^>]*>(.*?)</pre>', re.DOTALL)


@pytest.fixture
def hub(start_hub: StartHub) -> HubProcess:
    return start_hub(SETTINGS)


class Copied:
    """A snippet as a program of its own; `said` grows."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.said: list[str] = []
        threading.Thread(target=self._hear, daemon=True).start()

    def _hear(self) -> None:
        assert self.process.stdout is not None
        self.said.extend(iter(self.process.stdout.readline, ""))

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def snippets(hub: HubProcess, query: str) -> dict[str, str]:
    with urlopen(f"{hub.url}/connect{query}") as answer:
        return {name: html.unescape(text) for name, text in SNIPPET.findall(answer.read().decode())}


@pytest.fixture
def copied(hub: HubProcess, tmp_path: Path) -> Iterator[dict[str, Copied]]:
    need(shutil.which("mosquitto_sub"), "mosquitto_sub")
    given = snippets(hub, "?q=kind:service.deployed")
    commands = {name: shlex.split(given[name].replace("\\\n", " ")) for name in ("curl", "mosquitto")}
    for name in ("python", "paho"):
        file = tmp_path / f"copied_{name}.py"
        file.write_text(given[name])
        commands[name] = [sys.executable, "-u", str(file)]
    running = {name: Copied(command) for name, command in commands.items()}
    yield running
    for one in running.values():
        one.close()


def test_every_snippet_runs_as_it_stands(hub: HubProcess, copied: dict[str, Copied]) -> None:
    headers = {
        "authorization": f"Bearer {hub.token('publish:deploys')}", "content-type": "application/cloudevents+json",
    }  # fmt: skip
    end, number = time.monotonic() + 60, 0
    while not all(any("is live" in line for line in one.said) for one in copied.values()):
        assert time.monotonic() < end, {name: one.said[-5:] for name, one in copied.items()}
        number += 1
        event = {
            "specversion": "1.0", "id": f"d{number}", "source": "https://deploy.example/atlas",
            "type": "example.deploy.finished", "data": {"service": "atlas", "version": f"4.{number}"},
        }  # fmt: skip
        assert hub.post("/in/deploys", json.dumps(event).encode(), headers)[0] == 202
        time.sleep(0.2)
    for name, one in copied.items():
        assert one.process.poll() is None, (name, one.said)
        line = next(line for line in one.said if "is live" in line)
        assert "service" in line or "atlas" in line, (name, line)
    with urlopen(snippets(hub, "?q=kind:service.deployed")["feed"]) as answer:
        assert b"is live" in answer.read()
    missing = {"python", "paho", "curl", "mosquitto", "mqttjs", "javascript", "feed"} - set(snippets(hub, ""))
    assert not missing
