"""An outgoing NATS connection to a server of somebody else: held, come back by itself, publish and be acknowledged.

In: URLs (`nats`, `tls`, `ws`, `wss`), a login. Out: messages, each acknowledged by a stream (JetStream) or taken by the
server. It refuses to know what is published, and has nothing to do with the hub's own engine, which is `bus/`'s.
Errors: `TryLater` when the server is away or no stream acknowledges, `Broken` for a URL that is none.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import nats
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NoStreamResponseError

from firehose import urls
from firehose.errors import Broken, TryLater, words
from firehose.plumbing import tls
from firehose.plumbing.backoff import delays

log = structlog.get_logger("nats-out")
SCHEMES: Final = ("nats", "tls", "ws", "wss")
CONNECT_SECONDS: Final = 5.0
ACKNOWLEDGE_SECONDS: Final = 20.0


class Login(msgspec.Struct, frozen=True):
    """Who we are there: a user and a password, a password alone (a token), or a file of credentials. ca_file: instead
    of the system's authorities; cert_file, key_file: our certificate."""

    user: str = ""
    password: str = ""
    creds_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""


def url_problem(given: str) -> str:
    """Why URLs with commas between them cannot be used, "" when they can."""
    return next(filter(None, (urls.problem(url, SCHEMES) for url in _each(given) or [""])), "")


def _each(given: str) -> list[str]:
    return [url.strip() for url in given.split(",") if url.strip()]


class Server:
    """A connection to one server, or to any of several of one cluster. `run()` holds it; `up` is called whenever it has
    come up. stream: wait for a stream's acknowledgement, else for the server's."""

    def __init__(self, given: str, login: Login, *, stream: bool, up: Callable[[], None]) -> None:
        self._urls = _each(given)
        if problem := url_problem(given):
            raise Broken(f"url: {problem}", code=2)
        self._login = login
        self._tls()  # files that cannot be read are told at once
        if login.creds_file and not Path(login.creds_file).is_file():
            raise Broken(f"creds_file: there is no file {login.creds_file}", code=2)
        self._stream = stream
        self._up = up
        self._client: Client | None = None
        self._connected = asyncio.Event()
        self._why = "not connected yet"

    async def run(self) -> None:
        """Connect, and again whenever the connection ends. Never returns."""
        waits = delays(0.2, 30)
        while True:
            ended = asyncio.Event()
            try:
                self._client = await self._connect(ended)
                self._connected.set()
                waits = delays(0.2, 30)
                self._up()
                await ended.wait()
                self._why = "the server ended the connection"
            except (NatsError, OSError, TimeoutError, ValueError, Broken) as error:
                self._why = words(error)
            finally:
                self._connected.clear()
                client, self._client = self._client, None
                if client is not None:
                    await client.close()
            log.info("no connection to a NATS server", servers=self._urls, why=self._why)
            await asyncio.sleep(next(waits))

    async def _connect(self, ended: asyncio.Event) -> Client:
        login = self._login
        # Coming back is ours: while the library does it, it takes messages that it may lose.
        options: dict[str, Any] = {
            "servers": self._urls, "allow_reconnect": False, "connect_timeout": CONNECT_SECONDS, "name": "firehose",
            "closed_cb": _told(ended), "disconnected_cb": _told(ended), "error_cb": _quiet,
        }  # fmt: skip
        if login.creds_file:
            options["user_credentials"] = login.creds_file
        elif login.user:
            options |= {"user": login.user, "password": login.password}
        elif login.password:
            options["token"] = login.password
        if (context := self._tls()) is not None:
            options["tls"] = context
        return await nats.connect(**options)

    def _tls(self) -> ssl.SSLContext | None:
        """What TLS needs, read anew for each connection, as certificates are renewed; None without TLS."""
        login = self._login
        if login.ca_file or login.cert_file or self._urls[0].startswith(("tls:", "wss:")):
            return tls.context(login.ca_file, login.cert_file, login.key_file)
        return None

    async def publish(self, subject: str, payload: bytes, headers: Mapping[str, str]) -> str:
        """Publish, and wait until it is acknowledged: what acknowledged it, in a few words."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._connected.wait()
        except TimeoutError:
            raise TryLater(f"no connection to {self._urls[0]}: {self._why}") from None
        client = self._client
        if client is None:
            raise TryLater("the connection has just ended")
        try:
            if self._stream:
                ack = await client.jetstream().publish(
                    subject, payload, timeout=ACKNOWLEDGE_SECONDS, headers=dict(headers)
                )
                return f"{ack.stream} {ack.seq}{' (already there)' if ack.duplicate else ''}"
            await client.publish(subject, payload, headers=dict(headers))
            await client.flush(int(ACKNOWLEDGE_SECONDS))
        except NoStreamResponseError:
            raise TryLater(f'no stream takes {subject!r} there; make one, or set acknowledge = "server"') from None
        except (NatsError, OSError, TimeoutError) as error:
            raise TryLater(f"it was not acknowledged: {words(error)}") from None
        return "taken by the server"


def _told(ended: asyncio.Event) -> Any:
    async def note() -> None:
        ended.set()

    return note


async def _quiet(_error: Exception) -> None:
    """What went wrong shows up where it matters: in the publish, or in the end of the connection."""
