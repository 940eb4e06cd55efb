"""Listeners as strangers have them: programs, libraries, and what the Connect page gives them to copy.

Each notes every event's text as it came. They know nothing of the hub but its public addresses.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from firehose.plumbing.tasks import Crew


class Heard:
    """What one listener got, in the order in which it came."""

    def __init__(self, name: str, *, merged: bool = False) -> None:
        self.name = name
        self.merged = merged
        self.events: list[dict[str, Any]] = []
        self.ready = asyncio.Event()

    def take(self, text: str | bytes) -> None:
        """Note an event; the streams' own frames are none."""
        event = json.loads(text)
        if "specversion" in event:
            self.events.append(event)

    @property
    def sequences(self) -> list[int]:
        """The events' places in the stream."""
        return [int(event["sequence"]) for event in self.events]


class Program(Heard):
    """A program that prints: curl or mosquitto_sub. A line is an event, an SSE field, or the program's own talk."""

    def __init__(self, name: str, *command: str, merged: bool = False) -> None:
        super().__init__(name, merged=merged)
        self._command = command
        self._process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        """Until it is cancelled."""
        self._process = await asyncio.create_subprocess_exec(
            "stdbuf", "-oL", *self._command, stdout=asyncio.subprocess.PIPE, limit=8 * 2**20
        )
        assert self._process.stdout is not None
        try:
            async for raw in self._process.stdout:
                self._line(raw.decode())
        finally:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def _line(self, line: str) -> None:
        # `event: info` (SSE), its NDJSON twin, and mosquitto_sub's "Subscribed" tell that the listener stands.
        if line.startswith(("event: info", "Subscribed (")) or '"event":"info"' in line[:80]:
            self.ready.set()
        if line.startswith(("data:", "{", "events/")):
            self.take(line[line.index("{") :])


class Paho(Heard):
    """Eclipse paho. With a name of its own it has a persistent session and may go away and come back."""

    def __init__(self, name: str, port: int, *, qos: int, session: str = "") -> None:
        super().__init__(name)
        self._port = port
        self._qos = qos
        self._session = session
        self._client: paho.Client | None = None

    async def come(self) -> None:
        """Connect (again) and subscribe; until the subscription is confirmed."""
        loop = asyncio.get_running_loop()
        self.ready.clear()
        client = paho.Client(CallbackAPIVersion.VERSION2, self._session, clean_session=not self._session)

        def connected(client: paho.Client, *_: Any) -> None:
            client.subscribe("events/#", self._qos)

        def subscribed(*_: Any) -> None:
            loop.call_soon_threadsafe(self.ready.set)

        def arrived(_client: paho.Client, _user: object, message: paho.MQTTMessage) -> None:
            loop.call_soon_threadsafe(self.take, bytes(message.payload))

        client.on_connect, client.on_subscribe, client.on_message = connected, subscribed, arrived
        client.connect("127.0.0.1", self._port)
        client.loop_start()
        self._client = client
        await asyncio.wait_for(self.ready.wait(), 30)

    async def leave(self) -> None:
        """Hang up; a persistent session stays with the hub."""
        if self._client is not None:
            self._client.disconnect()
            await asyncio.to_thread(self._client.loop_stop)
            self._client = None


class Cable:
    """A TCP relay that can be cut, and remembers how each connection through it began."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self.heads: list[str] = []
        self._to = port
        self._crew = Crew()
        self._writers: list[asyncio.StreamWriter] = []

    def cut(self) -> int:
        """Break what goes through it now; how many connections that were."""
        broken = [writer for writer in self._writers if not writer.is_closing()]
        for writer in broken:
            writer.transport.abort()
        self._writers.clear()
        return len(broken)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            writer.close()
            return
        self.heads.append(head.decode("latin-1"))
        back, out = await asyncio.open_connection("127.0.0.1", self._to)
        out.write(head)
        self._writers.append(writer)
        with suppress(OSError):
            while piece := await back.read(65_536):
                writer.write(piece)
                await writer.drain()
        out.close()
        writer.close()


@asynccontextmanager
async def cable(port: int) -> AsyncIterator[Cable]:
    """A relay to a local port."""
    made = Cable(port)
    server = await asyncio.start_server(made._relay, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        made.cut()
        server.close()
