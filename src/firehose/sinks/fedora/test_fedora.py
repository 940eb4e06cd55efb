"""Fedora Messaging: what a message says, and what a real RabbitMQ's answers mean."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.servers.rabbitmq import RabbitMQ

from firehose.errors import Broken, GiveUp, TryLater
from firehose.event import Event, Recorded, encode
from firehose.plumbing.clock import now
from firehose.plumbing.tasks import Crew
from firehose.sink import Outlet, Tools
from firehose.sinks.fedora.fedora import SINK, FedoraSettings, check, lanes, render
from firehose.sinks.fedora.transport import HEADERS, Transport


def event(name: str = "gerrit", **more: Any) -> Recorded:
    given = {"id": "1", "source": "https://review.example", "type": "com.example.merged", "kind": "change.merged",
             "subject": "nova~7", "project": "openstack/nova", "actor": "mira", "summary": "a change",
             "time": datetime(2026, 3, 1, tzinfo=UTC), "data": b'{"n":7}', **more}  # fmt: skip
    return Recorded(7, datetime(2026, 3, 1, 0, 0, 1, 250000, tzinfo=UTC), encode(name, Event(**given)))


def outlet(**more: Any) -> Outlet:
    settings = FedoraSettings(**{"kind": "fedora", "amqp_url": "amqp://127.0.0.1", "topic_prefix": "org.lumen", **more})
    return Outlet(name="fedora", kind=SINK, settings=settings)


def headers(given: Recorded, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(render([given], "", outlet(**more)).headers[HEADERS])
    return found


def test_the_headers_name_schema_severity_people_and_packages() -> None:
    found = headers(event(severity="warning", refs=("package/rpm/nova", "user/tomas%20b", "commit/1")), priority=2)
    assert found == {
        "fedora_messaging_schema": "firehose.event", "fedora_messaging_schema_package": "firehose_messages",
        "fedora_messaging_severity": 30, "priority": 2, "sent-at": "2026-03-01T00:00:01+00:00",
        "fedora_messaging_user_mira": True, "fedora_messaging_user_tomas b": True, "fedora_messaging_rpm_nova": True,
    }  # fmt: skip


@pytest.mark.parametrize(("severity", "number"), [("info", 20), ("notice", 20), ("warning", 30), ("error", 40)])
def test_severities(severity: str, number: int) -> None:
    assert headers(event(severity=severity))["fedora_messaging_severity"] == number


def test_the_topic_is_words_and_a_name_with_dots_is_one() -> None:
    assert render([event()], "", outlet()).to == "org.lumen.firehose.gerrit.change.merged"
    assert render([event("a.b*")], "", outlet(topic_prefix="")).to == "firehose.a%2Eb%2A.change.merged"
    assert render([event()], "", outlet(topic="x.{project}.{severity}")).to == "org.lumen.x.openstack/nova.info"
    with pytest.raises(GiveUp, match="255"):
        render([event(project="x" * 300)], "", outlet(topic="{project}"))


def test_every_try_has_the_same_id_and_another_event_another() -> None:
    first, again, other = (render([event(id=id_)], "", outlet()) for id_ in ("1", "1", "2"))
    assert first.id == again.id != other.id
    assert first.id[14] == "4"  # a UUID of version 4, as the library makes them


def test_what_came_from_the_bus_does_not_go_back() -> None:
    heard = event("fedora", dataschema="fedora-messaging:bodhi.update.comment.v1")
    assert list(lanes(heard, outlet().settings)) == []
    assert len(lanes(heard, outlet(relay=True).settings)) == len(lanes(event(), outlet().settings)) == 1


def test_settings_that_cannot_work_are_told() -> None:
    assert "{projekt}" in check(outlet(topic="{projekt}").settings)
    assert "bindings" in check(outlet(topic="x.#").settings)
    assert check(outlet().settings) == ""
    for url in ("http://x", "amqp://", "amqp://user:s3cret@x"):
        with pytest.raises(Broken, match="amqp_url") as broken:
            Transport(outlet(amqp_url=url).settings, Tools(secret=lambda _: b"", sign=lambda _: b"", now=now))
        assert "s3cret" not in broken.value.detail


@asynccontextmanager
async def connected(given: Outlet) -> AsyncIterator[tuple[Any, asyncio.Event]]:
    up = asyncio.Event()
    tools = Tools(secret=lambda _: b"guest", sign=lambda _: b"", now=now, back=up.set)
    transport = SINK.connect(given, tools)
    crew = Crew()
    crew.start("transport", transport.run())
    try:
        async with asyncio.timeout(60):
            await up.wait()
        yield transport, up
    finally:
        await crew.stop()
        await transport.close()


async def test_a_message_is_confirmed_by_the_broker(rabbitmq: RabbitMQ) -> None:
    connection = await asyncio.to_thread(rabbitmq.connect)
    channel = connection.channel()
    channel.queue_declare("sink-1", durable=True)
    channel.queue_bind("sink-1", "amq.topic", "org.lumen.#")
    given = outlet(amqp_url=rabbitmq.url)
    async with connected(given) as (transport, _):
        assert await transport.send(render([event()], "", given)) == "confirmed"
    frame, properties, body = channel.basic_get("sink-1", auto_ack=True)
    assert frame is not None
    assert properties is not None
    assert body is not None
    assert (frame.routing_key, properties.delivery_mode) == ("org.lumen.firehose.gerrit.change.merged", 2)
    assert (properties.content_type, properties.content_encoding) == ("application/json", "utf-8")
    assert json.loads(body)["summary"] == "a change"
    connection.close()


async def test_mandatory_wants_a_queue_and_without_it_nobody_must_listen(rabbitmq: RabbitMQ) -> None:
    for mandatory in (False, True):
        # Queues of other tests may still hear the topics' exchange; to this one none is bound.
        given = outlet(amqp_url=rabbitmq.url, exchange="amq.fanout", mandatory=mandatory)
        async with connected(given) as (transport, _):
            if mandatory:
                with pytest.raises(TryLater, match="no queue wants"):
                    await transport.send(render([event()], "", given))
            else:
                assert await transport.send(render([event()], "", given)) == "confirmed"


async def test_a_publish_that_the_broker_forbids_closes_only_its_channel(rabbitmq: RabbitMQ) -> None:
    missing = outlet(amqp_url=rabbitmq.url, exchange="not.there")
    async with connected(missing) as (transport, _):
        for _ in range(2):
            with pytest.raises(TryLater, match="no exchange"):
                await transport.send(render([event()], "", missing))


async def test_a_broker_that_ended_the_connection_is_tried_again(rabbitmq: RabbitMQ) -> None:
    given = outlet(amqp_url=rabbitmq.url)
    async with connected(given) as (transport, up):
        up.clear()
        await asyncio.to_thread(rabbitmq.stop)
        with pytest.raises(TryLater):
            await transport.send(render([event()], "", given))
        await asyncio.to_thread(rabbitmq.start)
        async with asyncio.timeout(60):
            await up.wait()
        assert await transport.send(render([event()], "", given)) == "confirmed"
