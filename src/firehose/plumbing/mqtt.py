"""An outgoing MQTT connection to a broker of somebody else: held, come back by itself, publish and be acknowledged.

In: a URL (`mqtt`, `mqtts`, `ws`, `wss`), a login. Out: messages, each acknowledged as its QoS says. It refuses to know
what is published. Errors: `TryLater` when the broker is away or does not acknowledge, `Broken` for a URL that is none
and a file that cannot be used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import aiomqtt
import msgspec
import structlog
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from firehose import urls
from firehose.errors import Broken, TryLater
from firehose.plumbing import tls
from firehose.plumbing.backoff import delays

log = structlog.get_logger("mqtt")
PORTS: Final = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
CONNECT_SECONDS: Final = 5.0
ACKNOWLEDGE_SECONDS: Final = 20.0


class Login(msgspec.Struct, frozen=True):
    """Who we are there. client_id: "" lets the broker choose. ca_file: instead of the system's authorities."""

    user: str = ""
    password: str = ""
    client_id: str = ""
    ca_file: str = ""


class Packet(msgspec.Struct, frozen=True):
    """What is published. The properties reach MQTT 5 brokers only."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    content_type: str = ""
    properties: Sequence[tuple[str, str]] = ()


class Broker:
    """A connection to one broker. `run()` holds it; `up` is called whenever it has come up."""

    def __init__(self, url: str, login: Login, version: Literal["5", "3.1.1"], up: Callable[[], None]) -> None:
        if problem := urls.problem(url, tuple(PORTS)):
            raise Broken(f"url: {problem}", code=2)
        parts = urlsplit(url)
        self._five = version == "5"
        self._up = up
        self._client: aiomqtt.Client | None = None
        self._connected = asyncio.Event()
        self._options: dict[str, Any] = {
            "hostname": parts.hostname, "port": parts.port or PORTS[parts.scheme], "username": login.user or None,
            "password": login.password or None, "identifier": login.client_id or None, "timeout": ACKNOWLEDGE_SECONDS,
            "protocol": aiomqtt.ProtocolVersion.V5 if self._five else aiomqtt.ProtocolVersion.V311, "keepalive": 20,
            "max_queued_outgoing_messages": 0, "max_inflight_messages": 1_000,
        }  # fmt: skip
        if parts.scheme in ("ws", "wss"):
            self._options |= {"transport": "websockets", "websocket_path": parts.path or "/mqtt"}
        if parts.scheme in ("mqtts", "wss"):
            self._options["tls_context"] = tls.context(login.ca_file)

    async def run(self) -> None:
        """Connect, and again whenever the connection ends. Never returns."""
        waits = delays(0.2, 30)
        while True:
            try:
                async with aiomqtt.Client(**self._options) as client:
                    self._client = client
                    self._connected.set()
                    self._up()
                    waits = delays(0.2, 30)
                    # Nothing is subscribed: the iterator only ends with the connection.
                    async for _ in client.messages:
                        pass
            except (aiomqtt.MqttError, OSError) as error:
                log.info("the connection to a broker ended", broker=self._options["hostname"], error=str(error))
            finally:
                self._connected.clear()
                self._client = None
            await asyncio.sleep(next(waits))

    async def publish(self, packet: Packet) -> None:
        """Publish, and wait for the acknowledgement that the QoS has."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._connected.wait()
        except TimeoutError:
            raise TryLater(f"no connection to {self._options['hostname']}:{self._options['port']}") from None
        client = self._client
        if client is None:
            raise TryLater("the connection has just ended")
        try:
            await client.publish(
                packet.topic, packet.payload, qos=packet.qos, retain=packet.retain, properties=self._properties(packet)
            )
        except (aiomqtt.MqttError, ValueError, TimeoutError) as error:
            raise TryLater(f"the broker did not take it: {error}") from None

    def _properties(self, packet: Packet) -> Properties | None:
        if not self._five:
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if packet.content_type:
            properties.ContentType = packet.content_type
        if packet.properties:
            properties.UserProperty = list(packet.properties)
        return properties
