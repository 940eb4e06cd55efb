"""A fake Gerrit for tests and the demo: real SSH with host key and user keys, `stream-events`, and a REST side.

    async with FakeGerrit() as gerrit:          # free ports on 127.0.0.1; or ssh_port=…, http_port=…
        gerrit.allow(public_key)                # bytes or text in OpenSSH form; nobody may log in before
        gerrit.ssh_port, gerrit.http_port, gerrit.host_key, gerrit.known_hosts     # for the source's settings
        await gerrit.emit(event)                # a dict in Gerrit 3.x shape; eventCreatedOn is set when missing
        await gerrit.listening(1)               # wait until that many streams are open
        await gerrit.drop()                     # cut all connections, like a restart
        await gerrit.say(b'half a li')          # raw bytes to all streams
    FakeGerrit(events_plugin=True)              # `events stream --ids --resume-after <uuid>:<n>`
                                            # (gerrit.store, gerrit.forgotten: its id, and how much it lost in a reset)
    gerrit.rest.events_log = True               # GET /plugins/events-log/events/ (with /a/ when rest.login is set)
    gerrit.emit(event, streamed=False)          # happened, but the stream never said so (an overflow, a gap)

Commands: `gerrit stream-events [-s TYPE]…`, `gerrit version`, `events stream [--ids] [--resume-after ID] [-s TYPE]…`.
It refuses to know what events mean beyond the change states that `gerrit_state.py` keeps.
"""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import asyncssh

from firehose.plumbing import clock
from firehose.simulator.gerrit_rest import Rest
from firehose.simulator.gerrit_state import Changes

Process = asyncssh.SSHServerProcess[bytes]


class FakeGerrit:
    """One Gerrit instance. Its event list, `events`, is what an oracle may compare with."""

    def __init__(
        self,
        *,
        ssh_port: int = 0,
        http_port: int = 0,
        events_plugin: bool = False,
        keep: int = 0,
        host_key: asyncssh.SSHKey | Path | None = None,
    ) -> None:
        if isinstance(host_key, Path):
            host_key = asyncssh.read_private_key(host_key)
        self._key = host_key or asyncssh.generate_private_key("ssh-ed25519")
        self._allowed: set[bytes] = set()
        self._streams: dict[Process, _Stream] = {}
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._changed = asyncio.Condition()
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self.ssh_port, self.http_port = ssh_port, http_port
        self.events_plugin = events_plugin
        self.store = str(uuid4())
        self.forgotten = 0
        self.opened = 0
        self.events: list[dict[str, Any]] = []
        # How many events the log keeps (0 all), and how many it let go: a demo runs for weeks.
        self._keep, self._dropped = keep, 0
        self.commands: list[str] = []
        self.rest = Rest(Changes(), lambda: self.events)

    @property
    def host_key(self) -> str:
        """The public host key, `ssh-ed25519 AAAA…`."""
        return " ".join(self._key.export_public_key().decode().split()[:2])

    @property
    def known_hosts(self) -> str:
        """The line for a known_hosts file."""
        return f"[127.0.0.1]:{self.ssh_port} {self.host_key}\n"

    @property
    def url(self) -> str:
        """The web address."""
        return f"http://127.0.0.1:{self.http_port}"

    def allow(self, public_key: bytes | str) -> None:
        """Let everybody who holds this key log in, under any name."""
        self._allowed.add(asyncssh.import_public_key(public_key).public_data)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Open both doors; a port of 0 becomes the free one that was found, and stays."""
        if not self.rest.running:
            self.http_port = await self.rest.start("127.0.0.1", self.http_port)
        self._acceptor = await asyncssh.create_server(
            lambda: _Login(self),
            "127.0.0.1",
            self.ssh_port,
            server_host_keys=[self._key],
            process_factory=self._process,
            encoding=None,
            line_editor=False,
        )
        self.ssh_port = self._acceptor.get_port()

    async def stop(self) -> None:
        """Close both doors and cut all connections."""
        await self.drop(stay_closed=True)
        await self.rest.stop()

    async def drop(self, *, stay_closed: bool = False) -> None:
        """Cut all SSH connections at once; with `stay_closed` refuse new ones until `start()`."""
        if stay_closed and self._acceptor is not None:
            # Not waited for: since Python 3.12 that takes until the last client has gone.
            self._acceptor.close()
            self._acceptor = None
        for connection in list(self._connections):
            connection.abort()
        async with self._changed:
            self._streams.clear()
            self._changed.notify_all()

    async def emit(self, event: Mapping[str, Any], *, streamed: bool = True) -> dict[str, Any]:
        """Let something happen: it enters the log, the change states and, when `streamed`, all open streams."""
        happened = {"eventCreatedOn": int(clock.now().timestamp())} | dict(event)
        self.rest.changes.apply(happened)
        self.events.append(happened)
        number = self._dropped + len(self.events)
        if self._keep and len(self.events) > self._keep * 1.2:
            self._dropped = number - self._keep
            del self.events[: -self._keep]
        for stream in list(self._streams.values()) if streamed else []:
            stream.send(happened, number)
        return happened

    async def say(self, raw: bytes) -> None:
        """Write bytes to all open streams as they are."""
        for stream in list(self._streams.values()):
            stream.process.stdout.write(raw)

    async def listening(self, count: int = 1, *, opened: int = 0) -> None:
        """Return once at least `count` streams are open, and `opened` were opened in all."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._streams) >= count and self.opened >= opened)

    def knows(self, key: asyncssh.SSHKey) -> bool:
        """Whether the key may log in."""
        return key.public_data in self._allowed

    def met(self, connection: asyncssh.SSHServerConnection, *, gone: bool = False) -> None:
        """Keep the list of connections."""
        (self._connections.discard if gone else self._connections.add)(connection)

    async def _process(self, process: Process) -> None:
        words = shlex.split(process.command or "")
        self.commands.append(process.command or "")
        match words:
            case ["gerrit", "version", *_]:
                process.stdout.write(b"gerrit version 3.11.1\n")
                process.exit(0)
            case ["gerrit", "stream-events", *options]:
                await self._stream(
                    _Stream(process, _values(options, "-s", "--subscribe"), ""), self._dropped + len(self.events)
                )
            case ["events", "stream", *options] if self.events_plugin:
                store = self.store if "--ids" in options else ""
                after = _values(options, "--resume-after")
                await self._stream(_Stream(process, _values(options, "-s", "--subscribe"), store), self._resume(after))
            case _:
                name = " ".join(words[:2]) if words[:1] == ["gerrit"] else words[0] if words else ""
                process.stderr.write(f"fatal: {name}: not found\n".encode())
                process.exit(1)

    def _resume(self, after: list[str]) -> int:
        if not after:
            return self._dropped + len(self.events)
        store, _, number = after[0].partition(":")
        # As in the plugin: another store's id, or 0, plays everything that is kept.
        return int(number) if store == self.store else self.forgotten

    async def _stream(self, stream: _Stream, sent: int) -> None:
        after = max(0, sent - self._dropped)
        for number, event in enumerate(self.events[after:], self._dropped + after + 1):
            stream.send(event, number)
        async with self._changed:
            self._streams[stream.process] = stream
            self.opened += 1
            self._changed.notify_all()
        try:
            # The client may close its stdin at once; only the connection's end is the end.
            await stream.process.wait_closed()
        finally:
            self._streams.pop(stream.process, None)


class _Stream:
    def __init__(self, process: Process, wanted: list[str], store: str) -> None:
        self.process = process
        self.wanted = wanted
        self.store = store

    def send(self, event: Mapping[str, Any], number: int) -> None:
        if self.wanted and event["type"] not in self.wanted:
            return
        shown = dict(event) | ({"id": f"{self.store}:{number}"} if self.store else {})
        try:
            self.process.stdout.write(json.dumps(shown).encode() + b"\n")
        except (BrokenPipeError, OSError):
            # A connection that was just cut: the event is in the log, like with a real Gerrit.
            pass


class _Login(asyncssh.SSHServer):
    def __init__(self, gerrit: FakeGerrit) -> None:
        self._gerrit = gerrit
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._gerrit.met(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._gerrit.met(self._connection, gone=True)

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return self._gerrit.knows(key)


def _values(options: list[str], *names: str) -> list[str]:
    return [options[at + 1] for at, option in enumerate(options[:-1]) if option in names]
