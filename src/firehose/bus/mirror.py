"""The mirror: what the stream stored, given to MQTT readers. Strangers get only what is on disk, in order.

In: the live ring, behind it the stream. Out: each event on its canonical topic (the CloudEvent) and, if wanted, on its
original topics (the upstream bytes), in the PUBLIC account of the engine. While anybody subscribes with QoS 1 or 2 it
publishes as an MQTT client at QoS 1 and moves its cursor only after the broker's PUBACK; else it publishes plainly,
which costs no disk write per event. Retained: `$meta/head` (cursor), `$meta/sources` and
`$meta/sinks` (health), never an event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import aiomqtt
import msgspec
import structlog

from firehose.bus.contract import Bus
from firehose.bus.live import Live, recorded
from firehose.bus.nats import Connection
from firehose.bus.wire import frame
from firehose.errors import TryLater
from firehose.event import Recorded, sound
from firehose.plumbing import metrics
from firehose.plumbing.backoff import delays
from firehose.plumbing.crashpoint import reach
from firehose.subject import META_ROOT, to_nats

log = structlog.get_logger("mirror")
BATCH = 500
HEAD_SECONDS = 1.0
SOURCES_SECONDS = 10.0
Meta = Callable[[], Mapping[str, bytes]]
"""What is told of the hub itself: words below `$meta/`, with their text."""
DEMAND_SECONDS = 2.0
WAIT_SECONDS = 5.0


class MirrorState(msgspec.Struct):
    """Where the mirror is: the last event given to MQTT, and whether anybody wants QoS 1."""

    cursor: int = 0
    acknowledged: bool = True  # until it was asked: sessions that are offline at a restart must not miss anything


class Mirror:
    """One mirror: a NATS connection into PUBLIC for plain publishing and an MQTT one for QoS 1 and retained topics."""

    def __init__(
        self, bus: Bus, live: Live, public: Connection, mqtt: tuple[str, str], *, aliases: bool = True
    ) -> None:
        self.state = MirrorState()
        self._bus = bus
        self._live = live
        self._public = public
        self._wire = public.wire()
        self._address, self._password = mqtt
        self._aliases = aliases
        self._saved = 0
        self._mqtt: aiomqtt.Client | None = None
        self._connected = asyncio.Event()

    async def start(self) -> None:
        """Find the cursor: the saved one, or the stream's head for a new hub (events are live, not replayed)."""
        saved = await self._bus.get("cursors", "mirror")
        self.state.cursor = int(saved) if saved else (await self._bus.span()).last
        self._saved = self.state.cursor

    async def connection(self) -> None:
        """Hold the MQTT connection. Never returns."""
        host, _, port = self._address.rpartition(":")
        waits = delays(first=0.1, most=5.0)
        while True:
            try:
                async with aiomqtt.Client(
                    host, int(port), username="mirror", password=self._password, identifier="firehose-mirror",
                    max_inflight_messages=1_000, max_queued_outgoing_messages=0, keepalive=10, timeout=15,
                ) as client:  # fmt: skip
                    client.pending_calls_threshold = BATCH * 4  # a batch waits for its PUBACKs together: no warning
                    self._mqtt = client
                    self._connected.set()
                    waits = delays(first=0.1, most=5.0)
                    # Nothing is subscribed: the iterator only ends with the connection.
                    async for _ in client.messages:
                        pass
            except aiomqtt.MqttError as error:
                log.debug("the mirror's MQTT connection ended", error=str(error))
            finally:
                self._connected.clear()
                self._mqtt = None
            await asyncio.sleep(next(waits))

    async def demand(self) -> None:
        """Watch whether anybody subscribes with QoS 1 or 2. Never returns."""
        subject = "$JS.EVENT.ADVISORY.CONSUMER.CREATED.$MQTT_msgs.>"
        created = await self._public.subscribe(subject)
        while True:
            # A new consumer on $MQTT_msgs is a new QoS 1 subscription: at once, not at the next look.
            with suppress(TimeoutError, asyncio.TimeoutError, Exception):
                await created.next_msg(timeout=DEMAND_SECONDS)
                self.state.acknowledged = True
                continue
            with suppress(Exception):
                answer = await self._public.request("$JS.API.STREAM.INFO.$MQTT_msgs", b"", timeout=5)
                state: dict[str, Any] = msgspec.json.decode(answer.data).get("state", {})
                self.state.acknowledged = state.get("consumer_count", 0) > 0

    async def run(self) -> None:
        """Publish everything after the cursor, without end."""
        while True:
            events = await self._next()
            if events:
                await self._give(events)
            else:
                await self._live.wait(self.state.cursor, WAIT_SECONDS)

    async def _next(self) -> list[Recorded]:
        # The ring's events are decoded once for all readers; behind it (after a long pause) the stream has them.
        events = self._live.since(self.state.cursor, BATCH)
        if events is not None:
            return events
        try:
            stored = await self._bus.fetch(self.state.cursor, BATCH)
        except TryLater as error:
            log.warning("the stream is away, the mirror waits", cursor=self.state.cursor, why=error.detail)
            await asyncio.sleep(1)
            return []
        if not stored:
            # Older than what the stream keeps: nobody can give them any more.
            log.error("events were dropped before they were mirrored", after=self.state.cursor, floor=self._live.floor)
            self.state.cursor = self._live.floor - 1
        return [recorded(entry) for entry in stored]

    async def _give(self, events: list[Recorded]) -> None:
        waits = delays(first=0.1, most=5.0)
        while True:
            try:
                if self.state.acknowledged:
                    await self._give_acknowledged(events)
                else:
                    await self._give_plain(events)
                break
            except (aiomqtt.MqttError, TryLater, OSError, TimeoutError) as error:
                log.warning("MQTT is away, the mirror waits", cursor=self.state.cursor, error=str(error))
                await asyncio.sleep(next(waits))
        reach("mirror.after-send")
        self.state.cursor = events[-1].sequence
        metrics.mirrored_head.set(self.state.cursor)
        if self.state.acknowledged:
            # An engine that is just away keeps nobody from reading on: the bookkeeping saves the cursor later.
            with suppress(TryLater):
                await self._save()

    async def _give_plain(self, events: list[Recorded]) -> None:
        frames = [frame(to_nats(topic), "", payload) for event in events for topic, payload in self._topics(event)]
        await self._wire.pass_on(b"".join(frames))

    async def _give_acknowledged(self, events: list[Recorded]) -> None:
        await asyncio.wait_for(self._connected.wait(), 10)
        client = self._mqtt
        if client is None:
            raise TryLater("the mirror is not connected")
        # Published in this order, acknowledged together: the broker keeps the order of one connection.
        await asyncio.gather(
            *(client.publish(topic, payload, qos=1) for event in events for topic, payload in self._topics(event))
        )

    def _topics(self, event: Recorded) -> list[tuple[str, bytes]]:
        if not sound(event.frame):
            return []  # What a foreign hand wrote to the stream; the recorder says so.
        topics = [(event.envelope.topic, event.json)]
        if self._aliases:
            topics += [(alias, event.raw) for alias in event.private.alias]
        return topics

    async def bookkeeping(self, meta: Meta) -> None:
        """Keep `$meta/head`, `$meta/sources` and `$meta/sinks` retained and the cursor saved. Never returns."""
        told = -1
        before: dict[str, bytes] = {}
        ticks = 0
        while True:
            await asyncio.sleep(HEAD_SECONDS)
            ticks += 1
            try:
                await self._save()
                client = self._mqtt
                if client is None:
                    continue
                if told != self.state.cursor:
                    told = self.state.cursor
                    head = b'{"cursor":"%020d","sequence":%d}' % (told, told)
                    await client.publish(f"{META_ROOT}/head", head, qos=0, retain=True)
                for word, text in meta().items() if ticks % int(SOURCES_SECONDS / HEAD_SECONDS) == 1 else ():
                    if before.get(word) != text:
                        before[word] = text
                        await client.publish(f"{META_ROOT}/{word}", text, qos=0, retain=True)
            except (aiomqtt.MqttError, TryLater) as error:
                log.debug("the mirror cannot tell its state now", error=str(error))

    async def _save(self) -> None:
        cursor = self.state.cursor
        if cursor != self._saved:
            await self._bus.put("cursors", "mirror", str(cursor).encode())
            self._saved = cursor
