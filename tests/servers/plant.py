"""A nats-server of somebody else, with JetStream and a password: nothing of the hub's."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from firehose.bus.engine import find_binary, free_port


class Plant:
    """A nats-server of somebody else, with JetStream and a password."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._config = folder / "nats.conf"
        self._config.write_text(
            f'host: 127.0.0.1\nport: {self.port}\njetstream {{ store_dir: "{folder}/store" }}\n'
            "authorization { user: firehose, password: s3cret }\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen([find_binary(""), "-c", str(self._config), "-l", f"{self._config}.log"])

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    server = Plant(tmp_path)
    server.start()
    yield server
    server.stop()
