"""Hands mails to the operator's mail server, unless their recipient has stopped them.

In: whole mails but for their date. Out: mails on their way. The server is one that the operator named.
"""

from __future__ import annotations

from email.utils import format_datetime, parseaddr
from typing import Any

from firehose.plumbing import smtp
from firehose.sink import Message, Outlet, Tools


class Transport:
    """One mail server."""

    def __init__(self, settings: Any, tools: Tools) -> None:
        smtp.check(settings.url)
        password = tools.secret("secret").decode()
        self._server = smtp.Server(settings.url, settings.starttls, settings.user, password)
        self._sender = parseaddr(settings.sender)[1]
        self._tools = tools

    async def send(self, message: Message) -> str:
        """One mail, dated now."""
        if await self._tools.stopped(message.to):
            return ""
        date = f"Date: {format_datetime(self._tools.now())}\r\n".encode()
        return await smtp.send(self._server, self._sender, message.to, date + message.body)

    async def run(self) -> None:
        """Each mail has a connection of its own."""

    async def close(self) -> None:
        """Nothing stays open."""


def connect(outlet: Outlet, tools: Tools) -> Transport:
    """The transport of an e-mail sink."""
    return Transport(outlet.settings, tools)
