"""A queue on an AMQP 0-9-1 broker (RabbitMQ): declared, bound, and each message acknowledged after the gate stored it.

In: a source instance that asked for `Queue`, and the doors. Out: each message as a delivery, its routing key as the
topic, its properties and headers as headers. The queue is the cursor: what is not acknowledged comes again, and the
gate knows it by its id. What the gate refuses is in quarantine, and acknowledged: one bad message stops nothing. A
queue that was there and is gone (deleted, or never kept while the hub was away) is a gap, and told as one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlsplit

import aio_pika
import msgspec
import structlog
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage
from aiormq.exceptions import AMQPError, ChannelAccessRefused, ChannelNotFoundEntity

from firehose.errors import TryLater, words
from firehose.intake import watch
from firehose.intake.instance import Instance, word
from firehose.intake.session import Doors, Session, obey
from firehose.plumbing import amqp
from firehose.plumbing.clock import Now, monotonic
from firehose.source import Delivery, Queue

log = structlog.get_logger("amqp")


class QueueReader(Session):
    """The queue of one source. `run()` never returns."""

    def __init__(self, instance: Instance, queue: Queue, doors: Doors, now: Now) -> None:
        super().__init__(instance, doors, now)
        self._queue = queue
        self._place = urlsplit(queue.url).hostname or "?"
        self._holding = False

    async def run(self) -> None:
        """Connect, consume, and again, without end."""
        self._state = await self._restore()
        waits = self._waits()
        while True:
            began = monotonic()
            wait = 0.0
            try:
                await self._hold()
                why = "the broker ended the connection, or the queue"
            except TryLater as error:
                why, wait = error.detail, error.after
            except (AMQPError, OSError, TimeoutError, ValueError) as error:
                why = words(error)
            obey()
            if monotonic() - began >= self._pace.good:
                waits = self._waits()
            if self._holding:
                self._holding = False
                self._moved("", self._now())
                await self._keep(now=True)
            self._doors.report(f"not connected to {self._place}", why, self._gaps)
            log.info("not connected", source=self._instance.name, why=why)
            await asyncio.sleep(wait or next(waits))

    async def _hold(self) -> None:
        """One connection, from login to its end."""
        want = self._queue
        arrived: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()
        connection = await amqp.connect(self._login())
        connection.close_callbacks.add(lambda *_: arrived.put_nowait(None))
        async with connection:
            known = await self._is_there(connection)
            channel = await connection.channel()
            channel.close_callbacks.add(lambda *_: arrived.put_nowait(None))
            await channel.set_qos(prefetch_count=want.prefetch)
            if want.exchange_exists:
                exchange = await channel.get_exchange(want.exchange, ensure=False)
            else:
                exchange = await channel.declare_exchange(want.exchange, aio_pika.ExchangeType.TOPIC, durable=True)
            queue = await channel.declare_queue(want.name, durable=want.durable, auto_delete=not want.durable)
            for key in want.bindings:
                await queue.bind(exchange, key)
            await queue.consume(arrived.put)
            # A broker that takes the queue away says so, and nothing more would ever come.
            (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(lambda _: arrived.put_nowait(None))
            await self._tell_gap(known)
            self._holding = True
            self._doors.report(f"AMQP {self._place}: queue {want.name}", "", self._gaps)
            while (first := await arrived.get()) is not None:
                await self._take(first, arrived)

    async def _take(
        self, first: AbstractIncomingMessage, arrived: asyncio.Queue[AbstractIncomingMessage | None]
    ) -> None:
        """Hand over all that came, then acknowledge it in one go."""
        messages = [first]
        while not arrived.empty():
            more = arrived.get_nowait()
            if more is None:
                arrived.put_nowait(None)
                break
            messages.append(more)
        now = self._now()
        await self._pass([self._delivery(message, now) for message in messages])
        await messages[-1].ack(multiple=True)
        self._moved("", now)
        await self._keep()

    @property
    def _gaps(self) -> str:
        return "what is in the queue waits there" if self._queue.durable else "the queue is not kept: gaps are told"

    async def _is_there(self, connection: AbstractConnection) -> bool:
        """Whether the queue exists: asked on a channel of its own, which the broker closes when it does not."""
        channel = await connection.channel()
        try:
            await channel.declare_queue(self._queue.name, passive=True)
        except ChannelNotFoundEntity:
            return False
        except ChannelAccessRefused:  # a broker where one may not ask; whoever may not declare either is told below
            return True
        await channel.close()
        return True

    async def _tell_gap(self, known: bool) -> None:
        """Say that something may be missing, when the queue of before is gone."""
        seen, now = self._state.seen, self._now()
        if seen is not None and not known:
            name, url = self._instance.name, self._instance.settings.url
            why = f"the queue {self._queue.name} was gone, and what went into it with it"
            await self._doors.announce(watch.lost(name, url, watch.Owed(seen, now), why))
        self._moved("", now)
        await self._keep(now=True)

    def _delivery(self, message: AbstractIncomingMessage, now: datetime) -> Delivery:
        headers = {f"amqp-{name.lower()}": _plain(value) for name, value in (message.headers or {}).items()}
        headers |= {"content-type": message.content_type or "application/json"}
        # The table itself as well: lower-case names and plain text would lose what its names and types say.
        headers["amqp-headers"] = msgspec.json.encode(_typed(message.headers or {})).decode()
        if message.message_id:
            headers["amqp-message-id"] = str(message.message_id)
        if message.priority is not None:
            headers["amqp-priority"] = str(message.priority)
        return Delivery(
            source=self._instance.name, body=message.body, received=now, headers=headers,
            topic=message.routing_key or "", channel="amqp",
        )  # fmt: skip

    def _login(self) -> amqp.Login:
        want = self._queue
        password = word(self._instance.settings, want.secret)
        return amqp.Login(want.url, password, want.ca_file, want.cert_file, want.key_file)


def _plain(value: object) -> str:
    """A header's value as text: AMQP has typed ones."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _typed(value: object) -> object:
    """A header's value as JSON has it."""
    if isinstance(value, Mapping):
        return {str(name): _typed(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_typed(inner) for inner in value]
    return value if value is None or isinstance(value, (bool, int, float)) else _plain(value)
