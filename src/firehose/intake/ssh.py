"""One SSH connection that a source asked for: the host's key checked, our key shown, one command's lines read.

In: `SshLines` and a command. Out: chunks of its output, whether its end meant "unknown command", and a probe. A host
key that the settings do not hold is refused, and the error prints the line to add. It refuses to know what lines
mean and when to connect again. Every failure is `TryLater` with a sentence for the operator.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

import asyncssh

from firehose.errors import TryLater
from firehose.source import SshLines

KEEPALIVE: Final = 30.0
"""Seconds between keepalives; three without an answer end the connection."""
LOGIN: Final = 30.0
PROBE: Final = 15.0
GOODBYE: Final = 5.0
CHUNK: Final = 262_144
SETTINGS_WAIT: Final = 60.0
"""Seconds to wait when only a change of settings can help."""


class Ended(Exception):
    """The command or its connection ended. `unknown`: the server does not know the command."""

    def __init__(self, detail: str, *, unknown: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.unknown = unknown


class Link:
    """An open connection with a running command."""

    def __init__(self, connection: asyncssh.SSHClientConnection, process: asyncssh.SSHClientProcess[bytes]) -> None:
        self._connection = connection
        self._process = process
        self._any = False

    async def read(self, patience: float) -> bytes:
        """What has come, b"" when nothing did within `patience` seconds; `Ended` at the end."""
        try:
            # A cancelled read leaves what came in the channel's buffer, so nothing is lost by the time-out.
            async with asyncio.timeout(patience):
                chunk = await self._process.stdout.read(CHUNK)
        except TimeoutError:
            return b""
        except (asyncssh.Error, OSError) as error:
            raise Ended(f"the connection broke: {_why(error)}") from None
        if chunk:
            self._any = True
            return chunk
        raise await self._end()

    async def _end(self) -> Ended:
        try:
            async with asyncio.timeout(GOODBYE):
                said = (await self._process.stderr.read(2_000)).decode("utf-8", "replace").strip()
                await self._process.wait_closed()
        except (TimeoutError, asyncssh.Error, OSError):
            said = ""
        status = self._process.exit_status
        detail = (
            f"the server ended the command{f' with status {status}' if status else ''}{f': {said}' if said else ''}"
        )
        return Ended(detail, unknown=not self._any and bool(status) and "not found" in said.lower())

    async def probe(self, command: str) -> bool:
        """Whether the server still answers a short command on this connection."""
        try:
            async with asyncio.timeout(PROBE):
                done = await self._connection.run(command)
        except (TimeoutError, asyncssh.Error, OSError):
            return False
        return done.exit_status == 0

    async def close(self) -> None:
        """End the connection at once; nothing is sent that could wait."""
        self._connection.abort()
        try:
            async with asyncio.timeout(GOODBYE):
                await self._connection.wait_closed()
        except (TimeoutError, asyncssh.Error, OSError):
            pass


async def connect(lines: SshLines) -> asyncssh.SSHClientConnection:
    """Connect, check the host, log in."""
    place = f"{lines.host}:{lines.port}"
    key = _client_key(lines)
    known = await _known_hosts(lines)
    try:
        return await asyncssh.connect(
            lines.host,
            lines.port,
            username=lines.user,
            client_keys=[key],
            known_hosts=known,
            config=None,
            agent_path=None,
            preferred_auth="publickey",
            connect_timeout=LOGIN,
            login_timeout=LOGIN,
            keepalive_interval=KEEPALIVE,
        )
    except asyncssh.HostKeyNotVerifiable:
        offered = await _offered(lines)
        raise TryLater(
            f"{place} showed a host key that the settings do not hold: {offered}. If the server's admin says that "
            f"this is its key, set host_key to it; if not, somebody is in between",
            after=SETTINGS_WAIT,
        ) from None
    except asyncssh.PermissionDenied:
        public = key.export_public_key().decode().strip()
        raise TryLater(
            f"{place} does not let {lines.user} in with this key; add it to the account: {public}", after=SETTINGS_WAIT
        ) from None
    except (asyncssh.Error, OSError, TimeoutError) as error:
        raise TryLater(f"cannot connect to {place}: {_why(error)}") from None


async def start(connection: asyncssh.SSHClientConnection, lines: SshLines, command: str) -> Link:
    """Start the command on a connection, which from now on belongs to the link."""
    try:
        process: asyncssh.SSHClientProcess[bytes] = await connection.create_process(
            command, encoding=None, stdin=asyncssh.DEVNULL
        )
    except (asyncssh.Error, OSError) as error:
        connection.abort()
        raise TryLater(f"{lines.host}:{lines.port} does not start {command!r}: {_why(error)}") from None
    return Link(connection, process)


def _client_key(lines: SshLines) -> asyncssh.SSHKey:
    if not lines.key_file:
        raise TryLater("key_file is not set: name the private key to log in with", after=SETTINGS_WAIT)
    try:
        return asyncssh.read_private_key(lines.key_file)
    except OSError as error:
        raise TryLater(f"cannot read key_file {lines.key_file}: {error.strerror}", after=SETTINGS_WAIT) from None
    except asyncssh.KeyImportError as error:
        raise TryLater(f"key_file {lines.key_file} is no usable private key: {error}", after=SETTINGS_WAIT) from None


async def _known_hosts(lines: SshLines) -> Any:
    if lines.host_key:
        try:
            return ([asyncssh.import_public_key(lines.host_key)], [], [])
        except asyncssh.KeyImportError:
            raise TryLater('host_key is not of the form "ssh-ed25519 AAAA…"', after=SETTINGS_WAIT) from None
    if not lines.known_hosts:
        raise TryLater(
            f"neither host_key nor known_hosts is set, so {lines.host}:{lines.port} cannot be trusted. It shows "
            f"{await _offered(lines)}; compare that with what its admin says and set host_key to it",
            after=SETTINGS_WAIT,
        )
    if not await asyncio.to_thread(Path(lines.known_hosts).is_file):
        raise TryLater(f"the known_hosts file {lines.known_hosts} does not exist", after=SETTINGS_WAIT)
    return lines.known_hosts


async def _offered(lines: SshLines) -> str:
    """The key that the server shows now, for people to compare; it is not trusted."""
    try:
        async with asyncio.timeout(LOGIN):
            key = await asyncssh.get_server_host_key(lines.host, lines.port, config=None)
    except (asyncssh.Error, OSError, TimeoutError) as error:
        return f"no key ({_why(error)})"
    if key is None:
        return "no key"
    public = " ".join(key.export_public_key().decode().split()[:2])
    return f'"{public}" ({key.get_fingerprint()})'


def _why(error: BaseException) -> str:
    return str(error) or type(error).__name__
