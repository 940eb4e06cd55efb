"""Says notices in rooms; the homeserver recognises by the message's id what it already has.

In: the content of a message for a room. Out: what `plumbing/matrix.py` sends. The homeserver is one that the operator
named, so its address is not checked against the inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from firehose.errors import Broken
from firehose.event import digest
from firehose.sink import Message, Outlet, Tools

if TYPE_CHECKING:
    from firehose.plumbing.matrix import Homeserver


class Transport:
    """One account."""

    def __init__(self, homeserver: Homeserver) -> None:
        self._homeserver = homeserver

    async def send(self, message: Message) -> str:
        """Say the message."""
        return await self._homeserver.say(message.to, msgspec.json.decode(message.body), message.id)

    async def run(self) -> None:
        """Look whether the homeserver is there."""
        await self._homeserver.run()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._homeserver.close()


def connect(outlet: Outlet, tools: Tools) -> Transport:
    """The transport of a Matrix sink."""
    # Half a second to load, which only hubs with such a sink pay.
    from firehose.plumbing.matrix import Account, Homeserver

    settings = outlet.settings
    secret = tools.secret("secret").decode().strip()
    if not secret:
        raise Broken(
            "set secret_file (or secret_env) to the account's access token, or to its password and user", code=2
        )
    login = {"user": settings.user, "password": secret} if settings.user else {"token": secret}
    device = f"FIREHOSE{digest(outlet.hub_name, outlet.name).hex()[:12].upper()}"
    return Transport(
        Homeserver(Account(url=settings.url, device=device, ca_file=settings.ca_file, **login), tools.back)
    )
