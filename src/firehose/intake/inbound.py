"""What producers publish over MQTT: one persistent session per login, acknowledged only after the stream has it.

In: a login's account in the engine. Out: deliveries to the gate. The engine answers a producer's QoS 1 publish when
the message is on its disk *for our session*; we acknowledge that only after the gate's answer, so what a producer was
promised survives a crash of hub or engine. What the gate refuses is in quarantine and acknowledged; when the stream is
away the message waits, unacknowledged, and comes again. Invariant 1.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion

from firehose.bus.engine_config import Producer
from firehose.errors import Refused, TryLater
from firehose.plumbing.backoff import delays
from firehose.plumbing.clock import Now
from firehose.source import Delivery

log = structlog.get_logger("inbound")
Deliver = Callable[[Delivery], Awaitable[Any]]
MOST = 500
SETTLE_SECONDS = 5.5
"""A little more than the engine's `ack_wait`: so long after a session is resumed, what was not acknowledged before
comes again, behind what is new (nats-server 2.15, measured). Until then it is collected, to be put first."""


class Inbound:
    """The session of one login. `run()` never returns."""

    def __init__(self, producer: Producer, address: str, password: str, deliver: Deliver, clock: Now) -> None:
        self._producer = producer
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._deliver = deliver
        self._clock = clock
        self._arrived: asyncio.Queue[paho.MQTTMessage] = asyncio.Queue()
        self._settled = 0.0
        self.subscribed = asyncio.Event()
        """Set once the engine keeps for us what the producer publishes: before that it acknowledges and drops it."""
        self._client = self._make(password)

    def _make(self, password: str) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"firehose-inbound-{self._producer.user}",
            clean_session=False,
            manual_ack=True,
        )
        client.username_pw_set(f"hub-{self._producer.user}", password)
        client.reconnect_delay_set(1, 5)
        loop = asyncio.get_running_loop()

        def arrived(_client: paho.Client, _user: object, message: paho.MQTTMessage) -> None:
            if not message.qos and not self._producer.own_topics:
                return  # what no session keeps, and all that comes by NATS, `inbound_nats.py` takes
            loop.call_soon_threadsafe(self._arrived.put_nowait, message)

        def connected(client: paho.Client, _user: object, flags: Any, reason: Any, _properties: object) -> None:
            if not reason.is_failure and flags.session_present:
                loop.call_soon_threadsafe(self._resumed)
            self._connected(client, reason)

        def subscribed(*_: Any) -> None:
            loop.call_soon_threadsafe(self.subscribed.set)

        client.on_connect = connected
        client.on_subscribe = subscribed
        client.on_message = arrived
        return client

    def _resumed(self) -> None:
        self._settled = asyncio.get_running_loop().time() + SETTLE_SECONDS

    def _connected(self, client: paho.Client, reason: Any) -> None:
        if reason.is_failure:
            log.warning("the engine refuses the inbound session", user=self._producer.user, reason=str(reason))
            return
        client.subscribe("#" if self._producer.own_topics else f"in/{self._producer.source}/#", qos=1)

    async def run(self) -> None:
        """Take messages one after another, in the order the broker gives them."""
        client = self._client
        client.connect_async(self._host, self._port, keepalive=20)
        client.loop_start()
        try:
            while True:
                batch = await self._batch()
                # Together, so that they share the gate's next batch; the gate keeps their order.
                await self._pass_on([self._delivery(message) for message in batch])
                for message in batch:
                    client.ack(message.mid, message.qos)
        finally:
            client.disconnect()
            client.loop_stop()

    async def _batch(self) -> list[paho.MQTTMessage]:
        """What has arrived, at least one message; of a session just resumed, what comes again before what is new."""
        batch = [await self._arrived.get()]
        settled = self._settled
        if not settled:
            return batch + [self._arrived.get_nowait() for _ in range(min(MOST - 1, self._arrived.qsize()))]
        await asyncio.sleep(max(0.0, settled - asyncio.get_running_loop().time()))
        if self._settled == settled:  # else the session broke and was resumed meanwhile
            self._settled = 0.0
        batch += [self._arrived.get_nowait() for _ in range(self._arrived.qsize())]
        # What is new came again itself while it was held: the first of each stays.
        first = {message.mid: message for message in reversed(batch)}
        return sorted((message for message in batch if first[message.mid] is message), key=lambda kept: not kept.dup)

    def _delivery(self, message: paho.MQTTMessage) -> Delivery:
        return Delivery(
            source=self._producer.source, body=bytes(message.payload), topic=message.topic, channel="mqtt",
            received=self._clock(),
        )  # fmt: skip

    async def _pass_on(self, deliveries: list[Delivery]) -> None:
        """Deliver all. What must come again comes again in its order: the gate fails what waits behind it, too."""
        waits = delays(first=0.2, most=5.0)
        while deliveries:
            taken = await asyncio.gather(*(self._taken(delivery) for delivery in deliveries))
            deliveries = [delivery for delivery, done in zip(deliveries, taken, strict=True) if not done]
            if deliveries:
                await asyncio.sleep(next(waits))

    async def _taken(self, delivery: Delivery) -> bool:
        try:
            await self._deliver(delivery)
        except Refused as problem:
            log.info("refused", source=delivery.source, topic=delivery.topic, detail=problem.detail)
        except TryLater:
            return False
        return True
