"""Requests that producers make over NATS, in the account of their login: one of the files that know the client library.

In: a connection in that account, a NATS subject, a handler. Out: each message handed to it with its MQTT topic and
headers; what it says is the answer, if the sender waits for one. Messages that were published over MQTT at QoS 1 are
left out: the engine shows them here as well, but keeps them for a session, which takes them (`intake/inbound.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from firehose.errors import TryLater
from firehose.subject import from_nats

Handler = Callable[[str, bytes, Mapping[str, str]], Awaitable[bytes]]
QUEUE: Final = "firehose"
WAITING: Final = 1_000
TOGETHER: Final = 500
MQTT_HEADER: Final = "Nmqtt-Pub"
"""The engine's own header on what came by MQTT: its value begins with the QoS."""


async def serve(client: Client, subject: str, handler: Handler) -> None:
    """Answer requests, without end. Several processes share them. What arrives together is handled together, so that
    it can share a batch; the handler is called in the order of arrival."""
    arrived: asyncio.Queue[Msg] = asyncio.Queue(WAITING)
    subscription = await client.subscribe(subject, queue=QUEUE, cb=arrived.put)
    try:
        while True:
            batch = [await arrived.get()]
            while not arrived.empty() and len(batch) < TOGETHER:
                batch.append(arrived.get_nowait())
            await asyncio.gather(*(_answer(client, message, handler) for message in batch if not _kept(message)))
    finally:
        if client.is_connected:
            await subscription.unsubscribe()


async def ask(client: Client, subject: str, body: bytes, seconds: float) -> bytes:
    """A request and its answer; `TryLater` where nobody answers in time."""
    try:
        answer = await client.request(subject, body, timeout=seconds)
    except (NatsError, TimeoutError, OSError) as error:
        raise TryLater(f"nobody answers at {subject}: {error or type(error).__name__}") from None
    return answer.data


async def _answer(client: Client, message: Msg, handler: Handler) -> None:
    headers = {name.lower(): value for name, value in (message.headers or {}).items() if name != MQTT_HEADER}
    said = await handler(from_nats(message.subject), message.data, headers)
    if message.reply and client.is_connected:
        await client.publish(message.reply, said)


def _kept(message: Msg) -> bool:
    """Whether a persistent MQTT session gets this message, too."""
    return (message.headers or {}).get(MQTT_HEADER, "0")[:1] not in ("0", "")
