"""Publishes to a RabbitMQ and waits for its confirmation.

In: messages, with AMQP's headers as JSON in one of ours. Out: packets on a connection that `plumbing/amqp.py` holds.
The broker is one that the operator named, so its address is not checked against the inside.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from firehose.plumbing import amqp
from firehose.plumbing.amqp import Login, Packet, Publisher
from firehose.sink import Message, Outlet, Tools

HEADERS: Final = "amqp-headers"


class Transport:
    """One broker."""

    def __init__(self, settings: Any, tools: Tools) -> None:
        password = tools.secret("secret").decode()
        login = Login(settings.amqp_url, password, settings.ca_file, settings.cert_file, settings.key_file)
        self._publisher = Publisher(login, settings.exchange, mandatory=settings.mandatory, up=tools.back)
        self._priority = settings.priority

    async def send(self, message: Message) -> str:
        """One publish."""
        headers = msgspec.json.decode(message.headers[HEADERS])
        packet = Packet(
            key=message.to, body=message.body, id=message.id, headers=headers, priority=self._priority
        )  # fmt: skip
        await self._publisher.publish(packet)
        return "confirmed"

    async def run(self) -> None:
        """Hold the connection."""
        await self._publisher.run()

    async def close(self) -> None:
        """It ended with `run`."""


def url_problem(url: str) -> str:
    """Why a URL cannot be a broker's, "" when it can."""
    return amqp.url_problem(url)


def connect(outlet: Outlet, tools: Tools) -> Transport:
    """The transport of a Fedora Messaging sink."""
    return Transport(outlet.settings, tools)
