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


class Inbound:
    """The session of one login. `run()` never returns."""

    def __init__(self, producer: Producer, address: str, password: str, deliver: Deliver, clock: Now) -> None:
        self._producer = producer
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._deliver = deliver
        self._clock = clock
        self._arrived: asyncio.Queue[paho.MQTTMessage] = asyncio.Queue()
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

        client.on_connect = self._connected
        client.on_message = arrived
        return client

    def _connected(self, client: paho.Client, _user: object, _flags: object, reason: Any, _properties: object) -> None:
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
                batch = [await self._arrived.get()]
                while not self._arrived.empty() and len(batch) < 500:
                    batch.append(self._arrived.get_nowait())
                # Together, so that they share the gate's next batch; the gate keeps their order.
                await asyncio.gather(*(self._pass_on(message) for message in batch))
                for message in batch:
                    client.ack(message.mid, message.qos)
        finally:
            client.disconnect()
            client.loop_stop()

    async def _pass_on(self, message: paho.MQTTMessage) -> None:
        delivery = Delivery(
            source=self._producer.source, body=bytes(message.payload), topic=message.topic, channel="mqtt",
            received=self._clock(),
        )  # fmt: skip
        waits = delays(first=0.2, most=5.0)
        while True:
            try:
                await self._deliver(delivery)
                return
            except Refused as problem:
                log.info("refused", source=delivery.source, topic=delivery.topic, detail=problem.detail)
                return
            except TryLater:
                await asyncio.sleep(next(waits))
