"""Topics and subjects, both ways against the real server: what we compute is what nats-server does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiomqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firehose import subject
from firehose.bus.engine import Engine, EngineSettings, free_port
from firehose.bus.nats import connect

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(names, names)
def test_every_name_can_be_read_back(source: str, project: str) -> None:
    topic = subject.topic(source, "change.merged", project)
    assert subject.source_of(topic) == subject.unescape(subject.escape(source)).partition("/")[0]
    assert subject.from_nats(subject.to_nats(topic)) == topic
    assert subject.unescape(subject.escape(project)) == project.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")


@given(names)
def test_no_topic_holds_what_a_listener_refuses(project: str) -> None:
    topic = subject.topic("s", "a.b", project)
    assert not set(topic) & set("+#*>")
    assert not any(char.isspace() or char < " " for char in topic)


@pytest.mark.parametrize(
    ("pattern", "topic", "fits"),
    [
        ("events/+/change/merged/#", "events/gerrit/change/merged/openstack/nova", True),
        ("events/+/change/merged/#", "events/gerrit/change/merged", True),
        ("events/+/change/merged/#", "events/gerrit/change/created/openstack/nova", False),
        ("#", "events/x", True),
        ("#", "$meta/head", False),
        ("+/meta", "$meta/meta", False),
        ("a/+", "a/", True),
        ("a/+", "a", False),
        ("a/b", "a/b/c", False),
    ],
)
def test_filters_match_as_mqtt_says(pattern: str, topic: str, fits: bool) -> None:
    assert subject.matches(pattern, topic) is fits


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    made = Engine(EngineSettings(folder=tmp_path / "e", mqtt=f"127.0.0.1:{free_port()}"))
    await made.start()
    yield made
    await made.stop()


async def test_the_server_translates_as_we_do(engine: Engine) -> None:
    projects = ["openstack/nova", "openstack/foo.bar", "a..b", ".a", "a.", "/lead", "trail/", "a//b", "ünï/日本",
                "with space/x", "a\tb", "c++", "a*b", "a>b", "100%", "#1", "a\u00a0b", "a\u3000b"]  # fmt: skip
    topics = [subject.topic("s.1", "change.merged", project) for project in projects]
    addresses = engine.addresses
    host, _, port = addresses.mqtt.rpartition(":")
    client = await connect(addresses.nats, user="mirror", password=addresses.mirror_password)
    found: dict[str, str] = {}
    async with aiomqtt.Client(host, int(port)) as reader:
        await reader.subscribe("events/#")
        for topic in topics:
            await client.publish(subject.to_nats(topic), topic.encode())
        await client.flush()
        async with asyncio.timeout(10):
            async for message in reader.messages:
                assert isinstance(message.payload, bytes)
                found[message.topic.value] = message.payload.decode()
                if len(found) == len(topics):
                    break
    await client.close()
    assert found == {topic: topic for topic in topics}


async def test_the_server_hands_mqtt_topics_on_as_we_expect(engine: Engine) -> None:
    addresses = engine.addresses
    host, _, port = addresses.mqtt.rpartition(":")
    topics = [subject.topic("s", "a.b", project) for project in ("x/y.z", "a//b", ".a.", "/lead", "c++", "ü/日")]
    client = await connect(addresses.nats, user="mirror", password=addresses.mirror_password)
    listening = await client.subscribe("events.>")
    await client.flush()
    async with aiomqtt.Client(host, int(port), username="mirror", password=addresses.mirror_password) as sender:
        for topic in topics:
            await sender.publish(topic, topic, qos=1)
    for topic in topics:
        message = await listening.next_msg(timeout=5)
        assert (message.subject, subject.from_nats(message.subject)) == (subject.to_nats(topic), topic)
    await client.close()
