"""The web application and its server: who gets which request, and where it listens.

In: a `Hub`. Out: HTTP on one port (`listener.py`), in the hub's own event loop. A small dispatcher stands in front:
deliveries and streams go to raw ASGI handlers, everything else to the framework. It decides nothing about events.
"""

from __future__ import annotations

import structlog

from firehose.web.answer import Asgi, Receive, Scope, Send
from firehose.web.hooks import PREFIX as HOOKS
from firehose.web.hooks import Hooks
from firehose.web.hub import Hub
from firehose.web.listener import Listener
from firehose.web.live import PREFIX as STREAM
from firehose.web.live import Streams
from firehose.web.site import site
from firehose.web.wikimedia import PREFIX as EVENTSTREAMS

log = structlog.get_logger("web")


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


class Server(Listener):
    """The hub's listening server. `start()`, then `run()` until `close()`."""

    def __init__(self, hub: Hub) -> None:
        self.application = Dispatcher(hub)
        super().__init__(self.application, hub.settings.http.listen)

    async def close(self) -> None:
        """Say goodbye to streams, finish what is being answered, close the port."""
        self._closing = True
        await self.application.streams.close()
        await super().close()
