"""Says lines in channels, at the network's pace, and knows when the server has them.

In: messages of one line or more for a channel. Out: what `plumbing/irc.py` sends. The network is one that the operator
named, so its address is not checked against the inside.
"""

from __future__ import annotations

from typing import Any

from firehose.plumbing.irc import Network, Server
from firehose.sink import Message, Outlet, Tools


class Transport:
    """One network."""

    def __init__(self, settings: Any, tools: Tools) -> None:
        self.network = Network(
            Server(
                host=settings.host, port=settings.port, tls=settings.tls, ca_file=settings.ca_file, nick=settings.nick,
                account=settings.account, password=tools.secret("secret").decode(), pace=settings.pace,
                most=settings.most_channels,
            ),
            tools.back,
        )  # fmt: skip

    async def send(self, message: Message) -> str:
        """Say the message's lines."""
        return await self.network.say(message.to, message.body.decode().split("\n"))

    async def run(self) -> None:
        """Hold the connection."""
        await self.network.run()

    async def close(self) -> None:
        """Leave the network."""
        await self.network.close()


def connect(outlet: Outlet, tools: Tools) -> Transport:
    """The transport of an IRC sink."""
    return Transport(outlet.settings, tools)
