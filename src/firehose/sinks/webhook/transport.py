"""Sends signed requests, and reads from the answer what is to be done next.

In: messages. Out: requests through the checked door (`plumbing/http.py`: every address checked and pinned, no
redirect followed). 2xx: taken. 410: gone, for good. 429, and 503 that says when: a pause. Everything else, redirects
and addresses that are not allowed included: later, as Standard Webhooks asks.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from firehose.errors import GiveUp, Gone, SlowDown, TryLater
from firehose.plumbing.backoff import Pauses
from firehose.plumbing.http import Answer, Client, Limits
from firehose.sink import Message, Outlet, Tools
from firehose.sinks.webhook import signing
from firehose.urls import place

ANSWER_LIMIT: Final = 64 * 1024
SAID: Final = 200
DEFAULT_PAUSE: Final = 30.0
LIKE_A_SECRET: Final = 8
"""So many letters of a URL's path or query may be a secret of their own."""
_PIECE: Final = re.compile(r"[/?&=;]")


class Transport:
    """One endpoint."""

    def __init__(self, settings: Any, tools: Tools) -> None:
        self._tools = tools
        secrets = [tools.secret("secret"), tools.secret("old_secret")]
        self._keys = [signing.key(secret) for secret in secrets if secret]
        allow = ("0.0.0.0/0", "::/0") if settings.allow_private else settings.allow
        limits = Limits(connect=min(10.0, settings.timeout), read=settings.timeout, total=settings.timeout,
                        answer=ANSWER_LIMIT)  # fmt: skip
        self.client = Client(allow, limits=limits)
        self._pauses = Pauses(lambda: tools.now().timestamp())

    async def send(self, message: Message) -> str:
        """One POST, signed at this moment."""
        stamp = int(self._tools.now().timestamp())
        signed = signing.headers(message.id, stamp, message.body, self._keys, self._tools.sign)
        try:
            answer = await self.client.request("POST", message.to, {**message.headers, **signed}, message.body)
        except GiveUp as error:
            # What is wrong is the place, not the message: it waits until the place or the settings are mended.
            raise TryLater(error.detail) from None
        if 200 <= answer.status < 300:
            self._pauses.over()
            return str(answer.status)
        raise self._trouble(answer, message.to)

    def _trouble(self, answer: Answer, url: str) -> Exception:
        said = told(answer, url)
        if answer.status == 410:
            return Gone(f"{said}: the receiver wants nothing any more; switch on again with: firehose sinks enable")
        wished = self._wished(answer.headers.get("retry-after", ""))
        if answer.status == 429 or (answer.status == 503 and wished is not None):
            return SlowDown(said, after=self._pauses.again(DEFAULT_PAUSE if wished is None else wished))
        return TryLater(said, after=wished or 0.0)

    def _wished(self, text: str) -> float | None:
        """Seconds that a `Retry-After` asks for, in both of its forms."""
        if text.isascii() and text.isdecimal():
            return float(text)
        try:
            return max(0.0, (parsedate_to_datetime(text) - self._tools.now()).total_seconds())
        except (ValueError, TypeError):
            return None

    async def run(self) -> None:
        """Nothing is held open but connections that are there anyway."""

    async def close(self) -> None:
        """Close the connections."""
        await self.client.close()


def told(answer: Answer, url: str) -> str:
    """What an answer says, for everybody: of addresses the host alone, since a path or a query may be the secret.
    `url` is what was asked; servers like to repeat it."""
    if 300 <= answer.status < 400:
        where = place(answer.headers.get("location", ""))[:SAID] or "another path"
        return f"answered {answer.status} and points to {where}; redirects are not followed, set the sink's url to it"
    body = " ".join(_without(answer.body[: SAID + len(url)].decode("utf-8", "replace"), url).split())[:SAID]
    return f"answered {answer.status}" + (f": {body}" if body else "")


def _without(said: str, url: str) -> str:
    """Words without what may be secret in a URL."""
    parts = urlsplit(url)
    pieces = [piece for piece in _PIECE.split(f"{parts.path}?{parts.query}") if len(piece) >= LIKE_A_SECRET]
    secrets = {each for part in (parts.path, parts.query, *pieces) for each in (part, unquote(part)) if len(each) > 1}
    for secret in sorted(secrets, key=len, reverse=True):
        said = said.replace(secret, "…")
    return said


def connect(outlet: Outlet, tools: Tools) -> Transport:
    """The transport of a webhook sink."""
    return Transport(outlet.settings, tools)
