"""Hands notifications to Apprise, which knows how each service wants them.

In: a title and a text. Out: whether the service took it; Apprise tells no more, so everything else is tried again. A
service that is reached by the host in its URL is under the same rule as a webhook: only public addresses, unless the
settings allow more. The library is an extra: `pip install 'infra-firehose[apprise]'`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from firehose.errors import Broken, GiveUp, TryLater
from firehose.plumbing.http import Client
from firehose.sink import Message, Outlet, Tools

TITLE: Final = "title"


class Transport:
    """One service."""

    def __init__(self, service: Any, allow: Sequence[str]) -> None:
        self._service = service
        self._client = Client(allow)
        # An answer must not send a notification, and the tokens in it, somewhere else.
        service.redirects = False

    async def send(self, message: Message) -> str:
        """One notification."""
        if "host" in self._service.template_tokens and self._service.host:
            await self._check(self._service.host, self._service.port or 443)
        taken = await self._service.async_notify(title=message.headers[TITLE], body=message.body.decode())
        if not taken:
            raise TryLater(f"{self._service.service_name} did not take it; the log says more")
        return "notified"

    async def _check(self, host: str, port: int) -> None:
        try:
            # What is no host name at all here (an account, a topic) is Apprise's to understand.
            with suppress(TryLater):
                await self._client.checked(host, port)
        except GiveUp as error:
            # What is wrong is the place, not the message: it waits until the place or the settings are mended.
            raise TryLater(error.detail) from None

    async def run(self) -> None:
        """There is nothing to hold."""

    async def close(self) -> None:
        """Close what is left open."""
        await self._client.close()


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
    settings = outlet.settings
    return Transport(service, ("0.0.0.0/0", "::/0") if settings.allow_private else settings.allow)
