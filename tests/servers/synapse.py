"""A real Synapse on a free port with an SQLite database, and a person who talks there in plain HTTP."""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from firehose.bus.engine import free_port
from firehose.testing import peer

SERVER = "hs.example"
_SHARED_SECRET = "between-us"
_CONFIG = """
server_name: {server}
report_stats: false
signing_key_path: {folder}/signing.key
media_store_path: {folder}/media
pid_file: {folder}/synapse.pid
registration_shared_secret: {secret}
trusted_key_servers: []
database: {{name: sqlite3, args: {{database: {folder}/homeserver.db}}}}
listeners:
  - {{port: {port}, bind_addresses: [127.0.0.1], type: http, tls: false, resources: [{{names: [client]}}]}}
rc_message: {{per_second: {rate}, burst_count: {burst}}}
rc_login:
  address: {{per_second: 100, burst_count: 100}}
  account: {{per_second: 100, burst_count: 100}}
rc_joins: {{local: {{per_second: 100, burst_count: 100}}}}
log_config: {folder}/log.yaml
"""
_LOG = """
version: 1
handlers: {{file: {{class: logging.FileHandler, filename: {folder}/synapse.log}}}}
root: {{level: WARNING, handlers: [file]}}
disable_existing_loggers: false
"""


class Synapse:
    """The homeserver. `rate` and `burst`: messages that a person may say a second, and at once."""

    def __init__(self, folder: Path, rate: float = 1_000, burst: int = 1_000) -> None:
        self._python = peer("synapse")
        self.numbers = count(1)
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "log.yaml").write_text(_LOG.format(folder=folder))
        (folder / "homeserver.yaml").write_text(
            _CONFIG.format(server=SERVER, folder=folder, secret=_SHARED_SECRET, port=self.port, rate=rate, burst=burst)
        )
        self._run("--generate-keys")

    def _run(self, *more: str) -> None:
        subprocess.run([*self._command, *more], cwd=self.folder, check=True, capture_output=True)

    @property
    def _command(self) -> list[str]:
        return [self._python, "-m", "synapse.app.homeserver", "-c", str(self.folder / "homeserver.yaml")]

    def start(self) -> None:
        """Start, and wait until it answers."""
        with (self.folder / "out.log").open("ab") as log:
            self.process = subprocess.Popen(self._command, cwd=self.folder, stdout=log, stderr=log)
        deadline = time.monotonic() + 90
        while True:
            with suppress(OSError), urllib.request.urlopen(f"{self.url}/_matrix/client/versions", timeout=2):
                return
            told = (self.folder / "out.log").read_text()[-1_000:]
            assert self.process.poll() is None, told
            assert time.monotonic() < deadline, told
            time.sleep(0.1)

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def register(self, name: str, password: str = "pass") -> Person:
        """A new account, as `register_new_matrix_user` makes it; others of that name may be there already."""
        name = f"{name}{next(self.numbers)}"
        path = "/_synapse/admin/v1/register"
        nonce = self.ask("GET", path)["nonce"]
        words = "\0".join((nonce, name, password, "notadmin")).encode()
        mac = hmac.new(_SHARED_SECRET.encode(), words, hashlib.sha1).hexdigest()
        made = self.ask(
            "POST", path, {"nonce": nonce, "username": name, "password": password, "admin": False, "mac": mac}
        )
        return Person(self, made["user_id"], made["access_token"])

    def ask(self, method: str, path: str, body: object = None, token: str = "") -> Any:
        """The answer of a request; `HTTPError` for a refusal."""
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())


class Person:
    """Somebody at the homeserver, with a client of their own: HTTP and JSON."""

    def __init__(self, server: Synapse, user: str, token: str) -> None:
        self.server, self.user, self.token = server, user, token

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """A request of the client-server API."""
        return self.server.ask(method, f"/_matrix/client/v3{path}", body, self.token)

    def room(self, **more: object) -> tuple[str, str]:
        """A new room that everybody may join, unless `more` says otherwise: its id and its alias."""
        alias = f"room{next(self.server.numbers)}"
        made = self.ask("POST", "/createRoom", {"preset": "public_chat", "room_alias_name": alias} | more)
        return str(made["room_id"]), f"#{alias}:{SERVER}"

    def notices(self, room: str) -> list[dict[str, Any]]:
        """What was said in a room, oldest first: the contents, with `sender` beside."""
        found: list[dict[str, Any]] = []
        place = ""
        while True:
            page = self.ask("GET", f"/rooms/{quote(room)}/messages?dir=f&limit=100" + (place and f"&from={place}"))
            found += [
                event["content"] | {"sender": event["sender"]}
                for event in page["chunk"]
                if event["type"] == "m.room.message"
            ]
            if not page.get("end") or not page["chunk"]:
                return found
            place = page["end"]

    def hear(self, room: str, count: int, seconds: float = 60) -> list[dict[str, Any]]:
        """The same, once there are so many."""
        deadline = time.monotonic() + seconds
        while len(found := self.notices(room)) < count:
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        return found


@pytest.fixture(scope="session")
def synapse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse]:
    """A running homeserver without limits, the same for all tests."""
    server = Synapse(tmp_path_factory.mktemp("synapse"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def strict_synapse(tmp_path: Path) -> Iterator[Synapse]:
    """A homeserver that is not started yet, and lets an account say one message a second."""
    server = Synapse(tmp_path / "synapse", rate=1, burst=3)
    yield server
    server.stop()
