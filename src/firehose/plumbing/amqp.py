"""AMQP 0-9-1 for both ways: the login (password, or a client certificate alone), and a publisher that is confirmed.

In: a URL (`amqp`, `amqps`), files for TLS; packets to publish. Out: connections; for each packet the broker's
confirmation. It refuses to know what is published. Errors: `TryLater` when certificates cannot be read, the broker is
away, or it does not confirm; `Broken` for a publisher whose URL is none or whose certificates cannot be read.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import aio_pika
import msgspec
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from aio_pika.exceptions import DeliveryError
from aiormq.exceptions import AMQPError

from firehose import urls
from firehose.errors import Broken, TryLater, words
from firehose.plumbing.backoff import delays
from firehose.plumbing.tls import context

log = structlog.get_logger("amqp")
CONNECT_SECONDS: Final = 20.0
WAIT_SECONDS: Final = 5.0
CONFIRM_SECONDS: Final = 20.0
SETTINGS_WAIT: Final = 60.0


class Login(msgspec.Struct, frozen=True):
    """Where, and who we are there. url: `amqp(s)://user@host[:port]/vhost`. ca_file: instead of the system's
    authorities. cert_file, key_file: our certificate; with one and no password it is the login (SASL EXTERNAL)."""

    url: str
    password: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    @property
    def place(self) -> str:
        """The broker's host, to be shown."""
        return urlsplit(self.url).hostname or "?"


class Packet(msgspec.Struct, frozen=True, kw_only=True):
    """What is published: routing key, body, and the properties beside it."""

    key: str
    body: bytes
    id: str
    headers: Mapping[str, Any]
    time: datetime | None = None
    priority: int | None = None


def url_problem(url: str) -> str:
    """Why a URL cannot be used, "" when it can."""
    return urls.problem(url, ("amqp", "amqps"), user=True)


def address(login: Login) -> str:
    """The URL with the login in it, as the client library wants it."""
    parts = urlsplit(login.url)
    word = login.password or parts.password or ""
    if not word and login.cert_file and parts.scheme == "amqps":
        query = dict(parse_qsl(parts.query)) | {"auth": "external"}
        return urlunsplit(parts._replace(query=urlencode(query)))
    if not login.password or parts.password:
        return login.url
    host = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    user = f"{quote(parts.username or 'guest', safe='')}:{quote(word, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{user}@{host}"))


def tls(login: Login) -> ssl.SSLContext | None:
    """What TLS needs; None for a URL without it."""
    if urlsplit(login.url).scheme != "amqps":
        return None
    try:
        return context(login.ca_file, login.cert_file, login.key_file)
    except Broken as error:
        raise TryLater(f"the certificates cannot be used: {error.detail}", after=SETTINGS_WAIT) from None


async def connect(login: Login) -> AbstractConnection:
    """A connection, logged in. Errors: `AMQPError`, `OSError`, `TimeoutError`, `ValueError`, and `TryLater`."""
    return await aio_pika.connect(address(login), ssl_context=tls(login), timeout=CONNECT_SECONDS)


class Publisher:
    """A held connection to one broker for publishing to one exchange. `run()` holds it; `up` is called whenever it has
    come up. mandatory: a packet that no queue wants is not published."""

    def __init__(self, login: Login, exchange: str, *, mandatory: bool = False, up: Callable[[], None]) -> None:
        if problem := url_problem(login.url):
            raise Broken(f"amqp_url: {problem}", code=2)
        try:
            tls(login)
        except TryLater as error:
            raise Broken(error.detail, code=2) from None
        self._login = login
        self._name = exchange
        self._mandatory = mandatory
        self._up = up
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._exchange: AbstractExchange | None = None
        self._connected = asyncio.Event()
        self._why = "not connected yet"
        self._opening = asyncio.Lock()

    async def run(self) -> None:
        """Connect, and again whenever the connection ends. Never returns."""
        waits = delays(0.2, 30)
        while True:
            wait = 0.0
            try:
                connection = await connect(self._login)
                ended = asyncio.Event()
                connection.close_callbacks.add(lambda *_, ended=ended: ended.set())
                async with connection:
                    self._connection = connection
                    self._connected.set()
                    waits = delays(0.2, 30)
                    self._up()
                    await ended.wait()
                self._why = "the broker ended the connection"
            except TryLater as error:
                self._why, wait = error.detail, error.after
            except (AMQPError, OSError, TimeoutError, ValueError) as error:
                self._why = words(error)
            finally:
                self._connected.clear()
                self._connection = self._channel = self._exchange = None
            log.info("no connection to a broker", broker=self._login.place, why=self._why)
            await asyncio.sleep(wait or next(waits))

    async def publish(self, packet: Packet) -> None:
        """Publish, and wait for the broker's confirmation. `TryLater` when there is none."""
        exchange = await self._open()
        message = aio_pika.Message(
            packet.body, headers=dict(packet.headers), content_type="application/json", content_encoding="utf-8",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT, message_id=packet.id, timestamp=packet.time,
            priority=packet.priority,
        )  # fmt: skip
        try:
            await exchange.publish(message, packet.key, mandatory=self._mandatory, timeout=CONFIRM_SECONDS)
        except DeliveryError:
            raise TryLater(f"the broker did not take it: no queue wants {packet.key}, or its queue is full") from None
        except (AMQPError, OSError, TimeoutError, asyncio.CancelledError, RuntimeError) as error:
            # The library cancels what waits for a confirmation when its channel closes; a cancellation of ours goes on.
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling()):
                raise
            raise TryLater(f"the broker did not confirm it: {words(error)}") from None

    async def _open(self) -> AbstractExchange:
        """The exchange, on a channel that is open: a broker closes the channel of a publish that it forbids."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._connected.wait()
        except TimeoutError:
            raise TryLater(f"no connection to {self._login.place}: {self._why}") from None
        async with self._opening:
            if self._connection is None:
                raise TryLater(f"no connection to {self._login.place}: it has just ended")
            if self._exchange is None or self._channel is None or self._channel.is_closed:
                try:
                    self._channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
                    self._exchange = await self._channel.get_exchange(self._name, ensure=False)
                except (AMQPError, OSError, TimeoutError, RuntimeError) as error:
                    raise TryLater(f"no channel at {self._login.place}: {error}") from None
            return self._exchange
