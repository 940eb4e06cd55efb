"""A request's body as it comes to a raw ASGI handler, and what is done with the rest of one that is refused.

Most clients read no answer before they have sent everything, and lose it when the connection breaks under them. So who
is refused early sends the rest first, within limits; one that asked before it sends (`Expect`) is answered at once.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from firehose.web.answer import Receive, Received, Scope, header

REST_SECONDS: Final = 30.0
REST_PAUSE: Final = 2.0
REST_BYTES: Final = 64 * 2**20
"""How long, with which pauses, and for how much a sender may go on after it was refused."""


class Gone(Exception):
    """The sender hung up before its body was complete."""


class Incoming:
    """`Receive` that knows whether all of the body came."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        self._begun = self._ended = False

    async def __call__(self) -> Received:
        """The next message."""
        self._begun = True
        message = await self._receive()
        self._ended = message["type"] != "http.request" or not message.get("more_body")
        return message

    async def drop(self) -> None:
        """Read away what still comes; nothing where all is here."""
        if not self._begun and header(self._scope, b"expect").lower() == "100-continue":
            return
        size = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(REST_SECONDS):
                while not self._ended and size <= REST_BYTES:
                    async with asyncio.timeout(REST_PAUSE):
                        size += len((await self()).get("body", b""))
