"""A listener on the hub's MQTT port for journeys: everything that it got, by topic, and waiting for it."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from tests.servers.hook import Receiver

from firehose.testing import HubProcess

T = TypeVar("T")
PATIENCE = 60.0
"""Seconds until a journey counts as stuck; no measure of speed."""


class Reader:
    """What came on a topic filter, in order."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []

    @property
    def events(self) -> list[dict[str, Any]]:
        """The messages on canonical topics."""
        return [json.loads(body) for topic, body in list(self.got) if topic.startswith("events/")]

    def payload(self, topic: str) -> bytes:
        """What came on an original topic, as it came."""
        return until(lambda: next((body for name, body in list(self.got) if name == topic), None), f"on {topic}")

    def wait(self, count: int, **wanted: str) -> list[dict[str, Any]]:
        """At least so many events that have these attributes."""

        def found() -> list[dict[str, Any]] | None:
            fit = [event for event in self.events if all(event.get(key) == value for key, value in wanted.items())]
            return fit if len(fit) >= count else None

        return until(found, f"{count} events {wanted}; got {[(t, len(b)) for t, b in self.got]}")


def until(ask: Callable[[], T | None], what: str) -> T:
    """Ask until there is an answer."""
    deadline = time.monotonic() + PATIENCE
    while (answer := ask()) is None:
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.05)
    return answer


@contextmanager
def listening(hub: HubProcess | int, *filters: str) -> Iterator[Reader]:
    """Subscribed at QoS 1 before the body runs. hub: whose MQTT port, or the port of any broker."""
    reader, ready = Reader(), threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"journey-{uuid.uuid4().hex[:8]}")

    def connected(*_: Any) -> None:
        client.subscribe([(filter_, 1) for filter_ in filters or ("#",)])

    client.on_message = lambda _client, _data, message: reader.got.append((message.topic, bytes(message.payload)))
    client.on_subscribe = lambda *_: ready.set()
    client.on_connect = connected
    client.connect("127.0.0.1", hub if isinstance(hub, int) else hub.mqtt_port)
    client.loop_start()
    try:
        assert ready.wait(PATIENCE)
        yield reader
    finally:
        client.disconnect()
        client.loop_stop()


def search(hub: HubProcess, query: str, count: int = 1) -> list[dict[str, Any]]:
    """What the history finds, once it is at least so many, oldest first."""
    path = f"/v1/events?since=earliest&order=asc&limit=1000&q={quote(query)}"

    def found() -> list[dict[str, Any]] | None:
        events: list[dict[str, Any]] = hub.get(path)["events"]
        return events if len(events) >= count else None

    return until(found, f"{count} events for {query!r} in the history")


def sink(receiver: Receiver) -> str:
    """The settings of a sink that brings every event to a receiver."""
    return f'[sinks.receiver]\nkind = "webhook"\nurl = "{receiver.url}"\nallow = ["127.0.0.1"]\nsince = "earliest"\n'


def everywhere(found: dict[str, Any], reader: Reader, receiver: Receiver) -> tuple[str, ...]:
    """What an event that the search found tells people (kind, project, actor, summary, link, refs), once the same event
    is at MQTT and at the sink. Ask while the reader listens: the history may have had the event first."""
    until(lambda: found in reader.events or None, f"{found} by MQTT; got {[event['id'] for event in reader.events]}")
    until(lambda: found in receiver.bodies or None, f"{found} at the sink; got {receiver.ids}")
    return tuple(str(found.get(name, "")) for name in ("kind", "project", "actor", "summary", "link", "refs"))


def source(hub: HubProcess, name: str) -> dict[str, Any]:
    """A source's health, as the Sources page has it."""
    return next(one for one in hub.get("/v1/sources")["sources"] if one["name"] == name)
