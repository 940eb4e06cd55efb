"""The MQTT sink against a real Mosquitto: what a subscriber gets on either version of the protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from tests.journeys.reader import until
from tests.servers.certificates import Authority

from firehose.errors import Broken, GiveUp, TryLater
from firehose.event import Event, Recorded, encode
from firehose.plumbing.clock import now
from firehose.plumbing.tasks import Crew
from firehose.sink import Outlet, Tools
from firehose.sinks.mqtt.mqtt import SINK, MqttSettings, attributes, render, template_problem, topic
from firehose.testing import Mosquitto, free_port

DATA = b'{"change":{"number":7}}'


def event(**more: object) -> Recorded:
    given = {"id": "1", "source": "https://review.example", "type": "com.example.merged", "kind": "change.merged",
             "subject": "nova~7", "project": "openstack/nova", "actor": "Zoë", "summary": "a change",
             "time": datetime(2026, 3, 1, tzinfo=UTC), "data": DATA, **more}  # fmt: skip
    return Recorded(7, datetime(2026, 3, 1, 0, 0, 1, tzinfo=UTC), encode("gerrit", Event(**given)))  # type: ignore[arg-type]


def outlet(**more: object) -> Outlet:
    settings = MqttSettings(**{"kind": "mqtt", "url": "mqtt://127.0.0.1", **more})  # type: ignore[arg-type]
    return Outlet(name="lab", kind=SINK, settings=settings)


class Ups:
    """Counts how often the connection came up."""

    def __init__(self) -> None:
        self.count = 0
        self.news = asyncio.Event()

    def __call__(self) -> None:
        self.count += 1
        self.news.set()


@asynccontextmanager
async def connected(given: Outlet, ups: Ups) -> AsyncIterator[object]:
    transport = SINK.connect(given, Tools(secret=lambda _: b"", sign=lambda _: b"", now=now, back=ups))
    crew = Crew()
    crew.start("transport", transport.run())
    try:
        async with asyncio.timeout(20):
            await ups.news.wait()
        yield transport
    finally:
        await crew.stop()
        await transport.close()


async def received(broker: Mosquitto, given: Outlet, version: aiomqtt.ProtocolVersion) -> aiomqtt.Message:
    async with aiomqtt.Client("127.0.0.1", broker.port, protocol=version) as reader:
        await reader.subscribe("#", qos=2)
        async with connected(given, Ups()) as transport, asyncio.timeout(20):
            said = await transport.send(render([event()], "", given))  # type: ignore[attr-defined]
            assert said == ("acknowledged" if given.settings.qos else "sent")
            return await anext(aiter(reader.messages))


async def test_mqtt_5_carries_the_attributes_beside_the_payload(mosquitto: Mosquitto) -> None:
    given = outlet(url=f"mqtt://127.0.0.1:{mosquitto.port}")
    message = await received(mosquitto, given, aiomqtt.ProtocolVersion.V5)
    assert str(message.topic) == "events/gerrit/change/merged/openstack/nova"
    assert message.payload == DATA
    properties: Any = message.properties
    assert properties.ContentType == "application/json"
    attributes = dict(properties.UserProperty)
    assert attributes["specversion"] == "1.0"
    assert attributes["id"] == "1"
    assert attributes["type"] == "com.example.merged"
    assert attributes["time"] == "2026-03-01T00:00:00.000000Z"
    assert attributes["actor"] == "Zoë"
    assert attributes["sequence"] == f"{7:020d}"


async def test_mqtt_3_carries_the_whole_event_as_payload(mosquitto: Mosquitto) -> None:
    given = outlet(url=f"mqtt://127.0.0.1:{mosquitto.port}", version="3.1.1", topic="lab/{source}/{kind}")
    message = await received(mosquitto, given, aiomqtt.ProtocolVersion.V311)
    assert str(message.topic) == "lab/gerrit/change/merged"
    assert isinstance(message.payload, bytes)
    body = json.loads(message.payload)
    assert (body["id"], body["data"]) == ("1", json.loads(DATA))


async def test_structured_on_mqtt_5_names_the_cloudevents_media_type(mosquitto: Mosquitto) -> None:
    given = outlet(url=f"mqtt://127.0.0.1:{mosquitto.port}", mode="structured")
    message = await received(mosquitto, given, aiomqtt.ProtocolVersion.V5)
    properties: Any = message.properties
    assert properties.ContentType == "application/cloudevents+json"
    assert isinstance(message.payload, bytes)
    assert json.loads(message.payload)["subject"] == "nova~7"


async def test_germqtt_defect_a_publish_that_failed_ended_it_and_lost_the_event(mosquitto: Mosquitto) -> None:
    given, ups = outlet(url=f"mqtt://127.0.0.1:{mosquitto.port}"), Ups()
    async with connected(given, ups) as transport:
        message = render([event()], "", given)
        assert await transport.send(message) == "acknowledged"  # type: ignore[attr-defined]
        await asyncio.to_thread(mosquitto.stop)
        with pytest.raises(TryLater):
            await transport.send(message)  # type: ignore[attr-defined]
        ups.news.clear()
        await asyncio.to_thread(mosquitto.start)
        async with asyncio.timeout(30):
            await ups.news.wait()
        assert await transport.send(message) == "acknowledged"  # type: ignore[attr-defined]
    assert ups.count == 2


def test_a_topic_template_is_filled_and_checked() -> None:
    assert topic("x/{project}/{outcome}", event(outcome="success")) == "x/openstack/nova/success"
    assert topic("x/{subject}", event(subject="a b+c#")) == "x/a%20b%2Bc%23"
    assert topic("{project}/{kind}", event(project="")) == "change/merged"
    assert template_problem("{topic}") == ""
    assert "{projekt}" in template_problem("x/{projekt}")
    assert "whole topic" in template_problem("x/#")


@pytest.mark.parametrize(
    ("template", "more"),
    [
        ("{project}", {"project": "x" * 70_000}),
        ("{project}", {"project": ""}),
        ("/{project}/{outcome}/", {"project": ""}),
        ("x/{outcome}", {"outcome": "a+b"}),
        ("x/{outcome}", {"outcome": "#"}),
        ("x/{outcome}", {"outcome": "a\0b"}),
        ("x/{outcome}", {"outcome": "a\x1bb"}),
        ("x/{project}", {"project": "a\ufdd0b"}),
        ("x/{project}", {"project": "a\U0001ffffb"}),
    ],
)
def test_a_topic_that_no_broker_takes_is_given_up(template: str, more: dict[str, str]) -> None:
    with pytest.raises(GiveUp, match="the topic"):
        topic(template, event(**more))


async def test_an_event_without_a_topic_is_in_nobodys_way(mosquitto: Mosquitto) -> None:
    given, ups = outlet(url=f"mqtt://127.0.0.1:{mosquitto.port}", topic="{project}"), Ups()
    async with connected(given, ups) as transport:
        taken = 0
        for named in ("openstack/nova", "", "a\ufdd0b", "a+b\0#", "openstack/cinder"):
            try:
                message = render([event(project=named, summary=f"of {named}")], "", given)
            except GiveUp:
                continue
            assert await transport.send(message) == "acknowledged"  # type: ignore[attr-defined]
            taken += 1
    # A broker that is told what it forbids ends the connection.
    assert (taken, ups.count) == (3, 1)


def test_attributes_hold_no_character_that_ends_a_connection() -> None:
    assert attributes(event(actor="a\0b\x85c\ufdd0d\U0010ffffé"))["actor"] == "a\ufffdb\ufffdc\ufffdd\ufffdé"


@pytest.mark.parametrize("url", ["http://broker", "mqtt://", "mqtt://user:secret@broker"])
def test_a_url_that_is_none_is_told(url: str) -> None:
    with pytest.raises(Broken, match="url"):
        SINK.connect(outlet(url=url), Tools(secret=lambda _: b"", sign=lambda _: b"", now=now))


async def published(broker: Mosquitto, count: int, **more: object) -> str:
    """What Mosquitto noted while a sink published so many events."""
    given = outlet(url=f"mqtt://127.0.0.1:{broker.port}", client_id="the-sink", **more)
    async with connected(given, Ups()) as transport:
        for number in range(count):
            told = event(id=str(number), subject=f"nova~{number}")
            await transport.send(render([told], "", given))  # type: ignore[attr-defined]
    return await asyncio.to_thread(broker.log.read_text, errors="replace")


async def test_germqtt_defect_a_connection_for_each_event(mosquitto: Mosquitto) -> None:
    noted = await published(mosquitto, 20)
    assert noted.count(" as the-sink ") == 1


async def test_germqtt_defect_the_keepalive_option_was_ignored(mosquitto: Mosquitto) -> None:
    assert ", k20)" in await published(mosquitto, 1)


async def test_germqtt_defect_qos_0_by_default(mosquitto: Mosquitto) -> None:
    given = outlet(url=f"mqtt://127.0.0.1:{mosquitto.port}")
    assert given.settings.qos == 1
    assert (await received(mosquitto, given, aiomqtt.ProtocolVersion.V5)).qos == 1


@contextmanager
def listening(folder: Path, port: int, *lines: str) -> Iterator[Mosquitto]:
    """A Mosquitto with another listener beside its plain one."""
    broker = Mosquitto(folder, "".join(f"{line}\n" for line in (f"listener {port} 127.0.0.1", *lines)))
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


async def test_germqtt_defect_no_tls_option(tmp_path: Path) -> None:
    port, own = free_port(), Authority(tmp_path / "own").issue("broker", "127.0.0.1")
    with listening(tmp_path, port, f"certfile {own.certificate}", f"keyfile {own.key}") as broker:
        given = outlet(url=f"mqtts://127.0.0.1:{port}", ca_file=str(own.authority))
        assert (await received(broker, given, aiomqtt.ProtocolVersion.V5)).payload == DATA
        # A broker that nobody vouches for gets nothing, not even a login.
        strange = outlet(url=f"mqtts://127.0.0.1:{port}", ca_file=str(Authority(tmp_path / "other").certificate))
        transport = SINK.connect(strange, Tools(secret=lambda _: b"", sign=lambda _: b"", now=now))
        crew = Crew()
        crew.start("transport", transport.run())
        await asyncio.to_thread(until, lambda: "alert" in broker.log.read_text() or None, "the refusal")
        await crew.stop()
    unreadable = outlet(url="mqtts://127.0.0.1", ca_file="/nowhere/ca.pem")
    with pytest.raises((Broken, OSError)):
        SINK.connect(unreadable, Tools(secret=lambda _: b"", sign=lambda _: b"", now=now))


async def test_mqtt_statsd_defect_the_word_for_websockets_was_another(tmp_path: Path) -> None:
    port = free_port()
    with listening(tmp_path, port, "protocol websockets") as broker:
        message = await received(broker, outlet(url=f"ws://127.0.0.1:{port}/mqtt"), aiomqtt.ProtocolVersion.V5)
    assert message.payload == DATA


@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_mqtt_statsd_defect_the_qos_that_was_set_was_ignored(qos: int, mosquitto: Mosquitto) -> None:
    given = outlet(url=f"mqtt://127.0.0.1:{mosquitto.port}", qos=qos)
    assert (await received(mosquitto, given, aiomqtt.ProtocolVersion.V5)).qos == qos


async def test_mqtt_statsd_defect_a_connection_for_each_topic(mosquitto: Mosquitto) -> None:
    noted = await published(mosquitto, 5, topic="lab/{subject}")
    assert noted.count(" as the-sink ") == 1
