"""Producers that speak NATS: a request is answered when the event is on disk, JetStream's own publish works as well."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import nats
import nats.errors
import paho.mqtt.publish
import pytest
from nats.aio.client import Client
from nats.js.errors import APIError

from firehose.bus.engine import free_port
from firehose.testing import HubProcess, StartHub

SETTINGS = """
[engine]
listen = "127.0.0.1:{port}"
[[mqtt.logins]]
user = "deployer"
source = "deploys"
secret_env = "DEPLOY_SECRET"
[[mqtt.logins]]
user = "other"
source = "others"
secret_env = "DEPLOY_SECRET"
[sources.deploys]
kind = "inbox"
[sources.others]
kind = "inbox"
"""
SECRET = "s3cret-of-deploys"


def event(number: int) -> bytes:
    found = {"specversion": "1.0", "id": f"d{number}", "source": "https://deploy.example", "type": "a.deploy.done"}
    return json.dumps({**found, "data": {"number": number}}).encode()


@pytest.fixture
def place(start_hub: StartHub) -> tuple[HubProcess, str]:
    port = free_port()
    return start_hub(SETTINGS.format(port=port), environ={"DEPLOY_SECRET": SECRET}), f"nats://127.0.0.1:{port}"


@pytest.fixture
async def producer(place: tuple[HubProcess, str]) -> AsyncIterator[Client]:
    client = await nats.connect(place[1], user="deployer", password=SECRET)
    yield client
    await client.close()


def counted(hub: HubProcess, name: str = "deploys") -> dict[str, int]:
    (found,) = [health for health in hub.get("/v1/sources")["sources"] if health["name"] == name]
    return {verdict: count for verdict, count in found["verdicts"].items() if count}


async def ask(client: Client, body: bytes, subject: str = "in.deploys.atlas") -> dict[str, Any]:
    answer = await client.request(subject, body, timeout=30)
    found: dict[str, Any] = json.loads(answer.data)
    return found


async def test_a_request_is_answered_with_the_event_s_place(place: tuple[HubProcess, str], producer: Client) -> None:
    hub, _ = place
    first, again = await ask(producer, event(1)), await ask(producer, event(1))
    assert (first["verdict"], first["id"], first["sequence"]) == ("event", "d1", f"{1:020d}")
    assert (again["verdict"], again["duplicate"], again["seq"]) == ("duplicate", True, 1)
    many = await asyncio.gather(*(ask(producer, event(number)) for number in range(2, 102)))
    assert [told["seq"] for told in many] == list(range(2, 102))
    assert counted(hub) == {"event": 101, "duplicate": 1}


async def test_what_is_wrong_is_a_problem_and_in_quarantine(place: tuple[HubProcess, str], producer: Client) -> None:
    hub, _ = place
    told = await ask(producer, b'{"specversion": "1.0", "id": 7}')
    assert (told["status"], told["type"], told["field"]) == (422, "/problems/bad-cloudevent", "id")
    assert (await ask(producer, b'{"a": "\xff"}'))["type"] == "/problems/bad-encoding"
    assert (await ask(producer, b"{"))["error"]["code"] == 400
    large = await ask(producer, b'"' + b"x" * 2**20 + b'"')
    assert (large["status"], large["type"]) == (413, "/problems/too-large")
    assert counted(hub) == {"refused": 4}


async def test_jetstream_s_publish_is_acknowledged(producer: Client) -> None:
    stream = producer.jetstream()
    first, again = [await stream.publish("in.deploys.x", event(1), timeout=30) for _ in range(2)]
    assert (first.seq, first.duplicate, again.seq, again.duplicate) == (1, False, 1, True)
    with pytest.raises(APIError) as refused:
        await stream.publish("in.deploys.x", b"{", timeout=30)
    assert refused.value.code == 400


async def test_mqtt_and_nats_of_one_login_are_each_taken_once(place: tuple[HubProcess, str], producer: Client) -> None:
    hub, _ = place
    login = {"username": "deployer", "password": SECRET}
    for qos in (0, 1):
        paho.mqtt.publish.single(
            "in/deploys/a", event(qos), qos=qos, hostname="127.0.0.1", port=hub.mqtt_port, auth=login
        )  # fmt: skip
    await producer.publish("in.deploys.b", event(2))
    await producer.flush()
    await ask(producer, event(3))
    async with asyncio.timeout(60):
        while sum(counted(hub).values()) < 4:
            await asyncio.sleep(0.05)
    await ask(producer, event(4))
    assert counted(hub) == {"event": 5}


async def test_only_the_own_source_can_be_fed_and_nothing_read(place: tuple[HubProcess, str], producer: Client) -> None:
    hub, url = place
    with pytest.raises(nats.errors.Error):
        await nats.connect(url, user="deployer", password="wrong", max_reconnect_attempts=0, allow_reconnect=False)
    for subject in ("in.others.x", "events.deploys.a.b", "$JS.API.STREAM.LIST"):
        with pytest.raises((nats.errors.TimeoutError, nats.errors.NoRespondersError)):
            await producer.request(subject, event(1), timeout=0.5)
    got: list[str] = []
    other = await nats.connect(url, user="other", password=SECRET)

    async def heard(message: Any) -> None:
        got.append(message.subject)

    await other.subscribe(">", cb=heard)
    await other.subscribe("in.>", cb=heard)
    await other.flush()
    await ask(producer, event(2))
    await other.flush()
    await other.close()
    assert got == []
    assert (counted(hub), counted(hub, "others")) == ({"event": 1}, {})


async def test_a_hub_that_was_killed_is_asked_again_and_nothing_is_doubled(place: tuple[HubProcess, str]) -> None:
    hub, url = place
    client = await nats.connect(url, user="deployer", password=SECRET, max_reconnect_attempts=-1)
    promised = [(await ask(client, event(number)))["seq"] for number in range(1, 11)]
    hub.kill()
    with pytest.raises((nats.errors.Error, OSError)):
        await client.request("in.deploys.x", event(11), timeout=1)
    await asyncio.to_thread(hub.start, {"DEPLOY_SECRET": SECRET})
    async with asyncio.timeout(60):
        while not client.is_connected:
            await asyncio.sleep(0.05)
    again = [(await ask(client, event(number)))["seq"] for number in range(1, 12)]
    assert again == [*promised, 11]
    await client.close()
