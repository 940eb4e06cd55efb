"""Following a stream in order: a push consumer that notices what is missing.

In: a wire and a sequence. Out: lists of stored messages, in order, without end. A gap in the consumer's own count, a
heartbeat that tells of a message we did not get, or silence, ends it with `TryLater`; the caller starts again behind
the last one it has. Flow control is answered when its place in the queue is reached, so a slow reader holds at most
the server's window in memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from firehose.bus.contract import Stored
from firehose.bus.wire import ANSWER_SECONDS, Delivery, Subscription, Wire, frame
from firehose.errors import TryLater

HEARTBEAT_SECONDS: Final = 5
SILENCE_SECONDS: Final = 3 * HEARTBEAT_SECONDS
MOST_IN_LIST: Final = 2_000


class _Created(msgspec.Struct):
    error: dict[str, Any] | None = None
    name: str = ""


class _Queue:
    """What the connection brought and nobody has read yet."""

    def __init__(self) -> None:
        self.lists: deque[list[Delivery]] = deque()
        self.gone = False
        self._news = asyncio.Event()

    def take(self, deliveries: list[Delivery] | None) -> None:
        if deliveries is None:
            self.gone = True
        else:
            self.lists.append(deliveries)
        self._news.set()

    async def next(self) -> list[Delivery]:
        while not self.lists:
            if self.gone:
                raise TryLater("the engine's connection broke", after=1)
            self._news.clear()
            try:
                async with asyncio.timeout(SILENCE_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                raise TryLater(f"the stream was silent for {SILENCE_SECONDS} s", after=1) from None
        return self.lists.popleft()


async def ordered(wire: Wire, stream: str, start: int) -> AsyncGenerator[list[Stored], None]:
    """Everything from sequence `start`. Ends only with `TryLater`."""
    queue = _Queue()
    subscription = await wire.subscribe(queue.take)
    name = ""
    try:
        name = await _create(wire, stream, subscription.subject, start)
        expected = 1
        while True:
            batch: list[Stored] = []
            for delivery in await queue.next():
                if delivery.headers[8:9] == b" ":
                    _heed(delivery, subscription, expected)
                    continue
                stored, place = read(delivery)
                if place != expected:
                    raise TryLater(f"message {expected} of the consumer is missing, got {place}", after=0)
                expected += 1
                batch.append(stored)
            for first in range(0, len(batch), MOST_IN_LIST):
                yield batch[first : first + MOST_IN_LIST]
    finally:
        subscription.end()
        if name and not subscription.line.gone:
            # It would end by itself after a while; until then it would be sent to nobody.
            subscription.line.write(frame(f"$JS.API.CONSUMER.DELETE.{stream}.{name}", "", b""))


async def _create(wire: Wire, stream: str, subject: str, start: int) -> str:
    config = {
        "deliver_subject": subject, "deliver_policy": "by_start_sequence", "opt_start_seq": start,
        "ack_policy": "none", "max_deliver": 1, "flow_control": True, "idle_heartbeat": HEARTBEAT_SECONDS * 10**9,
        "mem_storage": True, "num_replicas": 1, "inactive_threshold": int(ANSWER_SECONDS) * 10**9,
    }  # fmt: skip
    body = msgspec.json.encode({"stream_name": stream, "config": config})
    answer = await wire.ask(lambda reply: frame(f"$JS.API.CONSUMER.CREATE.{stream}", "", body, reply))
    created = msgspec.json.decode(answer.payload, type=_Created)
    if created.error is not None:
        raise TryLater(f"the stream cannot be followed: {created.error.get('description')}", after=2)
    return created.name


def _heed(delivery: Delivery, subscription: Subscription, expected: int) -> None:
    """Control messages: flow control wants an answer, a heartbeat may tell of something lost."""
    if delivery.reply:
        subscription.publish(delivery.reply)
        return
    for line in delivery.headers.split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key == b"Nats-Consumer-Stalled":
            subscription.publish(value.strip())
        elif key == b"Nats-Last-Consumer" and int(value) != expected - 1:
            raise TryLater(f"message {expected} of the consumer is missing, the server sent {int(value)}", after=0)


def read(delivery: Delivery) -> tuple[Stored, int]:
    """A delivered message and its place in the consumer's own count."""
    # $JS.ACK[.<domain>.<account>].<stream>.<consumer>.<delivered>.<sequence>.<consumer's>.<nanoseconds>.<pending>
    tokens = delivery.reply.split(b".")
    sequence, place, nanoseconds = tokens[5:8] if len(tokens) == 9 else tokens[7:10]
    moment = datetime.fromtimestamp(int(nanoseconds) // 1_000 / 1e6, UTC)
    return Stored(int(sequence), moment, delivery.subject.decode(), delivery.payload), int(place)
