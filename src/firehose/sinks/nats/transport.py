"""Publishes to a NATS server and waits for the acknowledgement.

In: messages. Out: publishes on a connection that `plumbing/nats.py` holds. The server is one that the operator named,
so its address is not checked against the inside.
"""

from __future__ import annotations

from typing import Any

from firehose.plumbing import nats
from firehose.plumbing.nats import Login, Server
from firehose.sink import Message, Outlet, Tools


class Transport:
    """One server, or the servers of one cluster."""

    def __init__(self, settings: Any, tools: Tools) -> None:
        login = Login(
            settings.user, tools.secret("secret").decode(), settings.creds_file, settings.ca_file, settings.cert_file,
            settings.key_file,
        )  # fmt: skip
        self._server = Server(settings.url, login, stream=settings.acknowledge == "stream", up=tools.back)

    async def send(self, message: Message) -> str:
        """One publish."""
        return await self._server.publish(message.to, message.body, message.headers)

    async def run(self) -> None:
        """Hold the connection."""
        await self._server.run()

    async def close(self) -> None:
        """It ended with `run`."""


def url_problem(url: str) -> str:
    """Why URLs cannot be servers', "" when they can."""
    return nats.url_problem(url)


def connect(outlet: Outlet, tools: Tools) -> Transport:
    """The transport of a NATS sink."""
    return Transport(outlet.settings, tools)
