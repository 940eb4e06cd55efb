"""Publishes to a broker and waits for its acknowledgement.

In: messages, whose headers are the user properties. Out: packets on a connection that `plumbing/mqtt.py` holds. The
broker is one that the operator named, so its address is not checked against the inside.
"""

from __future__ import annotations

from typing import Any, Final

from firehose import urls
from firehose.plumbing.mqtt import PORTS, Broker, Login, Packet
from firehose.sink import Message, Outlet, Tools

CONTENT_TYPE: Final = "content-type"


class Transport:
    """One broker."""

    def __init__(self, settings: Any, tools: Tools) -> None:
        login = Login(settings.user, tools.secret("secret").decode(), settings.client_id, settings.ca_file)
        self._broker = Broker(settings.url, login, settings.version, tools.back)
        self._qos = settings.qos
        self._retain = settings.retain

    async def send(self, message: Message) -> str:
        """One publish."""
        properties = [(name, value) for name, value in message.headers.items() if name != CONTENT_TYPE]
        packet = Packet(message.to, message.body, self._qos, self._retain, message.headers[CONTENT_TYPE], properties)
        await self._broker.publish(packet)
        return "acknowledged" if self._qos else "sent"

    async def run(self) -> None:
        """Hold the connection."""
        await self._broker.run()

    async def close(self) -> None:
        """It ended with `run`."""


def url_problem(url: str) -> str:
    """Why a URL cannot be a broker's, "" when it can."""
    return urls.problem(url, tuple(PORTS))


def connect(outlet: Outlet, tools: Tools) -> Transport:
    """The transport of an MQTT sink."""
    return Transport(outlet.settings, tools)
