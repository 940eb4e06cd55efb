"""The bus on NATS JetStream. The only room (with `inbound.py` and `mirror.py` beside it) that knows the client library.

Publishing: one message is a request; several are one *atomic batch*, which costs one fsync and one acknowledgement
(47 k/s durable against 1.9 k/s one by one). A batch that holds one known id is refused whole (error 10201), then its
messages go one by one, where a duplicate is acknowledged as such.
Following: an ordered consumer, which notices gaps and starts again behind the last message it gave.
Both go over thin connections of their own (`wire.py`); all the rest goes through the client library.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import nats
import nats.errors
import nats.js.errors
import structlog
from nats.aio.client import Client

from firehose.bus import topology
from firehose.bus.contract import Ack, Kept, Message, Span, Stored
from firehose.bus.ordered import ordered
from firehose.bus.wire import ANSWER_SECONDS, Login, Wire, frame
from firehose.errors import Broken, TryLater

log = structlog.get_logger("bus")
MOST_IN_BATCH = 1_000
_DUPLICATE_IN_BATCH = 10201
_UNREACHABLE = (
    nats.errors.Error, nats.js.errors.Error, OSError, asyncio.TimeoutError,
)  # fmt: skip


class _PubAck(msgspec.Struct):
    seq: int = 0
    duplicate: bool = False
    error: dict[str, Any] | None = None


_acks = msgspec.json.Decoder(_PubAck)


class Connection(Client):
    """The library's client, with the thin connections that were opened beside it under the same login."""

    def __init__(self, login: Login) -> None:
        super().__init__()
        self._login = login
        self._wires: list[Wire] = []

    def wire(self) -> Wire:
        """A thin connection beside this one; it is closed with this one."""
        self._wires.append(Wire(self._login))
        return self._wires[-1]

    async def drop(self, wire: Wire) -> None:
        """Close one of them."""
        if wire in self._wires:
            self._wires.remove(wire)
        await wire.close()

    async def close(self) -> None:
        """Close it and what was opened beside it."""
        for wire in self._wires:
            await wire.close()
        await super().close()


async def connect(
    urls: Sequence[str], *, user: str = "", password: str = "", name: str = "hub", **more: Any
) -> Connection:
    """A connection that comes back by itself for ever; while away, requests fail fast."""

    async def on_error(error: Exception) -> None:
        log.debug("nats", error=repr(error), connection=name)

    connection = Connection(Login(tuple(urls), user, password, name))
    try:
        await connection.connect(
            list(urls), user=user or None, password=password or None, name=f"firehose {name}",
            max_reconnect_attempts=-1, reconnect_time_wait=0.2, connect_timeout=5, error_cb=on_error,  # type: ignore[arg-type]
            pending_size=64 * 2**20, ping_interval=10, max_outstanding_pings=2, **more,
        )  # fmt: skip
    except (*_UNREACHABLE,) as error:
        raise Broken(f"cannot reach the engine at {', '.join(urls)}: {error}", code=4) from None
    return connection


class NatsBus:
    """`contract.Bus` on JetStream."""

    def __init__(self, client: Connection, room: Callable[[], bool] = lambda: True) -> None:
        """`room` tells whether the engine's disk takes more: an engine that runs full says nothing for seconds."""
        self.client = client
        self._room = room
        self._door = client.wire()
        self._numbers = itertools.count()
        self._tag = os.urandom(6).hex()

    async def prepare(self, *, replicas: int, keep_days: int, keep_gib: int, first: int) -> None:
        """Make the streams, or bring existing ones to what is declared."""
        for config in topology.streams(replicas=replicas, keep_days=keep_days, keep_gib=keep_gib, first=first):
            # An existing stream that is created again counts against the storage limit a second time.
            known = await self._api(f"STREAM.INFO.{config['name']}", {})
            if "error" in known:
                answer = await self._api(f"STREAM.CREATE.{config['name']}", config)
            else:
                config.pop("first_seq", None)
                answer = await self._api(f"STREAM.UPDATE.{config['name']}", config)
            if "error" in answer:
                raise Broken(f"the engine refuses stream {config['name']}: {answer['error'].get('description')}")

    async def publish(self, messages: Sequence[Message]) -> list[Ack]:
        """See `contract.Bus.publish`."""
        acks: list[Ack] = []
        for start in range(0, len(messages), MOST_IN_BATCH):
            acks += await self._publish_batch(messages[start : start + MOST_IN_BATCH])
        return acks

    async def _publish_batch(self, messages: Sequence[Message]) -> list[Ack]:
        if not self._room():
            raise TryLater("there is no room on the engine's disk", after=5)
        last = len(messages)
        if last == 1:
            return await self._publish_singly(messages)
        batch = f"Nats-Batch-Id:{self._tag}{next(self._numbers)}\r\nNats-Batch-Sequence:"
        frames = [
            frame(message.subject, f"Nats-Msg-Id:{message.id}\r\n{batch}{number}\r\n", message.payload)
            for number, message in enumerate(messages[:-1], 1)
        ]
        final = messages[-1]
        headers = f"Nats-Msg-Id:{final.id}\r\n{batch}{last}\r\nNats-Batch-Commit:1\r\n"
        answer = await self._door.ask(
            lambda reply: b"".join((*frames, frame(final.subject, headers, final.payload, reply)))
        )
        ack = _acks.decode(answer.payload)
        if ack.error is None:
            return [Ack(ack.seq - last + number) for number in range(1, last + 1)]
        if ack.error.get("err_code") != _DUPLICATE_IN_BATCH:
            log.warning("the stream refused a batch, sending its messages one by one", error=ack.error)
        return await self._publish_singly(messages)

    async def _publish_singly(self, messages: Sequence[Message]) -> list[Ack]:
        answers = await self._door.ask_all(
            [
                lambda reply, m=message: frame(m.subject, f"Nats-Msg-Id:{m.id}\r\n", m.payload, reply)  # type: ignore[misc]
                for message in messages
            ]
        )
        acks = [_acks.decode(answer.payload) for answer in answers]
        for ack in acks:
            if ack.error is not None:
                raise TryLater(f"the stream refuses: {ack.error.get('description')}", after=5)
        return [Ack(ack.seq, ack.duplicate) for ack in acks]

    async def span(self) -> Span:
        """See `contract.Bus.span`."""
        state = (await self._ask(f"STREAM.INFO.{topology.EVENTS}", {}))["state"]
        return Span(state["first_seq"], state["last_seq"])

    async def follow(self, after: int) -> AsyncIterator[list[Stored]]:
        """See `contract.Bus.follow`."""
        cursor = after
        wire = self.client.wire()
        try:
            while True:
                try:
                    span = await self.span()
                    async with aclosing(ordered(wire, topology.EVENTS, max(cursor + 1, span.first, 1))) as batches:
                        async for batch in batches:
                            cursor = batch[-1].sequence
                            yield batch
                except TryLater as error:
                    log.warning("following the stream broke off, going on behind", cursor=cursor, why=error.detail)
                await asyncio.sleep(0.25)
        finally:
            await self.client.drop(wire)

    async def fetch(self, after: int, limit: int) -> list[Stored]:
        """See `contract.Bus.fetch`. One batched direct read."""
        span = await self.span()
        if after >= span.last:
            return []
        request = {"seq": max(after + 1, span.first), "batch": limit, "next_by_subj": "events.>"}
        return [
            Stored(int(headers["Nats-Sequence"]), _moment(headers["Nats-Time-Stamp"]), headers["Nats-Subject"], data)
            for headers, data in await self._direct(topology.EVENTS, request)
        ]

    async def put(self, bucket: str, key: str, value: bytes) -> None:
        """See `contract.Bus.put`."""
        await self._store(f"$KV.firehose.{bucket}.{key}", value)

    async def get(self, bucket: str, key: str) -> bytes | None:
        """See `contract.Bus.get`."""
        found = await self._direct(topology.TABLES, {"last_by_subj": f"$KV.firehose.{bucket}.{key}"})
        return found[0][1] if found and found[0][1] else None

    async def shelve(self, shelf: str, payload: bytes) -> int:
        """See `contract.Bus.shelve`."""
        return await self._store(f"shelf.{shelf}", payload)

    async def shelf(self, shelf: str, *, before: int = 0, limit: int = 50) -> list[Kept]:
        """See `contract.Bus.shelf`. Reads forward in windows from the end, since the stream reads only forward."""
        state = (await self._ask(f"STREAM.INFO.{topology.SHELVES}", {}))["state"]
        high = min(before - 1, state["last_seq"]) if before else state["last_seq"]
        kept: list[Kept] = []
        width = max(limit * 2, 100)
        while high >= state["first_seq"] and len(kept) < limit:
            low = max(high - width + 1, state["first_seq"])
            request = {"seq": low, "batch": high - low + 1, "next_by_subj": f"shelf.{shelf}"}
            window = [
                Kept(int(headers["Nats-Sequence"]), _moment(headers["Nats-Time-Stamp"]), data)
                for headers, data in await self._direct(topology.SHELVES, request)
                if int(headers["Nats-Sequence"]) <= high
            ]
            kept += reversed(window)
            high, width = low - 1, width * 2
        return kept[:limit]

    async def unshelve(self, shelf: str, number: int) -> bool:
        """See `contract.Bus.unshelve`."""
        found = await self._direct(topology.SHELVES, {"seq": number})
        if not found or found[0][0].get("Nats-Subject") != f"shelf.{shelf}":
            return False
        answer = await self._api(f"STREAM.MSG.DELETE.{topology.SHELVES}", {"seq": number})
        return bool(answer.get("success"))

    async def _store(self, subject: str, payload: bytes) -> int:
        try:
            answer = await self.client.request(subject, payload, timeout=ANSWER_SECONDS)
        except _UNREACHABLE as error:
            raise TryLater(f"the bus does not answer: {error!r}", after=2) from None
        ack = _acks.decode(answer.data)
        if ack.error is not None:
            raise TryLater(f"the bus refuses: {ack.error.get('description')}", after=5)
        return ack.seq

    async def _direct(self, stream: str, request: dict[str, Any]) -> list[tuple[dict[str, str], bytes]]:
        """Messages by direct get: one, or a batch that ends with a marker (status 204) or with "no more" (404)."""
        inbox = self.client.new_inbox()
        subscription = await self.client.subscribe(inbox, pending_msgs_limit=-1, pending_bytes_limit=-1)
        found: list[tuple[dict[str, str], bytes]] = []
        try:
            await self.client.publish(f"$JS.API.DIRECT.GET.{stream}", msgspec.json.encode(request), reply=inbox)
            while True:
                message = await subscription.next_msg(timeout=ANSWER_SECONDS)
                headers = message.headers or {}
                if headers.get("Status") in ("204", "404", "408"):
                    return found
                if headers.get("Status") == "503":
                    raise TryLater("the bus does not answer", after=2)
                found.append((headers, message.data))
                if "batch" not in request:
                    return found
        except _UNREACHABLE as error:
            raise TryLater(f"the bus does not answer: {error!r}", after=2) from None
        finally:
            with suppress(*_UNREACHABLE):
                await subscription.unsubscribe()

    async def _ask(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._api(call, body)
        if "error" in answer:
            raise TryLater(f"the engine refuses {call}: {answer['error'].get('description')}", after=2)
        return answer

    async def _api(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = await self.client.request(f"$JS.API.{call}", msgspec.json.encode(body), timeout=ANSWER_SECONDS)
        except _UNREACHABLE as error:
            raise TryLater(f"the engine does not answer: {error!r}", after=2) from None
        decoded: dict[str, Any] = msgspec.json.decode(answer.data)
        return decoded


def _moment(text: str) -> datetime:
    # Nanoseconds; Python keeps microseconds.
    whole, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{(fraction or '0')[:6]:0<6}").replace(tzinfo=UTC)
