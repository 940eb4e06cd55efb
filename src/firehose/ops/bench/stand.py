"""What measurements run against: real hubs, the rival broker, load clients in C.

In: settings. Out: addresses and process ids; all is started on free ports and gone afterwards. The load clients are
compiled once into the user's cache folder; without a C compiler the measurements that need them are left out and say
so, since a load client in Python would be measured instead of the broker.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import Any, Final

import msgspec

from firehose.access.tokens import Tokens
from firehose.bus.engine import free_port
from firehose.errors import Broken
from firehose.plumbing.clock import monotonic

SECRET: Final = b"bench-secret"
_SETTINGS: Final = """
[sources.github]
kind = "github"
secret_file = "{secret}"

[sources.inbox]
kind = "inbox"
"""
_PAUSE: Final = Event()
"""Never set: its `wait` is how blocking code here lets time pass."""


class Stand(msgspec.Struct, frozen=True):
    """A running hub. `seconds`: from its process's start to `/readyz` being 200. `token`: may publish to `inbox`."""

    http: int
    mqtt: int
    pid: int
    data: Path
    token: str
    seconds: float


@contextmanager
def hub(data: Path | None = None, **environment: str) -> Iterator[Stand]:
    """A hub as an operator starts it, with a GitHub source and an inbox."""
    with tempfile.TemporaryDirectory(prefix="firehose-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        place = data or folder / "data"
        place.mkdir(parents=True, exist_ok=True)
        (folder / "secret").write_bytes(SECRET)
        (folder / "firehose.toml").write_text(_SETTINGS.format(secret=folder / "secret"))
        tokens = Tokens(place / "access.sqlite")
        token, _ = tokens.create(["publish:inbox"], name="bench")
        tokens.close()
        ports = [free_port() for _ in range(3)]
        own = {
            "FIREHOSE_HTTP__LISTEN": f"127.0.0.1:{ports[0]}", "FIREHOSE_MQTT__LISTEN": f"127.0.0.1:{ports[1]}",
            "FIREHOSE_MQTT__WEBSOCKET": f"127.0.0.1:{ports[2]}", "FIREHOSE_HUB__LOG": "warning",
        }  # fmt: skip
        command = [
            sys.executable,
            "-m",
            "firehose",
            "up",
            "--settings",
            str(folder / "firehose.toml"),
            "--data",
            str(place),
        ]
        with (folder / "log").open("w") as log:
            began = monotonic()
            process = subprocess.Popen(  # noqa: S603
                command, stdout=log, stderr=log, env={**os.environ, **own, **environment},
            )  # fmt: skip
            try:
                wait_ready(process, ports[0], folder / "log")
                yield Stand(ports[0], ports[1], process.pid, place, token, monotonic() - began)
            finally:
                end(process)


def wait_ready(process: subprocess.Popen[bytes], port: int, log: Path, most: float = 60.0) -> None:
    """Until `/readyz` is 200; `Broken` with the end of the hub's log when that does not happen."""
    deadline = monotonic() + most
    while monotonic() < deadline and process.poll() is None:
        with suppress(OSError, http.client.HTTPException):
            if request(port, "GET", "/readyz")[0] == 200:
                return
        _PAUSE.wait(0.02)
    raise Broken(f"the hub did not get ready: {log.read_text()[-800:]}", code=1)


def request(port: int, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    """One HTTP request to this machine: status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body or None, {name.replace("_", "-"): text for name, text in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextmanager
def mosquitto() -> Iterator[int]:
    """The rival broker with nothing stored; its port."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        raise Broken("mosquitto is not installed (Debian: apt-get install mosquitto)", code=4)
    with tempfile.TemporaryDirectory(prefix="firehose-mosquitto-") as name:
        port = free_port()
        file = Path(name) / "conf"
        # Without these limits it drops messages for slow readers: then it would not be a fair rival.
        file.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 0\n"
            "max_queued_bytes 0\nset_tcp_nodelay true\nlog_type none\n"
        )
        process = subprocess.Popen([program, "-c", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
        try:
            wait_port(port)
            yield port
        finally:
            end(process)


def wait_port(port: int, most: float = 10.0) -> None:
    """Until something listens there."""
    import socket

    deadline = monotonic() + most
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if monotonic() > deadline:
                raise
            _PAUSE.wait(0.02)


def end(process: subprocess.Popen[Any]) -> None:
    """Ask a child to stop, insist after 15 s."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def pause(seconds: float) -> None:
    """Let time pass, where the passing itself is measured (memory over a minute) or nothing tells the end."""
    _PAUSE.wait(seconds)


def load(name: str) -> str:
    """The path of a load client, compiled if need be."""
    source = Path(__file__).parent / "load" / f"{name}.c"
    digest = hashlib.blake2b(source.read_bytes(), digest_size=8).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "firehose"
    program = cache / f"{name}-{digest}"
    if not program.exists():
        compiler = shutil.which("gcc") or shutil.which("cc")
        if compiler is None:
            raise Broken("no C compiler for the load clients (Debian: apt-get install gcc libc6-dev)", code=4)
        cache.mkdir(parents=True, exist_ok=True)
        fresh = cache / f"{name}-{digest}.{os.getpid()}"
        done = subprocess.run(  # noqa: S603
            [compiler, "-O2", "-o", str(fresh), str(source)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Broken(f"the load client {name}.c does not compile: {done.stderr[-400:]}", code=4)
        fresh.replace(program)
    return str(program)


class Heard(msgspec.Struct, frozen=True):
    """What subscribers saw: messages, seconds from the first to the last, latencies in milliseconds."""

    got: int
    seconds: float
    p50: float
    p99: float
    most: float
    closed: int

    @property
    def rate(self) -> float:
        """Deliveries a second."""
        return self.got / self.seconds if self.seconds else 0.0


class Subscribers:
    """Running MQTT subscribers; `result()` waits for their end."""

    def __init__(self, port: int, count: int, topics: str, *, expect: int, seconds: float) -> None:
        self._process = subprocess.Popen(  # noqa: S603
            [load("subscribe"), str(port), str(count), "0", topics, str(seconds), str(expect)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != b"ready":
            problem = self._process.communicate()[1].decode()[-300:]
            raise Broken(f"the MQTT subscribers were not admitted: {problem}", code=1)

    def result(self) -> Heard:
        """What they heard."""
        out, _ = self._process.communicate()
        return msgspec.json.decode(out, type=Heard)

    def stop(self) -> None:
        """End them."""
        self._process.kill()
        self._process.wait()


def publish(port: int, topic: str, size: int, count: int, rate: float) -> None:
    """Feed a broker directly."""
    command = [load("publish"), str(port), topic, str(size), str(count), str(rate)]
    done = subprocess.run(command, check=False)  # noqa: S603
    if done.returncode:
        raise Broken("the publisher of the load failed", code=1)


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for parent in found:
        with suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def memory(pids: Sequence[int]) -> float:
    """Proportional set size of processes together, in MB (shared pages count once)."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            for row in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if row.startswith("Pss:"):
                    total += int(row.split()[1])
    return total / 1_000
