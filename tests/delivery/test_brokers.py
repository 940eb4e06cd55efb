"""Two brokers of others at once, real Mosquittos: each has its own cursor, and one that is away holds up nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from tests.delivery.test_kill import bearer, publish, until

from firehose.testing import HubProcess, Mosquitto, StartHub

pytestmark = pytest.mark.timeout(240)
SETTINGS = """
[sources.inbox]
kind = "inbox"
url = "https://inbox.example"
[sinks.new]
kind = "mqtt"
url = "mqtt://127.0.0.1:{new}"
since = "earliest"
query = "subject:thing-*"
[sinks.old]
kind = "mqtt"
url = "mqtt://127.0.0.1:{old}"
version = "3.1.1"
topic = "lab/{{kind}}"
since = "earliest"
query = "subject:thing-*"
"""


class Reader:
    """A subscriber of everything: (topic, payload, attributes) in order, and who it is for."""

    def __init__(self, broker: Mosquitto, version: int) -> None:
        self.got: list[tuple[str, bytes, dict[str, str]]] = []
        self.joined = False
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=version)  # type: ignore[arg-type]
        self._client.on_message = self._hear
        self._client.on_subscribe = self._subscribed
        self._client.connect("127.0.0.1", broker.port)
        self._client.subscribe("#", qos=1)
        self._client.loop_start()

    def _subscribed(self, *told: Any) -> None:
        self.joined = True

    def _hear(self, client: Any, userdata: Any, message: Any) -> None:
        attributes = dict(getattr(message.properties, "UserProperty", []))
        self.got.append((message.topic, message.payload, attributes))

    def stop(self) -> None:
        self._client.loop_stop()
        self._client.disconnect()


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[tuple[Mosquitto, Mosquitto]]:
    found = []
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
        found.append(Mosquitto(tmp_path / name))
        found[-1].start()
    yield found[0], found[1]
    for broker in found:
        broker.stop()


def books(hub: HubProcess, name: str) -> dict[str, Any]:
    return next(dict(sink) for sink in hub.get("/v1/sinks")["sinks"] if sink["name"] == name)


def test_two_brokers_get_everything_each_in_its_version_and_at_its_own_time(
    brokers: tuple[Mosquitto, Mosquitto], start_hub: StartHub
) -> None:
    new, old = brokers
    five = Reader(new, paho.MQTTv5)
    hub = start_hub(SETTINGS.format(new=new.port, old=old.port))
    until(lambda: five.joined, hub)
    old.stop()
    names = [f"thing-{number}" for number in range(8)]
    publish(hub, bearer(hub), *names)
    until(lambda: len(five.got) == 8, hub)
    until(lambda: books(hub, "new")["lag"] == 0, hub)
    assert [attributes["subject"] for _, _, attributes in five.got] == names
    topic, payload, attributes = five.got[0]
    assert topic.startswith("events/inbox/")
    assert json.loads(payload or b"null") is None or "specversion" not in json.loads(payload)
    assert {"specversion", "id", "source", "type", "time", "subject", "sequence"} <= set(attributes)
    assert attributes["specversion"] == "1.0"
    # The other has had nothing, and its cursor and books say so.
    until(lambda: books(hub, "old")["open"] == 8, hub)
    assert books(hub, "old")["sent"] == 0
    hub.stop()
    old.start()
    three = Reader(old, paho.MQTTv311)
    hub.start()
    until(lambda: {json.loads(payload)["subject"] for _, payload, _ in three.got} == set(names), hub)
    assert {topic for topic, _, _ in three.got} == {"lab/example/done"}
    assert all(json.loads(payload)["specversion"] == "1.0" and not attributes for _, payload, attributes in three.got)
    assert len(five.got) == 8
    until(lambda: books(hub, "old")["open"] == 0, hub)
    for reader in (five, three):
        reader.stop()
