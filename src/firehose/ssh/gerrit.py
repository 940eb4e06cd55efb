"""An SSH server that speaks `gerrit stream-events` and `gerrit version`, fed from the hub's stream.

In: readers with a key from the settings (Zuul, Jenkins, Buildbot, unmodified). Out: the events of the hub's Gerrits, as
`doors.gerrit_stream` tells them, from where the reader's key had got to. Such readers never ask to resume, so the hub
remembers: after each batch it asks the connection for a sign of life, and only what was sent before an answer counts as
arrived (SSH keeps the order). A break repeats what was on its way and loses nothing. What cannot be told is logged,
counted and passed by. No heartbeat lines: a blank line ends Zuul's connection.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import asyncssh
import msgspec
import structlog

from firehose.bus.contract import Bus
from firehose.bus.live import Live
from firehose.doors.gerrit_stream import Told, options, told, wanted
from firehose.errors import Broken, Refused, TryLater, words
from firehose.event import Recorded
from firehose.history.reader import Reader
from firehose.history.replay import events
from firehose.plumbing import metrics
from firehose.plumbing.clock import monotonic
from firehose.query.tree import Node
from firehose.settings import GerritDoor, Settings
from firehose.ssh.cursor import Place, oldest

log = structlog.get_logger("doors")
Process = asyncssh.SSHServerProcess[bytes]
LOGIN_SECONDS: Final = 20
KIND: Final = "gerrit"
MOST_CONNECTIONS: Final = 100
PROBE_SECONDS: Final = 15.0
"""Seconds without an event after which the line is asked whether it is alive."""
ANSWER_SECONDS: Final = 30.0
"""Seconds within which a reader must take what it was sent, and answer."""


@dataclass(frozen=True)
class Keys:
    """The server's own key, and whose key is whose."""

    host: asyncssh.SSHKey
    readers: dict[bytes, str]


@dataclass(frozen=True)
class Ground:
    """What the door reads from."""

    bus: Bus
    live: Live
    reader: Reader
    now: Callable[[], datetime]


class Door:
    """The server. `run()` serves until it is cancelled; `port` is where it listens."""

    def __init__(self, settings: GerritDoor, keys: Keys, ground: Ground) -> None:
        self._settings = settings
        self._ground = ground
        self._keys = keys
        self._query = wanted(settings.sources)
        self._sessions: dict[str, Session] = {}
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self.connections = 0

    async def start(self) -> None:
        """Listen; `Broken` names the setting that is in the way."""
        host, _, port = self._settings.listen.rpartition(":")
        try:
            self._acceptor = await asyncssh.create_server(
                lambda: _Login(self), host.strip("[]"), int(port), server_host_keys=[self._keys.host],
                process_factory=self._process, encoding=None, line_editor=False, allow_pty=False,
                agent_forwarding=False, x11_forwarding=False, login_timeout=LOGIN_SECONDS,
                server_version="Firehose", gss_host=None,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            raise Broken(f"doors.gerrit.listen: cannot listen on {self._settings.listen!r}: {error}", code=4) from None
        log.info("gerrit stream-events", listen=self._settings.listen, host_key=self._keys.host.get_fingerprint())

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._acceptor is not None
        return int(self._acceptor.get_port())

    async def close(self) -> None:
        """Take no more readers and let go of those that are here; what they have is remembered."""
        if self._acceptor is not None:
            # Not waited for: since Python 3.12 that takes until the last reader has gone.
            self._acceptor.close()
        for session in list(self._sessions.values()):
            await session.end("the hub stops")

    def reader(self, key: asyncssh.SSHKey) -> str | None:
        """Whose key it is."""
        return self._keys.readers.get(key.public_data)

    async def _process(self, process: Process) -> None:
        try:
            words = shlex.split(process.command or "")
        except ValueError:
            words = []
        match words:
            case ["gerrit", "version", *_]:
                process.stdout.write(f"gerrit version {self._settings.version}\n".encode())
                process.exit(0)
            case ["gerrit", "stream-events", *rest] if (types := options(rest)) is not None:
                await self._stream(process, types)
            case _:
                process.stderr.write(
                    b"fatal: this is Firehose, not a Gerrit: it knows 'gerrit stream-events [-s TYPE]...' and "
                    b"'gerrit version'\n"
                )
                process.exit(1)

    async def _stream(self, process: Process, types: frozenset[str]) -> None:
        connection = process.get_extra_info("connection")
        name = str(connection.get_extra_info("reader"))
        before = self._sessions.get(name)
        if before is not None:
            # A reader that comes back has noticed what we may not have: its old connection is dead.
            await before.end("the same key has connected again")
        session = Session(process, connection, types)
        self._sessions[name] = session
        place = Place(self._ground.bus, f"gerrit-{name}")
        log.info("reader came", door="gerrit", reader=name, address=process.get_extra_info("peername")[0])
        why = "the connection has ended"
        try:
            why = await session.run(self._ground, place, self._query, self._settings.replay_hours)
        finally:
            if self._sessions.get(name) is session:
                del self._sessions[name]
            session.done.set()
            log.info("reader left", door="gerrit", reader=name, why=session.why or why, events=session.sent)


class Session:
    """One reader's stream over one connection."""

    def __init__(self, process: Process, connection: asyncssh.SSHServerConnection, types: frozenset[str]) -> None:
        self._process = process
        self._connection = connection
        self._types = types
        self._batch = b""
        self.done = asyncio.Event()
        self.sent = 0
        self.why = ""

    async def end(self, why: str) -> None:
        """Cut the connection and wait until its cursor is settled."""
        self.why = why
        self._connection.abort()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.done.wait(), ANSWER_SECONDS)

    async def run(self, ground: Ground, place: Place, query: Node, hours: int) -> str:
        """Send until the connection ends; why it ended."""
        # Nothing may wait in our own buffer when the line is asked for a sign of life: it would be counted as sent.
        self._process.channel.set_write_buffer_limits(0)
        while True:
            try:
                cursor = await place.open(ground.live, ground.reader, oldest(ground.now, hours))
                await self._follow(ground, place, query, cursor)
            except TryLater as error:
                log.info("the stream is away, its readers wait", why=error.detail)
                await asyncio.sleep(1)
            except Refused as error:
                log.warning("a reader's cursor is too old", why=error.detail)
                await asyncio.sleep(1)  # `place.open` goes on from the history's floor
            except TimeoutError:
                self._connection.abort()
                return f"it took nothing for {ANSWER_SECONDS:.0f} seconds"
            except (OSError, asyncssh.Error):
                return "the connection has ended"
            except Exception as error:
                # The reader comes again and goes on where it was; whoever runs the hub must see why it has to.
                log.error("a reader's stream failed", door="gerrit", exc_info=error)
                self._connection.abort()
                return f"the hub failed: {words(error)}"

    async def _follow(self, ground: Ground, place: Place, query: Node, cursor: int) -> None:
        asked = monotonic()
        async for step in events(ground.live, ground.reader, cursor, query, bus=ground.bus):
            lines = [line for event in step.events for line in self._lines(event)]
            if lines:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._send(lines)
                await place.save(step.cursor)
            elif monotonic() - asked >= PROBE_SECONDS:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._answered()
            else:
                await place.pass_by(step.cursor)
                if self._process.channel.is_closing():
                    raise BrokenPipeError
                continue
            asked = monotonic()

    def _lines(self, event: Recorded) -> Sequence[bytes]:
        """What the reader is told of an event. Its payload is a sender's: whatever it holds, the stream goes on."""
        raw = event.raw
        if raw == self._batch:  # a batch of branch updates is several events with one payload
            return ()
        self._batch = raw if event.envelope.type.endswith(".batch-ref-updated") else b""
        try:
            found = told(raw, self._types)
        except Exception as error:
            found = Told(untold=words(error))
        if found.untold:
            metrics.untold.labels("gerrit").inc()
            log.warning("an event is not told", door="gerrit", sequence=event.sequence, why=found.untold)
        return found.lines

    async def _send(self, lines: Sequence[bytes]) -> None:
        self._process.stdout.write(b"\n".join(lines) + b"\n")
        await self._process.stdout.drain()
        await self._answered()
        self.sent += len(lines)

    async def _answered(self) -> None:
        """Until the other side has answered a question that was sent after everything else.

        Every SSH client answers `keepalive@openssh.com`, most with a refusal; asyncssh has no public call for it.
        """
        await self._connection._make_global_request(b"keepalive@openssh.com")
        if self._process.channel.is_closing() or self._connection.is_closed():
            raise BrokenPipeError


class _Login(asyncssh.SSHServer):
    def __init__(self, door: Door) -> None:
        self._door = door
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._door.connections += 1
        if self._door.connections > MOST_CONNECTIONS:
            log.warning("too many connections to a door", door="gerrit", most=MOST_CONNECTIONS)
            conn.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.connections -= 1

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        # The key that is checked last is the one that logs in; whatever name the reader gives, its key says who it is.
        name = self._door.reader(key)
        if name is None or self._connection is None:
            return False
        self._connection.set_extra_info(reader=name)
        return True


def narrowed(settings: Settings) -> GerritDoor:
    """The door's settings with the sources whose events are told: those that it names, else all of kind `gerrit`.
    `Broken` when there are none. Another hub passes on what it was sent by whomever, so it must be named."""
    door = settings.doors.gerrit
    sources = door.sources or tuple(name for name, own in settings.sources.items() if own.kind == KIND)
    if not sources:
        words = "there is no source of this kind here; name those whose events are told, such as another hub"
        raise Broken(f"doors.gerrit.sources: {words}", code=2)
    return msgspec.structs.replace(door, sources=sources)


def keys(settings: GerritDoor, data: Path) -> Keys:
    """What the settings' keys are; `Broken` names the one that cannot be used."""
    return Keys(host_key(settings, data), readers(settings))


def readers(settings: GerritDoor) -> dict[bytes, str]:
    """Whose key is whose; `Broken` names a key that is none, or that two readers have."""
    found: dict[bytes, str] = {}
    for name, text in settings.readers.items():
        if not name.replace("-", "").replace("_", "").isalnum():
            raise Broken(f"doors.gerrit.readers: a name has letters, digits, '-' and '_' only, not {name!r}", code=2)
        for line in text.strip().splitlines():
            try:
                key = asyncssh.import_public_key(line)
            except (asyncssh.KeyImportError, ValueError):
                wish = "one line as in a .pub file: ssh-ed25519 AAAA…"
                raise Broken(f"doors.gerrit.readers.{name}: this is no public key; write {wish}", code=2) from None
            if found.setdefault(key.public_data, name) != name:
                raise Broken(f"doors.gerrit.readers: {name} and {found[key.public_data]} have the same key", code=2)
    if not found:
        raise Broken('doors.gerrit.readers is empty; write a line for each reader: name = "ssh-ed25519 AAAA…"', code=2)
    return found


def host_key(settings: GerritDoor, data: Path) -> asyncssh.SSHKey:
    """The server's key: the operator's, else one that is made at the first start and kept in the data folder."""
    file = Path(settings.host_key_file) if settings.host_key_file else data / "keys" / "gerrit-door.key"
    try:
        if not settings.host_key_file and not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            made = asyncssh.generate_private_key("ssh-ed25519", comment="firehose gerrit door")
            file.touch(mode=0o600)
            file.write_bytes(made.export_private_key())
        return asyncssh.read_private_key(file)
    except (OSError, asyncssh.KeyImportError) as error:
        raise Broken(f"doors.gerrit.host_key_file: cannot use {file}: {error}", code=2) from None
