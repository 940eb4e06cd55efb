"""`/v1/stream…`: live streams. Placeholder of this hour: the address exists, the stream follows in the next commit."""

from __future__ import annotations

from typing import Final

from firehose.errors import TryLater
from firehose.web.answer import Receive, Scope, Send, reply_problem
from firehose.web.hub import Hub

PREFIX: Final = "/v1/stream"


class Streams:
    """The ASGI handler of everything below `/v1/stream`."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One reader."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1013})
            return
        await reply_problem(send, TryLater("streams are not there yet"), self._hub.settings.public_url)

    async def close(self) -> None:
        """End all streams."""
