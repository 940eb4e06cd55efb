"""Fixtures for tests of sources and sinks, ours and other people's: `pytest_plugins = ["firehose.testing"]`.

Shared sample folders are found beside the checkout (`../shared`) or by `FIREHOSE_SHARED`; where they are missing the
test skips and says so. In CI (`CI=true`) a missing server is a failure, a missing sample folder is a skip.
`start_hub` gives a real hub in a process of its own, on free ports, that can be killed and started again.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import pytest

from firehose.bus.engine import free_port as free_port
from firehose.plumbing import stacks

START_SECONDS = 60


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared reference samples."""
    places = [Path(os.environ.get("FIREHOSE_SHARED", "")), *(p / "shared" for p in Path(__file__).resolve().parents)]
    for place in places:
        if place.name and (place / "samples").is_dir():
            return place
    pytest.skip("the shared samples are not here; FIREHOSE_SHARED names their folder")


def need(found: str | None, what: str) -> str:
    """A program's path; skips when it is missing, fails when that happens in CI."""
    if found:
        return found
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing; ./run test installs it on Debian and Ubuntu when run as root")
    pytest.skip(f"{what} is not installed")


def peer(name: str, program: str = "python") -> str:
    """A program of a peer's own environment (`requirements/peers/<name>.txt`, made by `./run test` below `.peers`)."""
    root = Path(os.environ.get("FIREHOSE_PEERS") or Path.cwd() / ".peers")
    found = root / name / "bin" / program
    return need(str(found) if found.exists() else None, f"{name}'s {program}")


class HubProcess:
    """`firehose up` as a child, with its own folder, settings file and ports.

    `settings` is TOML text to add below the sections that are written here (hub, http, mqtt listeners).
    """

    def __init__(self, folder: Path, settings: str = "", command: tuple[str, ...] = ("up",)) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.http_port, self.mqtt_port, self.websocket_port = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.log = folder / "hub.log"
        self._command = command
        self._log: IO[bytes] | None = None
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "firehose.toml"
        self.file.write_text(
            f'[hub]\nname = "Test hub"\ndata = "{self.data}"\nlog = "debug"\n'
            f'[http]\nlisten = "127.0.0.1:{self.http_port}"\n'
            f'[mqtt]\nlisten = "127.0.0.1:{self.mqtt_port}"\nwebsocket = "127.0.0.1:{self.websocket_port}"\n{settings}'
        )

    def start(self, environ: Mapping[str, str] | None = None) -> HubProcess:
        """Start and wait until `/readyz` is 200; the log's end is in the error when it does not get there."""
        self._log = self.log.open("ab")
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1]), **(environ or {})}
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "firehose", *self._command, "--settings", str(self.file)],
            cwd=self.folder, env=env, stdout=self._log, stderr=self._log, start_new_session=True,
        )  # fmt: skip
        self.wait_ready()
        return self

    def wait_ready(self, seconds: float = START_SECONDS) -> None:
        """Until the hub serves."""
        deadline = time.monotonic() + seconds
        while not self.ready():
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(f"the hub ended with {self.process.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"the hub is not ready after {seconds:.0f} s:\n{self.tail()}")
            time.sleep(0.05)

    def ready(self) -> bool:
        """Whether `/readyz` is 200 now."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:  # noqa: S310 - our own URL
                return bool(answer.status == 200)
        except OSError:
            return False

    def get(self, path: str) -> Any:
        """The JSON at a path."""
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:  # noqa: S310
            return json.loads(answer.read())

    def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        """Status and JSON answer of a POST, whatever the status."""
        request = urllib.request.Request(self.url + path, data=body, headers=dict(headers or {}))  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def token(self, *scopes: str) -> str:
        """A new access token, made by the command line beside the running hub."""
        options = [part for scope in scopes for part in ("--scope", scope)]
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "firehose", "token", "create", *options, "--data", str(self.data)],
            cwd=self.folder, env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.split()[-1]

    def engine_pid(self) -> int:
        """The process number of the engine child."""
        return self._child("nats-server")

    def recorder_pid(self) -> int:
        """The process number of the recorder; 0 while there is none."""
        try:
            return self._child("firehose.recording")
        except AssertionError:
            return 0

    def log_room_pid(self) -> int:
        """The process number of the log room."""
        return self._child("firehose.logkeeping")

    def _child(self, word: str) -> int:
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in children:
            with suppress(OSError):  # it may end while we look
                if word in Path(f"/proc/{child}/cmdline").read_text():
                    return int(child)
        raise AssertionError(f"the hub has no child {word}")

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End the hub the hard way and wait for it."""
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(30)

    def stop(self) -> int:
        """Ask the hub to stop; its exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self._log is not None:
            self._log.close()
        return int(self.process.returncode)

    def tail(self, lines: int = 40) -> str:
        """The end of the hub's log."""
        return "\n".join(line[-600:] for line in self.log.read_text(errors="replace").splitlines()[-lines:])

    def account(self) -> str:
        """What the hub says of its sources and sinks now, the end of its log without what only debugging wants, and
        where its tasks stand."""
        told = []
        for ends in ("sources", "sinks"):
            with suppress(OSError, ValueError, KeyError):
                told += [json.dumps(each)[:900] for each in self.get(f"/v1/{ends}")[ends]]
        log = self._lines()
        told += [line[:600] for line in log if '"level": "debug"' not in line][-60:]
        return "\n".join([*told, *self._stacks(len(log))])

    def _lines(self) -> list[str]:
        return self.log.read_text(errors="replace").splitlines() if self.log.exists() else []

    def _stacks(self, known: int) -> list[str]:
        """Where the hub's tasks stand, when it still answers."""
        if self.process is None or self.process.poll() is not None:
            return []
        self.process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + 5
        while stacks.END not in self._lines()[known:] and time.monotonic() < deadline:
            time.sleep(0.05)
        return [line[:600] for line in self._lines()[known:] if line.startswith("task ")]


StartHub = Callable[..., HubProcess]


class Mosquitto:
    """A real broker on a port of its own; it keeps sessions over `stop` and `start`. `log` is its file. more: lines of
    its configuration."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.port = free_port()
        self.log = folder / "mosquitto.log"
        self._program = need(shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin"), "mosquitto")
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\n"
            f"persistence true\npersistence_location {folder}/\nmax_queued_messages 0\nlog_dest file {self.log}\n{more}"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it listens."""
        self._process = subprocess.Popen([self._program, "-c", str(self._config)])  # noqa: S603
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert self._process.poll() is None, self.log.read_text(errors="replace")[-500:]
                assert time.monotonic() < deadline, "mosquitto does not listen"
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running Mosquitto."""
    (tmp_path / "mosquitto").mkdir()
    broker = Mosquitto(tmp_path / "mosquitto")
    broker.start()
    yield broker
    broker.stop()


_HUBS = pytest.StashKey[list[HubProcess]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that failed shows what its hubs say."""
    report = yield
    if report.failed:
        for hub in item.stash.get(_HUBS, []):
            report.sections.append((f"hub {hub.folder.name}", hub.account()))
    return report


@pytest.fixture
def start_hub(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartHub]:
    """Start real hubs: `start_hub(settings="[sources.x] …", name="a", environ={…})`. All are stopped at the end."""
    hubs = request.node.stash[_HUBS] = []

    def start(settings: str = "", *, name: str = "hub", environ: Mapping[str, str] | None = None) -> HubProcess:
        hub = HubProcess(tmp_path / name, settings)
        hubs.append(hub)
        return hub.start(environ)

    yield start
    for hub in hubs:
        hub.stop()
