"""A listening HTTP server for an ASGI application, in the event loop that it is started in.

In: an application, an address, the setting that the address is from. Out: answers on that address. It knows nothing of
what the application does. Why granian inside our loop: `docs/decisions/0010-web-server.md`.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Any, Final

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server as Granian

from firehose.errors import Broken
from firehose.plumbing import addresses
from firehose.plumbing.clock import monotonic
from firehose.web.answer import Asgi

HEAD_SECONDS: Final = 10
HEAD_BYTES: Final = 64 * 1024
BACKLOG: Final = 1_024
MOST_CONNECTIONS: Final = 20_000
GRACE_SECONDS: Final = 3.0
LISTEN_SECONDS: Final = 15.0
LOOK_SECONDS: Final = 0.01


class Listener:
    """`start()`, then `run()` until `close()`; who says that it is ready waits for `listening()` first."""

    def __init__(self, application: Asgi, listen: str, setting: str = "http.listen") -> None:
        self._application = application
        self._setting = setting
        self._host, self._port = split(listen, setting)
        self._granian: Any = None
        self._stopped = asyncio.Event()
        self._closing = False

    async def start(self) -> None:
        """Make sure that the address is ours; `Broken` (4) names the setting when it is not."""
        check_free(self._host, self._port, self._setting)
        self._granian = Granian(
            self._application,
            address=self._host,
            port=self._port,
            interface=Interfaces.ASGINL,
            log_enabled=False,
            backlog=BACKLOG,
            backpressure=MOST_CONNECTIONS,
            http1_settings=HTTP1Settings(header_read_timeout=HEAD_SECONDS * 1_000, max_buffer_size=HEAD_BYTES),
        )

    async def run(self) -> None:
        """Serve. Returns only when it is cancelled; an end that nobody asked for is `Broken`."""
        try:
            await self._granian.serve()
        finally:
            self._stopped.set()
        if not self._closing:
            raise Broken("the web server ended by itself", code=1)
        await asyncio.Event().wait()

    async def listening(self) -> None:
        """Until the port that `run()` opens takes connections; `Broken` (4) when it does not within 15 s.

        granian opens it in a thread of its own and does not tell when."""
        deadline = monotonic() + LISTEN_SECONDS
        while not self._stopped.is_set() and monotonic() < deadline:
            with suppress(OSError):
                _, writer = await asyncio.open_connection(self._host, self._port)
                writer.close()
                return
            await asyncio.sleep(LOOK_SECONDS)
        raise Broken(
            f"{self._setting}: nothing listens on {self._host}:{self._port} after {LISTEN_SECONDS:.0f} s", code=4
        )

    async def close(self) -> None:
        """Finish what is being answered, close the port."""
        self._closing = True
        if self._granian is None:
            return
        self._granian.stop()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), GRACE_SECONDS)


def split(listen: str, setting: str = "http.listen") -> tuple[str, int]:
    """Address and port of a setting; `Broken` (2) names the setting. A name is looked up: granian takes none."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise Broken(f"{setting}: {listen!r} is not an address and a port, such as 127.0.0.1:8080", code=2)
    address = addresses.parse(host)
    try:
        return str(address or socket.gethostbyname(host)), int(port)
    except (OSError, UnicodeError):
        raise Broken(f"{setting}: {host!r} is no address, and no name of one", code=2) from None


def check_free(host: str, port: int, setting: str = "http.listen") -> None:
    """`Broken` when somebody listens there. The server shares ports silently (SO_REUSEPORT), so it would not tell."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    variable = f"FIREHOSE_{setting.upper().replace('.', '__')}"
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Broken(
                f"cannot listen on {host}:{port} for HTTP: {error.strerror}; {setting} in the settings, or "
                f"{variable}, chooses another",
                code=4,
            ) from None
