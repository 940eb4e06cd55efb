"""An account at a Matrix homeserver: logged in, in the rooms it speaks in, one message at a time.

In: a homeserver's URL, a token or a user and password, messages. Out: the message's id at the homeserver; a message
with a transaction id that it already has is not said again. It refuses to know what is said. Errors: `SlowDown` when
the homeserver wants a pause, `TryLater` when it is away or a room does not let us in, `GiveUp` for a message that it
will never take. Only this module knows matrix-nio.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import aiohttp
import msgspec
import structlog
from nio import (
    AsyncClient,
    AsyncClientConfig,
    ErrorResponse,
    JoinResponse,
    LoginResponse,
    RoomGetStateEventResponse,
    RoomSendResponse,
    WhoamiResponse,
)

from firehose import urls
from firehose.errors import Broken, GiveUp, SlowDown, TryLater
from firehose.plumbing import tls
from firehose.plumbing.backoff import Pauses, delays
from firehose.plumbing.clock import monotonic

log = structlog.get_logger("matrix")
# It repeats, word for word, what comes back as an error anyway.
logging.getLogger("nio").setLevel(logging.CRITICAL)
SECONDS: Final = 30.0
PAUSE: Final = 5.0
"""Seconds of a pause when the homeserver does not say how long it should be."""
_LOGGED_OUT: Final = frozenset(("M_UNKNOWN_TOKEN", "M_MISSING_TOKEN"))
_NEVER: Final = frozenset(("M_TOO_LARGE", "M_BAD_JSON", "M_NOT_JSON", "M_INVALID_PARAM"))


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """url: the homeserver's, `https://…`. token: an access token, else user (`@bot:example.org`) and password. device:
    the name of our session, the same each time, since a homeserver knows transaction ids by it. ca_file: instead of
    the system's authorities."""

    url: str
    user: str = ""
    token: str = ""
    password: str = ""
    device: str = ""
    ca_file: str = ""


class _LoggedOut(Exception):
    """The homeserver does not know our token any more."""


class _Client(AsyncClient):  # type: ignore[misc]
    """nio's client with a session of ours: no cookies, no proxy of the environment, and no redirects, which would take
    the token to wherever the answer says."""

    async def send(self, method: str, path: str, data: Any = None, headers: Any = None, *rest: Any) -> Any:
        return await self.client_session.request(
            method, self.homeserver + path, data=data, headers=headers, ssl=self.ssl, allow_redirects=False
        )


class Homeserver:
    """One account. `run()` looks whether the homeserver is back after it was away; `up` is called when it is."""

    def __init__(self, account: Account, up: Callable[[], None] = lambda: None) -> None:
        if problem := urls.problem(account.url, ("https", "http")):
            raise Broken(f"url: {problem}", code=2)
        _tls(account)  # a file that cannot be read is told at once
        self._account = account
        self._up = up
        self._client: _Client | None = None
        self._rooms: dict[str, str] = {}
        self._turn = asyncio.Lock()
        self._away = asyncio.Event()
        self._pauses = Pauses(monotonic)

    async def run(self) -> None:
        """Log in and look whether the homeserver is there, after the start and whenever it was away. Never returns."""
        self._away.set()
        while True:
            await self._away.wait()
            for wait in delays(1, 60):
                try:
                    await self._ready()
                    await self._asked(self._client.whoami(), "who we are")  # type: ignore[union-attr]
                except (_LoggedOut, SlowDown, TryLater, GiveUp) as error:
                    log.info("a homeserver waits", server=self._account.url, why=str(error))
                    await asyncio.sleep(wait)
                else:
                    break
            self._away.clear()
            self._up()

    async def say(self, room: str, content: dict[str, Any], transaction: str) -> str:
        """Say a message in a room (`#alias:server` or `!id:server`), joined first; the id that it got there."""
        try:
            try:
                return await self._say(room, content, transaction)
            except _LoggedOut:
                # A password outlives its session: log in once more, under the same session's name.
                await self._forget()
                return await self._say(room, content, transaction)
        except _LoggedOut as error:
            await self._forget()
            raise TryLater(f"{self._account.url} does not know the token any more: {error}") from None

    async def close(self) -> None:
        """Let go of the connections; the session stays, so that transaction ids go on counting."""
        await self._forget()

    async def _say(self, room: str, content: dict[str, Any], transaction: str) -> str:
        client = await self._ready()
        place = self._rooms.get(room) or await self._join(client, room)
        try:
            said = await self._asked(client.room_send(place, "m.room.message", content, tx_id=transaction), room)
        except TryLater:
            # Thrown out, or the room is gone: the next try joins again and hears why not.
            self._rooms.pop(room, None)
            raise
        assert isinstance(said, RoomSendResponse)
        self._pauses.over()
        return str(said.event_id)

    async def _join(self, client: _Client, room: str) -> str:
        joined = await self._asked(client.join(room), f"{room} does not let us in")
        assert isinstance(joined, JoinResponse)
        place = str(joined.room_id)
        with suppress(TryLater):
            found = await self._asked(client.room_get_state_event(place, "m.room.encryption"), room)
            if isinstance(found, RoomGetStateEventResponse) and found.content.get("algorithm"):
                raise GiveUp(f"{room} is encrypted, and what is said in it would not be; use a room without encryption")
        self._rooms[room] = place
        return place

    async def _ready(self) -> _Client:
        """The client, logged in."""
        async with self._turn:
            if self._client is not None:
                return self._client
            account = self._account
            try:
                client = _client(account)
            except Broken as error:
                raise TryLater(error.detail) from None
            try:
                if account.token:
                    client.access_token = account.token
                    who = await self._asked(client.whoami(), "who we are")
                    assert isinstance(who, WhoamiResponse)
                else:
                    who = await self._asked(client.login(account.password, device_name="Firehose"), "the login failed")
                    assert isinstance(who, LoginResponse)
            except BaseException:
                await client.close()
                raise
            self._client = client
            return client

    async def _asked(self, request: Awaitable[Any], what: str) -> Any:
        """The homeserver's answer, or the error that it means; `what` was wanted."""
        try:
            answer = await request
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._away.set()
            raise TryLater(f"{self._account.url}: {str(error) or type(error).__name__}") from None
        if not isinstance(answer, ErrorResponse):
            return answer
        status = answer.transport_response.status if answer.transport_response else 0
        code, words = answer.status_code or "", f"{what}: {answer.status_code or status} {answer.message}"
        if status == 429 or code == "M_LIMIT_EXCEEDED":
            wished = answer.retry_after_ms / 1_000 if answer.retry_after_ms else PAUSE
            raise SlowDown(words, after=self._pauses.again(wished))
        if code in _LOGGED_OUT:
            raise _LoggedOut(words)
        if code in _NEVER:
            raise GiveUp(words)
        if status >= 500:
            self._away.set()
        raise TryLater(words)

    async def _forget(self) -> None:
        async with self._turn:
            client, self._client = self._client, None
        self._rooms.clear()
        if client is not None:
            await client.close()


def _tls(account: Account) -> ssl.SSLContext | None:
    return tls.context(account.ca_file) if account.url.startswith("https") else None


def _client(account: Account) -> _Client:
    # What to do about a pause or a silence is decided by whoever asked, not in a loop inside the library.
    config = AsyncClientConfig(max_limit_exceeded=0, max_timeouts=0, request_timeout=SECONDS)
    client = _Client(
        account.url.rstrip("/"), account.user, device_id=account.device, config=config, ssl=_tls(account) or True
    )
    client.client_session = aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=SECONDS), cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
    )
    return client
