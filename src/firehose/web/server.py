"""The web application and its server: who gets which request, and where it listens.

In: a `Hub`. Out: HTTP on one port, in the hub's own event loop. A small dispatcher stands in front: deliveries and
streams go to raw ASGI handlers, everything else to the framework. It decides nothing about events.
Why granian inside our loop: `docs/decisions/0010-web-server.md`.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Any, Final

import structlog
from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server as Granian

from firehose.errors import Broken
from firehose.web.answer import Asgi, Receive, Scope, Send
from firehose.web.hooks import PREFIX as HOOKS
from firehose.web.hooks import Hooks
from firehose.web.hub import Hub
from firehose.web.live import PREFIX as STREAM
from firehose.web.live import Streams
from firehose.web.site import site
from firehose.web.wikimedia import PREFIX as EVENTSTREAMS

log = structlog.get_logger("web")
HEAD_SECONDS: Final = 10
HEAD_BYTES: Final = 64 * 1024
BACKLOG: Final = 1_024
MOST_CONNECTIONS: Final = 20_000
GRACE_SECONDS: Final = 3.0


class Dispatcher:
    """The ASGI application: picks the handler by path."""

    def __init__(self, hub: Hub) -> None:
        self.streams = Streams(hub)
        self._hooks = Hooks(hub)
        self._site: Asgi = site(hub)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        path: str = scope.get("path", "")
        own = path.startswith(STREAM) and path[len(STREAM) : len(STREAM) + 1] in ("", "/")
        if own or (path.startswith(EVENTSTREAMS) and scope["type"] == "http"):
            await self.streams(scope, receive, send)
        elif path.startswith(HOOKS) and scope["type"] == "http":
            await self._hooks(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4404})
        else:
            await self._site(scope, receive, send)


class Server:
    """The listening server. `start()`, then `run()` until `close()`."""

    def __init__(self, hub: Hub) -> None:
        self.application = Dispatcher(hub)
        self._host, self._port = split(hub.settings.http.listen)
        self._granian: Any = None
        self._stopped = asyncio.Event()
        self._closing = False

    async def start(self) -> None:
        """Make sure that the address is ours; `Broken` (4) names the setting when it is not."""
        check_free(self._host, self._port)
        self._granian = Granian(
            self.application,
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

    async def close(self) -> None:
        """Say goodbye to streams, finish what is being answered, close the port."""
        self._closing = True
        await self.application.streams.close()
        if self._granian is None:
            return
        self._granian.stop()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), GRACE_SECONDS)


def split(listen: str) -> tuple[str, int]:
    """Host and port of an `http.listen` setting."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise Broken(f"http.listen: {listen!r} is not an address and a port, such as 127.0.0.1:8080", code=2)
    return host.strip("[]"), int(port)


def check_free(host: str, port: int) -> None:
    """`Broken` when somebody listens there. The server shares ports silently (SO_REUSEPORT), so it would not tell."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Broken(
                f"cannot listen on {host}:{port} for HTTP: {error.strerror}; http.listen in the settings, or "
                f"FIREHOSE_HTTP__LISTEN, chooses another",
                code=4,
            ) from None
