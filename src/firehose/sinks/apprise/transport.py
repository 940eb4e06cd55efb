"""Hands notifications to Apprise, which knows how each service wants them.

In: a title and a text. Out: whether the service took it; Apprise tells no more, so everything else is tried again. The
service is one that the operator named. The library is an extra: `pip install 'infra-firehose[apprise]'`.
"""

from __future__ import annotations

from typing import Any, Final

from firehose.errors import Broken, TryLater
from firehose.sink import Message, Outlet, Tools

TITLE: Final = "title"


class Transport:
    """One service."""

    def __init__(self, service: Any) -> None:
        self._service = service

    async def send(self, message: Message) -> str:
        """One notification."""
        taken = await self._service.async_notify(title=message.headers[TITLE], body=message.body.decode())
        if not taken:
            raise TryLater(f"{self._service.service_name} did not take it; the log says more")
        return "notified"

    async def run(self) -> None:
        """There is nothing to hold."""

    async def close(self) -> None:
        """Nothing stays open."""


def connect(outlet: Outlet, tools: Tools) -> Transport:
    """The transport of an Apprise sink."""
    try:
        import apprise
    except ImportError:
        raise Broken("this kind needs a package more: pip install 'infra-firehose[apprise]'", code=2) from None
    urls = tools.secret("secret").decode().split()
    if len(urls) != 1:
        raise Broken(
            "set secret_file (or secret_env) to exactly one Apprise URL; other services are other sinks", code=2
        )
    service = apprise.Apprise.instantiate(urls[0])
    if service is None:
        raise Broken("the secret is no URL that Apprise knows; its scheme names the service, such as slack://", code=2)
    return Transport(service)
