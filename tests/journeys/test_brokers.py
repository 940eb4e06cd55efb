"""Two brokers of somebody else, each a sink with its own cursor: one is away for a while and misses nothing."""

from __future__ import annotations

import json
import queue
import threading
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from firehose.testing import HubProcess, Mosquitto, StartHub

pytestmark = pytest.mark.timeout(240)


class Reader:
    """A subscriber with a session that outlives its broker's absence."""

    def __init__(self, port: int, version: MQTTProtocolVersion) -> None:
        self.got: queue.Queue[Any] = queue.Queue()
        self.subscribed = threading.Event()
        # A session that the broker keeps: the hub may be back before the reader is.
        clean = None if version == MQTTProtocolVersion.MQTTv5 else False
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id="reader", protocol=version, clean_session=clean
        )  # fmt: skip
        self._client.on_message = lambda client, data, message: self.got.put(message)
        self._client.on_subscribe = lambda *given: self.subscribed.set()
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *given: client.subscribe("#", qos=1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self.subscribed.wait(20)

    def take(self, count: int) -> list[Any]:
        return [self.got.get(timeout=60) for _ in range(count)]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def publish(hub: HubProcess, token: str, *numbers: int) -> None:
    events = [
        {"specversion": "1.0", "id": f"n{number}", "source": "https://ci.example", "type": "org.example.done",
         "subject": "the-thing", "data": {"number": number}}
        for number in numbers
    ]  # fmt: skip
    headers = {"authorization": f"Bearer {token}", "content-type": "application/cloudevents-batch+json"}
    status, answer = hub.post("/in/inbox", json.dumps(events).encode(), headers)
    assert status == 202, answer


def test_each_broker_gets_all_events_in_its_own_form_and_time(
    start_hub: StartHub, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    (tmp_path / "second").mkdir()
    second = Mosquitto(tmp_path / "second")
    second.start()
    hub = start_hub(
        '[sources.inbox]\nkind = "inbox"\n'
        f'[sinks.five]\nkind = "mqtt"\nurl = "mqtt://127.0.0.1:{mosquitto.port}"\n'
        f'[sinks.three]\nkind = "mqtt"\nurl = "mqtt://127.0.0.1:{second.port}"\nversion = "3.1.1"\n'
        'topic = "lab/{kind}"\n'
    )
    token = hub.token("publish:inbox")
    five, three = Reader(mosquitto.port, MQTTProtocolVersion.MQTTv5), Reader(second.port, MQTTProtocolVersion.MQTTv311)
    try:
        publish(hub, token, 1, 2)
        first, _ = five.take(2)
        assert json.loads(first.payload) == {"number": 1}
        assert ("id", "n1") in first.properties.UserProperty
        assert [json.loads(message.payload)["id"] for message in three.take(2)] == ["n1", "n2"]
        second.stop()
        publish(hub, token, 3, 4, 5)
        assert [dict(message.properties.UserProperty)["id"] for message in five.take(3)] == ["n3", "n4", "n5"]
        three.subscribed.clear()
        second.start()
        assert three.subscribed.wait(30)
        # The broker may not have had our own acknowledgements before it ended: it gives those two again, first.
        ids: list[str] = []
        while "n5" not in ids:
            ids += [json.loads(message.payload)["id"] for message in three.take(1)]
        assert [id_ for id_ in ids if id_ not in ("n1", "n2")] == ["n3", "n4", "n5"]
        end = time.monotonic() + 30
        while {sink["sent"] for sink in hub.get("/v1/sinks")["sinks"]} != {5}:
            assert time.monotonic() < end, hub.get("/v1/sinks")
            time.sleep(0.1)
    finally:
        five.close()
        three.close()
        second.stop()
