"""Readers that come back: each keeps its place as its protocol offers, and notes the sequence of all that it got.

Server-sent events resume by `Last-Event-ID`, NDJSON by `cursor`, MQTT by a persistent session at QoS 1. None of them
knows anything of the hub but its public addresses.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Protocol

import httpx
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

AGAIN = 0.2


class Reader(Protocol):
    """Something that reads until it is told to end. `got` are the sequences in the order in which they came."""

    name: str
    got: list[int]
    resumed: int

    async def run(self) -> None: ...


class Lines:
    """The two HTTP readers: reconnect at once, go on after the last event."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.got: list[int] = []
        self.resumed = 0

    async def run(self) -> None:
        async with httpx.AsyncClient(timeout=httpx.Timeout(5, read=20), trust_env=False) as client:
            while True:
                try:
                    await self.read(client)
                except (httpx.HTTPError, OSError):
                    pass
                self.resumed += 1
                await asyncio.sleep(AGAIN)

    async def read(self, client: httpx.AsyncClient) -> None:
        raise NotImplementedError

    def take(self, text: str) -> None:
        event = json.loads(text)
        if "specversion" in event:
            self.got.append(int(event["sequence"]))

    @property
    def place(self) -> str:
        return f"{self.got[-1]:020d}" if self.got else ""


class Sse(Lines):
    name = "SSE, Last-Event-ID"

    async def read(self, client: httpx.AsyncClient) -> None:
        headers = {"accept": "text/event-stream"} | ({"last-event-id": self.place} if self.got else {})
        async with client.stream("GET", f"{self.url}/v1/stream?since=earliest", headers=headers) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                if line.startswith("data:"):
                    self.take(line[5:])


class Ndjson(Lines):
    name = "NDJSON, cursor"

    async def read(self, client: httpx.AsyncClient) -> None:
        start = {"cursor": self.place} if self.got else {"since": "earliest"}
        headers = {"accept": "application/x-ndjson"}
        async with client.stream("GET", f"{self.url}/v1/stream", params=start, headers=headers) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                if line.strip():
                    self.take(line)


class Mqtt:
    """A persistent session at QoS 1; the library reconnects by itself."""

    name = "MQTT QoS 1, persistent session"

    def __init__(self, port: int) -> None:
        self.port = port
        self.got: list[int] = []
        self.resumed = -1
        self.subscribed = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id="faults-reader", clean_session=False)
        client.reconnect_delay_set(1, 1)

        def connected(client: paho.Client, _u: object, _f: object, reason: Any, _p: object) -> None:
            if not reason.is_failure:
                self.resumed += 1
                client.subscribe("events/#", qos=1)

        def arrived(_client: paho.Client, _user: object, message: paho.MQTTMessage) -> None:
            sequence = int(json.loads(message.payload)["sequence"])
            loop.call_soon_threadsafe(self.got.append, sequence)

        client.on_connect = connected
        client.on_message = arrived

        def subscribed(*_: Any) -> None:
            loop.call_soon_threadsafe(self.subscribed.set)

        client.on_subscribe = subscribed
        client.connect_async("127.0.0.1", self.port, keepalive=10)
        client.loop_start()
        try:
            await asyncio.Event().wait()
        finally:
            client.disconnect()
            client.loop_stop()
