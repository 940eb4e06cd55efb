"""Old events once more, with the pauses they had, N times as fast: for demonstrations and for trying consumers.

In: recorded events in order, and a speed. Out: the same events, each when it is due (`paced`), to standard output or to
a topic of some MQTT broker. Nothing enters the hub again: a replay is for one reader, under a topic of his own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from firehose.errors import Broken, TryLater

LONGEST: Final = 60.0
"""Seconds that a pause takes at most, whatever the speed: a quiet night is not waited through."""

Event = Mapping[str, Any]


def pause(before: datetime | None, this: datetime, speed: float, longest: float = LONGEST) -> float:
    """Seconds to wait before an event; 0 for the first one, and for one that is older than the one before."""
    if before is None:
        return 0.0
    return min(max((this - before).total_seconds() / speed, 0.0), longest)


def paced(events: Iterable[Event], speed: float, sleep: Callable[[float], None]) -> Iterator[Event]:
    """Each event when it is due. The times are when the hub recorded them: the order that readers saw."""
    before: datetime | None = None
    for event in events:
        this = datetime.fromisoformat(event["recordedtime"])
        wait = pause(before, this, speed)
        if wait > 0:
            sleep(wait)
        before = this
        yield event


class Mqtt:
    """A connection to `mqtt://host[:port]/<prefix>`; events go to `<prefix>/<own topic>`, QoS 1, never retained."""

    def __init__(self, address: str, user: str = "", password: str = "") -> None:
        parts = urlsplit(address)
        prefix = parts.path.strip("/")
        if parts.scheme != "mqtt" or not parts.hostname or not prefix:
            raise Broken(f"{address!r} is not of the form mqtt://host:1883/topic/prefix", code=2)
        if prefix.split("/")[0] in ("events", "$meta", "$SYS"):
            raise Broken(f"{prefix!r}: a replay must not look like live events; choose a prefix of your own", code=2)
        self._prefix = prefix
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        if user:
            self._client.username_pw_set(user, password or None)
        try:
            self._client.connect(parts.hostname, parts.port or 1883)
        except OSError as error:
            raise TryLater(f"cannot connect to {parts.hostname}: {error}") from None
        self._client.loop_start()

    def send(self, event: Event) -> None:
        """Publish and wait until the broker has it."""
        topic = f"{self._prefix}/{event['topic']}"
        done = self._client.publish(topic, json.dumps(event, ensure_ascii=False), qos=1)
        done.wait_for_publish(30)
        if not done.is_published():
            raise TryLater("the broker does not acknowledge")

    def close(self) -> None:
        """Say goodbye."""
        self._client.disconnect()
        self._client.loop_stop()
