"""A client that publishes over MQTT like Zuul's reporter: QoS 1, no session, dropping while it is not connected.

In: topic and payload. Out: whether the broker acknowledged. What was sent and not acknowledged when the connection
broke is sent again by the library; what comes while there is none is dropped, as Zuul drops it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

Acknowledged = Callable[[], None]


class Publisher:
    """One login's connection. Callbacks run in the event loop that was running when `connect` was called."""

    def __init__(self, address: str, user: str, password: str, name: str) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name)
        self._client.username_pw_set(user, password)
        self._client.reconnect_delay_set(1, 2)
        self._client.max_inflight_messages_set(200)
        self._client.on_publish = self._published
        self._client.on_connect = self._connected
        self._waiting: dict[int, Acknowledged] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self.dropped = 0
        self.refused = ""

    async def connect(self) -> None:
        """Begin to connect; it goes on trying by itself."""
        self._loop = asyncio.get_running_loop()
        self._client.connect_async(self._host, self._port, keepalive=15)
        self._client.loop_start()

    async def connected(self) -> None:
        """Until the first connection stands."""
        await self._ready.wait()

    async def publish(self, topic: str, payload: bytes, acknowledged: Acknowledged) -> bool:
        """Send; False when it was dropped. Waits while very much is not acknowledged yet."""
        if not self._client.is_connected():
            self.dropped += 1
            return False
        await self._room.wait()
        info = self._client.publish(topic, payload, qos=1)
        self._waiting[info.mid] = acknowledged
        if len(self._waiting) >= 400:
            self._room.clear()
        return True

    @property
    def open(self) -> int:
        """How many messages wait for their acknowledgement."""
        return len(self._waiting)

    async def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    def _published(self, _client: paho.Client, _user: object, mid: int, _reason: Any, _properties: object) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._settle, mid)

    def _settle(self, mid: int) -> None:
        acknowledged = self._waiting.pop(mid, None)
        if acknowledged is not None:
            acknowledged()
        if len(self._waiting) < 200:
            self._room.set()

    def _connected(self, _client: paho.Client, _user: object, _flags: object, reason: Any, _properties: object) -> None:
        if reason.is_failure:
            self.refused = str(reason)
        elif self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ready.set)
