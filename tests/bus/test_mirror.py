"""The mirror and the producers' door, on the real engine with real MQTT clients."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest

from firehose import subject
from firehose.bus.contract import Message
from firehose.bus.engine import Engine, EngineSettings, free_port
from firehose.bus.engine_config import Producer
from firehose.bus.live import Live
from firehose.bus.mirror import Mirror
from firehose.bus.nats import NatsBus, connect
from firehose.errors import TryLater
from firehose.event import Event, Recorded, encode
from firehose.intake.inbound import Inbound
from firehose.plumbing.clock import now
from firehose.plumbing.tasks import Crew
from firehose.source import Delivery


def message(number: int) -> Message:
    event = Event(
        id=str(number), source="https://review.example.org", type="com.gerritcodereview.change-merged",
        kind="change.merged", subject=f"openstack/nova~{number}", project="openstack/nova",
        time=datetime(2026, 1, 1, tzinfo=UTC), data=b'{"number":%d}' % number,
        alias=("gerrit/openstack/nova/change-merged",),
    )  # fmt: skip
    return Message(
        subject.to_nats(subject.topic("gerrit", event.kind, event.project)), str(number), encode("gerrit", event)
    )


class Rig:
    """An engine with a mirror running."""

    def __init__(self, engine: Engine, bus: NatsBus, mirror: Mirror) -> None:
        self.engine, self.bus, self.mirror = engine, bus, mirror
        self.host, _, port = engine.addresses.mqtt.rpartition(":")
        self.port = int(port)

    def reader(self, **more: Any) -> aiomqtt.Client:
        return aiomqtt.Client(self.host, self.port, **more)


PRODUCERS = (Producer("ci", "s3cret", "ci"), Producer("zuul", "z3cret", "zuul", own_topics=True))


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    engine = Engine(EngineSettings(folder=tmp_path / "e", mqtt=f"127.0.0.1:{free_port()}", producers=PRODUCERS))
    addresses = await engine.start()
    hub = await connect(addresses.nats, user="hub", password=addresses.hub_password)
    public = await connect(addresses.nats, user="mirror", password=addresses.mirror_password)
    bus = NatsBus(hub)
    await bus.prepare(replicas=1, keep_days=1, keep_gib=1, first=1)
    live = Live()
    mirror = Mirror(bus, live, public, (addresses.mqtt, addresses.mirror_password))
    await mirror.start()
    crew = Crew()
    crew.start("live", live.follow(bus))
    crew.start("connection", mirror.connection())
    crew.start("demand", mirror.demand())
    crew.start("mirror", mirror.run())
    crew.start("bookkeeping", mirror.bookkeeping(lambda: {"sources": b'{"gerrit":"healthy"}'}))
    yield Rig(engine, bus, mirror)
    await crew.stop()
    await hub.close()
    await public.close()
    await engine.stop()


async def take(client: aiomqtt.Client, count: int) -> list[aiomqtt.Message]:
    found: list[aiomqtt.Message] = []
    async with asyncio.timeout(15):
        async for entry in client.messages:
            found.append(entry)
            if len(found) == count:
                return found
    raise AssertionError("the connection ended")


def payload(entry: aiomqtt.Message) -> Any:
    assert isinstance(entry.payload, bytes)
    return msgspec.json.decode(entry.payload)


@pytest.mark.parametrize("qos", [0, 1])
async def test_readers_get_each_stored_event_once_in_order(rig: Rig, qos: int) -> None:
    async with rig.reader() as reader:
        await reader.subscribe("events/+/change/merged/#", qos=qos)
        await rig.bus.publish([message(n) for n in range(40)])
        await rig.bus.publish([message(3), message(40), message(41)])
        found = await take(reader, 42)
    assert [payload(entry)["sequence"] for entry in found] == [f"{n:020d}" for n in range(1, 43)]
    assert payload(found[0])["data"] == {"number": 0}
    assert found[0].topic.value == "events/gerrit/change/merged/openstack/nova"
    assert not any(entry.retain for entry in found)


async def test_original_topics_carry_the_upstream_bytes(rig: Rig) -> None:
    async with rig.reader() as reader:
        await reader.subscribe("gerrit/#")
        await rig.bus.publish([message(5)])
        (found,) = await take(reader, 1)
    assert found.payload == b'{"number":5}'
    assert found.topic.value == "gerrit/openstack/nova/change-merged"


async def test_a_persistent_session_gets_what_came_while_it_was_away(rig: Rig) -> None:
    session = {"identifier": "night-watch", "clean_session": False}
    async with rig.reader(**session) as reader:
        await reader.subscribe("events/#", qos=1)
        await rig.bus.publish([message(0)])
        await take(reader, 1)
    await rig.bus.publish([message(n) for n in range(1, 21)])
    async with rig.reader(**session) as reader:
        found = await take(reader, 20)
    assert [payload(entry)["id"] for entry in found] == [str(n) for n in range(1, 21)]
    assert {entry.qos for entry in found} == {1}


async def test_the_head_is_retained_for_whoever_comes(rig: Rig) -> None:
    await rig.bus.publish([message(n) for n in range(3)])
    async with rig.reader() as reader:
        await reader.subscribe("$meta/head")
        async with asyncio.timeout(15):
            async for entry in reader.messages:
                if payload(entry)["sequence"] == 3:
                    break
    assert payload(entry)["cursor"] == f"{3:020d}"


async def test_a_stranger_may_not_publish_nor_see_the_inside(rig: Rig) -> None:
    async with rig.reader() as stranger, rig.reader() as reader:
        await reader.subscribe("events/#")
        await stranger.publish("events/gerrit/change/merged/x", "forged", qos=1)
        await rig.bus.publish([message(1)])
        (found,) = await take(reader, 1)
        assert payload(found)["id"] == "1"
        for inside in ("$JS/#", "$SYS/#", "in/#", "_INBOX/#"):
            granted = await stranger.subscribe(inside)
            assert [int(str(code.value if hasattr(code, "value") else code)) for code in granted] == [128], inside


async def test_the_mirror_goes_on_after_the_engine_was_killed(rig: Rig) -> None:
    await rig.bus.publish([message(0)])
    watching = asyncio.get_running_loop().create_task(rig.engine.watch())
    os.kill(rig.engine.pid, signal.SIGKILL)
    for number in range(1, 6):
        while True:
            try:
                await rig.bus.publish([message(number)])
                break
            except TryLater:
                await asyncio.sleep(0.05)
    async with asyncio.timeout(30):
        while rig.mirror.state.cursor < 6:
            await asyncio.sleep(0.05)
    watching.cancel()
    assert [s.sequence for s in await rig.bus.fetch(0, 10)] == [1, 2, 3, 4, 5, 6]


async def test_the_mirror_takes_from_the_stream_what_the_ring_no_longer_holds(tmp_path: Path) -> None:
    engine = Engine(EngineSettings(folder=tmp_path / "e", mqtt=f"127.0.0.1:{free_port()}"))
    addresses = await engine.start()
    hub = await connect(addresses.nats, user="hub", password=addresses.hub_password)
    public = await connect(addresses.nats, user="mirror", password=addresses.mirror_password)
    bus, live, crew = NatsBus(hub), Live(ring=10), Crew()
    await bus.prepare(replicas=1, keep_days=1, keep_gib=1, first=1)
    mirror = Mirror(bus, live, public, (addresses.mqtt, addresses.mirror_password))
    await mirror.start()
    await bus.publish([message(n) for n in range(700)])
    live.take([Recorded(stored.sequence, stored.time, stored.payload) for stored in await bus.fetch(680, 20)])
    host, _, port = addresses.mqtt.rpartition(":")
    async with aiomqtt.Client(host, int(port)) as reader:
        await reader.subscribe("events/#")
        crew.start("mirror connection", mirror.connection())
        crew.start("mirror", mirror.run())
        found = await take(reader, 700)
    await crew.stop()
    await hub.close()
    await public.close()
    await engine.stop()
    assert [int(payload(entry)["sequence"]) for entry in found] == list(range(1, 701))


@pytest.mark.parametrize(
    ("user", "password", "topic"),
    [("ci", "s3cret", "in/ci/build/1"), ("zuul", "z3cret", "openstack/zuul/check/openstack/nova/master/1")],
    ids=["below in/", "topics of its own"],
)
async def test_a_producer_hands_in_by_mqtt_and_nothing_is_lost_while_we_are_away(
    rig: Rig, user: str, password: str, topic: str
) -> None:
    producer = next(known for known in PRODUCERS if known.user == user)
    got: list[Delivery] = []
    enough = asyncio.Event()

    async def deliver(delivery: Delivery) -> None:
        if len(got) == 2 and not enough.is_set():
            enough.set()
            raise TryLater  # the stream is away once: the same message must come again
        got.append(delivery)

    def session() -> asyncio.Task[None]:
        addresses = rig.engine.addresses
        made = Inbound(producer, addresses.mqtt, addresses.hub_password, deliver, now)
        return asyncio.get_running_loop().create_task(made.run())

    first = session()
    async with rig.reader(username=user, password=password) as sender:
        async with asyncio.timeout(10):
            while not got:  # the session's subscription is not there at once
                await sender.publish(topic, b"0", qos=1)
                await asyncio.sleep(0.02)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        got.clear()
        for number in range(1, 6):
            await sender.publish(topic, b"%d" % number, qos=1)
    second = session()
    async with asyncio.timeout(15):
        while len([entry for entry in got if entry.body != b"0"]) < 5:
            await asyncio.sleep(0.02)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert sorted(entry.body for entry in got if entry.body != b"0") == [b"1", b"2", b"3", b"4", b"5"]
    assert {(entry.topic, entry.source, entry.channel) for entry in got} == {(topic, user, "mqtt")}


async def test_a_producer_with_a_wrong_password_is_refused(rig: Rig) -> None:
    with pytest.raises(aiomqtt.MqttError):
        async with rig.reader(username="ci", password="wrong"):
            pass
