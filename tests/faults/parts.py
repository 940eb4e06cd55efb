"""A hub on an engine that somebody else runs, its parts in processes of their own, as on several machines.

`Engine` is a plain nats-server with the configuration that `firehose engine-config` prints; `Part` is `firehose run …`
beside a hub that runs the other parts.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from firehose.bus.engine import find_binary, free_port
from firehose.testing import HubProcess

SOURCE = Path(__file__).resolve().parents[2] / "src"


class Engine:
    """A nats-server of our own. `settings` is what a hub needs to be told of it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.port = free_port()
        (folder / "password").write_text("a-long-password-of-the-operator")
        self.settings = (
            f'[engine]\nurls = ["nats://127.0.0.1:{self.port}"]\nsecret_file = "{folder / "password"}"\nkeep_gib = 1\n'
        )
        self.process: subprocess.Popen[bytes] | None = None

    def configure(self, hub: HubProcess) -> None:
        """Let the command line write the configuration, from the hub's own settings."""
        done = subprocess.run(
            [sys.executable, "-m", "firehose", "engine-config", "--listen", f"127.0.0.1:{self.port}",
             "--store", str(self.folder), "--settings", str(hub.file)],
            env={**os.environ, "PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        (self.folder / "nats.conf").write_text(done.stdout)

    def start(self) -> None:
        """Run it until it listens."""
        self.process = subprocess.Popen(
            [find_binary(""), "-c", str(self.folder / "nats.conf")], stderr=(self.folder / "log").open("ab")
        )
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, (self.folder / "log").read_text()[-2_000:]
                assert self.process.poll() is None, (self.folder / "log").read_text()[-2_000:]
                time.sleep(0.05)

    def kill(self) -> None:
        """End it the hard way."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class Part:
    """`firehose run <part>` with the settings of a hub."""

    def __init__(self, hub: HubProcess, part: str) -> None:
        self.part = part
        self.log = hub.folder / f"{part}.log"
        self._command = [sys.executable, "-m", "firehose", "run", part, "--settings", str(hub.file)]
        self._out: IO[bytes] | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, environ: Mapping[str, str] | None = None) -> None:
        """Run it until it says that it is ready."""
        said = self.said()
        self._out = self.log.open("ab")
        self.process = subprocess.Popen(
            self._command, stdout=self._out, stderr=self._out, start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(SOURCE), **(environ or {})},
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while self.said() == said:
            assert self.process.poll() is None, self.log.read_text()[-2_000:]
            assert time.monotonic() < deadline, self.log.read_text()[-2_000:]
            time.sleep(0.02)

    def said(self) -> int:
        """How often it was ready."""
        return self.log.read_text().count(f"{self.part} ready") if self.log.exists() else 0

    @property
    def dead(self) -> bool:
        """Whether it has ended."""
        return self.process is not None and self.process.poll() is not None

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait; its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(30)
        if self._out is not None:
            self._out.close()
        return code
