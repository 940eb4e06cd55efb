"""The embedded engine: find a nats-server, configure it, start it, watch it, stop it.

In: settings. Out: `Addresses` of a running server. The data folder is locked, so two hubs cannot share it; the child
dies with the hub, however the hub dies; when the child dies the hub starts it again with growing pauses. Its log
lines become ours. It knows nothing of streams: that is `nats.py`.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import secrets
import shutil
import socket
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import IO

import msgspec
import structlog

from firehose.bus import topology
from firehose.bus.engine_config import EngineConfig, Producer, render
from firehose.bus.staging import Staging
from firehose.errors import Broken
from firehose.plumbing import metrics
from firehose.plumbing.backoff import delays
from firehose.plumbing.child import die_with_parent
from firehose.plumbing.clock import monotonic

log = structlog.get_logger("engine")
START_SECONDS = 60.0
ADDRESSES = "addresses.json"
"""Where the engine listens, and the hub's passwords, for other parts of the same hub; mode 0600."""
LOOK_SECONDS = 1.0
ROOM = 16 * 2**20
"""Free bytes with which an engine is worth starting again after its disk was full."""
LEAST_ROOM = 8 * 2**20
"""Free bytes below which nothing more is published: a batch of the largest size must still fit."""
# nats-server shuts a stream after a failed write until it is started again, also when there is room (2.15, measured).
_NO_ROOM = "no space left on device"
_STREAM_SHUT = "critical write error"
_LINE = re.compile(r"^\[\d+\] \S+ \S+ \[(?P<level>\w+)\] ?(?P<text>.*)$")
# Said of every start: its passwords are random, in a file of mode 0600; TLS on WebSocket is the operator's choice.
_EXPECTED = ("Plaintext passwords detected", "Websocket not configured with TLS")
_LEVELS = {"INF": "debug", "WRN": "warning", "ERR": "error", "FTL": "error"}
_PORT_TAKEN = re.compile(r"listen(?:ing)?.*?(?P<address>[\d.:\[\]a-f]+:\d+).*address already in use", re.IGNORECASE)


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the embedded engine needs. `folder` is its own part of the data folder; listeners are `host:port`."""

    folder: Path
    binary: str = ""
    nats: str = ""
    mqtt: str = ""
    websocket: str = ""
    websocket_cert: str = ""
    websocket_key: str = ""
    sync: str = "always"
    max_store: int = 0
    producers: tuple[Producer, ...] = ()


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where the engine listens and the hub's own logins. `nats` are URLs, the others `host:port`."""

    nats: tuple[str, ...]
    mqtt: str
    websocket: str
    hub_password: str
    mirror_password: str


class Engine:
    """One supervised nats-server child."""

    def __init__(self, settings: EngineSettings) -> None:
        self.settings = settings
        self._lock: IO[str] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._ready = asyncio.Event()
        self._last_error = ""
        self._stuck = False
        self._config = self._make_config()
        self.staging = Staging(self._config.folder / "store", "HUB", topology.EVENTS)
        self.pid = 0

    @property
    def ready(self) -> bool:
        """Whether the child answers."""
        return self._ready.is_set()

    @property
    def addresses(self) -> Addresses:
        """Where to reach it; fixed for the life of this object, restarts of the child included."""
        config = self._config
        return Addresses(
            nats=(f"nats://{config.nats}",),
            mqtt=config.mqtt,
            websocket=config.websocket,
            hub_password=config.hub_password,
            mirror_password=config.mirror_password,
        )

    async def start(self) -> Addresses:
        """Lock the folder, start the child, wait until it serves. `Broken` says what is in the way."""
        folder = self.settings.folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = lock(folder / "lock")
        file = folder / "nats.conf"
        file.touch(mode=0o600)
        file.write_text(render(self._config))
        self._check_listeners()
        await self._spawn(file)
        told = folder / ADDRESSES
        told.touch(mode=0o600)
        told.write_bytes(msgspec.json.encode(self.addresses))
        return self.addresses

    async def watch(self) -> None:
        """Restart the child whenever it ends. Never returns."""
        waits = delays(first=0.2, most=15.0)
        while True:
            assert self._process is not None
            began = monotonic()
            code = await self._ended(self._process)
            self._ready.clear()
            log.error("the engine ended, starting it again", code=code, last=self._last_error)
            metrics.engine_restarts.inc()
            if monotonic() - began > 60:
                waits = delays(first=0.2, most=15.0)
            while True:
                await asyncio.sleep(next(waits))
                try:
                    await self._spawn(self.settings.folder / "nats.conf")
                    break
                except Broken as error:
                    log.error("the engine does not start", error=error.detail)

    async def _ended(self, process: asyncio.subprocess.Process) -> int:
        """The code with which the child ended. One that met a full disk is ended here once there is room again."""
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    return await process.wait()
            except TimeoutError:
                self.staging.ensure()
                if self._stuck and has_room(self.settings.folder):
                    log.warning("there is room on the disk again: starting the engine anew, it takes nothing by itself")
                    process.kill()

    async def stop(self) -> None:
        """End the child cleanly and let the folder go."""
        self._ready.clear()
        process = self._process
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 10)
            except TimeoutError:
                process.kill()
                await process.wait()
        self.staging.clear()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _make_config(self) -> EngineConfig:
        settings = self.settings
        return EngineConfig(
            name="firehose",
            folder=settings.folder.absolute(),
            nats=settings.nats or f"127.0.0.1:{free_port(OWN_PORTS)}",
            mqtt=settings.mqtt,
            websocket=settings.websocket,
            websocket_cert=settings.websocket_cert,
            websocket_key=settings.websocket_key,
            sync=settings.sync,
            max_store=settings.max_store,
            hub_password=secrets.token_urlsafe(24),
            mirror_password=secrets.token_urlsafe(24),
            producers=settings.producers,
        )

    def _check_listeners(self) -> None:
        config = self._config
        for address, setting in (
            (config.nats, "engine.listen"), (config.mqtt, "mqtt.listen"), (config.websocket, "mqtt.websocket"),
        ):  # fmt: skip
            if address:
                check_free(address, setting)

    async def _spawn(self, file: Path) -> None:
        binary = find_binary(self.settings.binary)
        self._last_error = ""
        self._stuck = False
        self.staging.clear()
        process = await asyncio.create_subprocess_exec(
            binary, "-c", str(file), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE, preexec_fn=die_with_parent, start_new_session=True,
            pass_fds=(self._lock.fileno(),) if self._lock else (),
        )  # fmt: skip
        self._process = process
        self.pid = process.pid
        assert process.stderr is not None
        reader = asyncio.get_running_loop().create_task(self._read_log(process.stderr), name="engine log")
        reader.add_done_callback(lambda task: task.cancelled() or task.exception())
        deadline = monotonic() + START_SECONDS
        while not await self._serves():
            if process.returncode is not None:
                raise Broken(f"the engine does not start: {self._last_error or process.returncode}", code=4)
            if monotonic() > deadline:
                process.kill()
                raise Broken(f"the engine was not ready within {START_SECONDS:.0f} s; its log is above", code=4)
            await asyncio.sleep(0.02)
        self.staging.ensure()
        self._ready.set()
        log.info("engine ready", binary=binary, pid=process.pid, nats=self._config.nats)

    async def _serves(self) -> bool:
        # With JetStream on, the client port opens before the store has been read: the monitoring page knows.
        for ports in self.settings.folder.absolute().glob(f"*_{self.pid}.ports"):
            with suppress(OSError, ValueError, KeyError, IndexError):
                known = msgspec.json.decode(ports.read_bytes())
                url = str(known["monitoring"][0])
                return await _get_ok(url.removeprefix("http://"), "/healthz?js-enabled-only=true")
        return False

    async def _read_log(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            text = line.decode("utf-8", "replace").rstrip()
            match = _LINE.match(text)
            level = _LEVELS.get(match["level"], "debug") if match else "warning"
            words = match["text"] if match else text
            if words.startswith(_EXPECTED):
                level = "debug"
            if level == "error":
                self._last_error = words
                self._stuck = self._stuck or _NO_ROOM in words or _STREAM_SHUT in words
            getattr(log, level)(words)


def running(folder: Path) -> Addresses | None:
    """The engine that another process of this hub runs in a folder; None when nobody does."""
    with suppress(OSError, msgspec.DecodeError), (folder / "lock").open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return msgspec.json.decode((folder / ADDRESSES).read_bytes(), type=Addresses)
    return None


async def unchanged(folder: Path, addresses: Addresses) -> None:
    """Watch the engine that another process runs. Returns never; `Broken` when it was started anew elsewhere."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        with suppress(OSError, msgspec.DecodeError):
            if msgspec.json.decode((folder / ADDRESSES).read_bytes(), type=Addresses) != addresses:
                raise Broken("the hub whose engine this part used was started anew; start this part again", code=1)


def has_room(folder: Path, least: int = ROOM) -> bool:
    """Whether the folder's disk has room for the engine."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize >= least


async def _get_ok(address: str, path: str) -> bool:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), 2)
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        return b" 200 " in await asyncio.wait_for(reader.readline(), 2)
    except (TimeoutError, OSError):
        return False
    finally:
        writer.close()


def lock(file: Path) -> IO[str]:
    """Hold a folder for this process; `Broken` when another one has it. Freed by the kernel, whatever happens."""
    handle = file.open("a+")
    for attempt in range(50):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError:
            if attempt == 49:
                handle.seek(0)
                holder = handle.read().strip() or "?"
                raise Broken(
                    f"another hub (process {holder}) uses the data folder {file.parent.parent}; "
                    "stop it, or choose another folder with --data",
                    code=4,
                ) from None
            # The child of a hub that was just killed shares the lock until it has ended, too.
            time.sleep(0.1)
    handle.truncate(0)
    handle.write(str(os.getpid()))
    handle.flush()
    return handle


def find_binary(wanted: str) -> str:
    """The nats-server to run: the setting, else the one in PATH, else the one of the wheel."""
    if wanted:
        if not os.access(wanted, os.X_OK):
            raise Broken(f"engine.binary: {wanted} is not a program that can be run", code=2)
        return wanted
    places = [shutil.which("nats-server"), Path(sysconfig.get_path("scripts")) / "nats-server",
              Path(sys.executable).parent / "nats-server"]  # fmt: skip
    for place in places:
        if place and os.access(place, os.X_OK):
            return str(place)
    raise Broken("no nats-server found: reinstall Firehose (it brings one), or set engine.binary", code=4)


def check_free(address: str, setting: str) -> None:
    """`Broken` when something listens on `host:port` already; the text names the setting that changes it."""
    host, _, port = address.rpartition(":")
    try:
        number = int(port)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host.strip("[]"), number))
    except ValueError:
        raise Broken(f"{setting} = {address!r} is not host:port", code=2) from None
    except OSError as error:
        variable = "FIREHOSE_" + setting.upper().replace(".", "__")
        raise Broken(
            f"cannot listen on {address}: {error.strerror}; change {setting} in the settings, or {variable}", code=4
        ) from None


def ports_of(numbers: range) -> Iterator[int]:
    """The numbers one after the other from a random one on, round and round."""
    first = secrets.randbelow(len(numbers))
    return (numbers[at % len(numbers)] for at in count(first))


PORTS = ports_of(range(15_000, 28_000))
OWN_PORTS = ports_of(range(28_000, 32_000))
"""For the engine that a hub starts for itself: apart, so that it takes none that a test chose for another server."""


def free_port(ports: Iterator[int] = PORTS) -> int:
    """A local port that is free now, and below those that the kernel gives to outgoing connections: one of theirs
    would be taken again by a connection before a server listens there. No port is given twice by one process, so what
    is handed out stays free until its server starts."""
    while True:
        port = next(ports)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
