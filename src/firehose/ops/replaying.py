"""Old events once more, with the pauses they had, N times as fast: for demonstrations and for trying consumers.

In: recorded events in order, and a speed. Out: the same events, each when it is due (`paced`), to standard output or to
a topic of some MQTT broker. Nothing enters the hub again: a replay is for one reader, under a topic of his own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Any, Final
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from firehose.errors import Broken, TryLater

LONGEST: Final = 60.0
"""Seconds that a pause takes at most, whatever the speed: a quiet night is not waited through."""

ANSWER_SECONDS: Final = 30.0
"""Seconds that a broker may take for an answer, a break of the connection included."""

ECHO_SECONDS: Final = 10.0
"""Seconds until an acknowledged event that does not come back counts as dropped."""

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
    """A connection to `mqtt://host[:port]/<prefix>`; events go to `<prefix>/<own topic>`, QoS 1, never retained.

    doubt: hears it when the first event does not come back. MQTT 3.1.1 has no word for "you may not publish here":
    brokers, the hub's own among them, acknowledge such a message and drop it."""

    def __init__(self, address: str, user: str = "", password: str = "", *, doubt: Callable[[str], None]) -> None:
        parts = urlsplit(address)
        prefix = parts.path.strip("/")
        if parts.scheme != "mqtt" or not parts.hostname or not prefix:
            raise Broken(f"{address!r} is not of the form mqtt://host:1883/topic/prefix", code=2)
        if prefix.split("/")[0] in ("events", "$meta", "$SYS"):
            raise Broken(f"{prefix!r}: a replay must not look like live events; choose a prefix of your own", code=2)
        self._prefix = prefix
        self._doubt = doubt
        self._welcomes: SimpleQueue[ReasonCode] = SimpleQueue()
        self._acknowledged: SimpleQueue[int] = SimpleQueue()
        self._granted: SimpleQueue[bool] = SimpleQueue()
        self._heard: SimpleQueue[str] = SimpleQueue()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda _client, _data, _flags, reason, _properties: self._welcomes.put(reason)
        self._client.on_publish = lambda _client, _data, number, _reason, _properties: self._acknowledged.put(number)
        self._client.on_subscribe = lambda _client, _data, _number, reasons, _properties: self._granted.put(
            not reasons[0].is_failure
        )
        self._client.on_message = lambda _client, _data, message: self._heard.put(message.topic)
        if user:
            self._client.username_pw_set(user, password or None)
        try:
            self._client.connect(parts.hostname, parts.port or 1883)
        except OSError as error:
            raise TryLater(f"cannot connect to {parts.hostname}: {error}") from None
        self._client.loop_start()
        self._welcomed(parts.hostname)
        self._unheard = self._listens()

    def _welcomed(self, host: str) -> None:
        """Wait until the broker has said whether it takes us."""
        try:
            reason = self._welcomes.get(timeout=ANSWER_SECONDS)
        except Empty:
            self.close()
            raise TryLater(f"{host} takes the connection and says nothing: is it an MQTT broker?") from None
        if reason.is_failure:
            self.close()
            raise Broken(f"{host} does not let us in: {reason}; see --user and --password-file", code=2)

    def _listens(self) -> bool:
        """Whether we may hear ourselves."""
        self._client.subscribe(f"{self._prefix}/#", qos=0)
        try:
            return self._granted.get(timeout=ANSWER_SECONDS)
        except Empty:
            return False

    def _comes_back(self, topic: str) -> bool:
        try:
            while self._heard.get(timeout=ECHO_SECONDS) != topic:
                pass
        except Empty:
            return False
        return True

    def send(self, event: Event) -> None:
        """Publish and wait until the broker has it, also over a break: the client sends it again when it is back."""
        topic = f"{self._prefix}/{event['topic']}"
        sent = self._client.publish(topic, json.dumps(event, ensure_ascii=False), qos=1).mid
        try:
            while self._acknowledged.get(timeout=ANSWER_SECONDS) != sent:
                pass
        except Empty:
            raise TryLater(f"the broker does not acknowledge an event since {ANSWER_SECONDS:.0f} s") from None
        if self._unheard:
            self._unheard = False
            if not self._comes_back(topic):
                self._doubt(
                    f"the broker acknowledges {topic} and does not give it back: either this login may not read there, "
                    "or it may not publish there and the broker drops what we send"
                )
            self._client.unsubscribe(f"{self._prefix}/#")

    def close(self) -> None:
        """Say goodbye."""
        self._client.disconnect()
        self._client.loop_stop()
