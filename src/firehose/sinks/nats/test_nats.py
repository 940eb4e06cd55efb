"""NATS: what a message says, and what a real nats-server's answers mean."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.servers.plant import Plant

from firehose.errors import Broken, GiveUp, TryLater
from firehose.event import Event, Recorded, encode, identity
from firehose.plumbing.clock import now
from firehose.plumbing.nats import Login, Server
from firehose.plumbing.tasks import Crew
from firehose.sink import Outlet, Tools
from firehose.sinks.nats.nats import SINK, NatsSettings, check, fit, render, subject

ID = identity("https://review.example", "1")


def event(**more: Any) -> Recorded:
    given = {"id": "1", "source": "https://review.example", "type": "com.example.merged", "kind": "change.merged",
             "subject": "nova~7", "project": "openstack/nova", "actor": "Zoë", "summary": "a change",
             "time": datetime(2026, 3, 1, tzinfo=UTC), "data": b'{"n":7}', **more}  # fmt: skip
    return Recorded(7, datetime(2026, 3, 1, 0, 0, 1, tzinfo=UTC), encode("gerrit", Event(**given)))


def outlet(**more: Any) -> Outlet:
    settings = NatsSettings(**{"kind": "nats", "url": "nats://127.0.0.1", "user": "firehose", **more})
    return Outlet(name="plant", kind=SINK, settings=settings)


@asynccontextmanager
async def connected(given: Outlet) -> AsyncIterator[tuple[Any, asyncio.Event]]:
    up = asyncio.Event()
    transport = SINK.connect(given, Tools(secret=lambda _: b"s3cret", sign=lambda _: b"", now=now, back=up.set))
    crew = Crew()
    crew.start("transport", transport.run())
    try:
        async with asyncio.timeout(30):
            await up.wait()
        yield transport, up
    finally:
        await crew.stop()
        await transport.close()


@asynccontextmanager
async def visitor(plant: Plant, *streams: str) -> AsyncIterator[Any]:
    """A client of the plant's own, with its streams made."""
    server, up = Server(plant.url, Login("firehose", "s3cret"), stream=True, up=lambda: None), asyncio.Event()
    server._up = up.set
    crew = Crew()
    crew.start("visitor", server.run())
    try:
        async with asyncio.timeout(30):
            await up.wait()
        client: Any = server._client
        for name in streams:
            await client.jetstream().add_stream(name=name.upper(), subjects=[f"{name}.>"])
        yield client
    finally:
        await crew.stop()


async def test_a_stream_stores_the_event_once_with_its_attributes(plant: Plant) -> None:
    given = outlet(url=plant.url)
    async with visitor(plant, "events") as client, connected(given) as (transport, _):
        message = render([event()], "", given)
        assert await transport.send(message) == "EVENTS 1"
        assert await transport.send(message) == "EVENTS 1 (already there)"
        kept = await client.jetstream().get_msg("EVENTS", 1)
    assert (kept.subject, kept.data) == ("events.gerrit.change.merged.openstack.nova", b'{"n":7}')
    assert kept.headers["Nats-Msg-Id"] == ID
    assert (kept.headers["ce-id"], kept.headers["ce-specversion"], kept.headers["ce-kind"]) == (
        "1",
        "1.0",
        "change.merged",
    )
    assert (kept.headers["ce-actor"], kept.headers["ce-summary"]) == ("Zo%C3%AB", "a%20change")
    assert kept.headers["content-type"] == "application/json"


async def test_without_a_stream_it_is_tried_again_and_the_servers_word_can_be_enough(plant: Plant) -> None:
    given = outlet(url=plant.url)
    async with connected(given) as (transport, _):
        with pytest.raises(TryLater, match="no stream takes"):
            await transport.send(render([event()], "", given))
    plain = outlet(url=plant.url, acknowledge="server", mode="structured", subject="lab.{source}.{kind}")
    async with visitor(plant) as client, connected(plain) as (transport, _):
        heard = await client.subscribe("lab.>")
        await client.flush()
        assert await transport.send(render([event()], "", plain)) == "taken by the server"
        message = await heard.next_msg(20)
    assert message.subject == "lab.gerrit.change.merged"
    assert message.headers["content-type"].startswith("application/cloudevents+json")
    assert json.loads(message.data)["actor"] == "Zoë"


async def test_a_server_that_was_away_is_found_again(plant: Plant) -> None:
    given = outlet(url=plant.url)
    async with visitor(plant, "events"):
        pass
    async with connected(given) as (transport, up):
        up.clear()
        await asyncio.to_thread(plant.stop)
        with pytest.raises(TryLater):
            await transport.send(render([event()], "", given))
        plant.start()
        async with asyncio.timeout(60):
            await up.wait()
        assert await transport.send(render([event()], "", given)) == "EVENTS 1"


async def test_a_wrong_password_is_said(plant: Plant) -> None:
    transport = SINK.connect(outlet(url=plant.url), Tools(secret=lambda _: b"wrong", sign=lambda _: b"", now=now))
    crew = Crew()
    crew.start("transport", transport.run())
    with pytest.raises(TryLater, match=r"(?i)authorization"):
        await transport.send(render([event()], "", outlet(url=plant.url)))
    await crew.stop()


def test_subjects_are_filled_and_checked() -> None:
    assert subject("x.{project}.{outcome}", event(outcome="success")) == "x.openstack.nova.success"
    assert subject("x.{subject}", event(subject="a.b c*")) == "x.a//b%20c%2A"
    assert subject("{topic}", event(project="")) == "events.gerrit.change.merged"
    with pytest.raises(GiveUp):
        subject("{project}", event(project="x" * 5_000))
    assert "{projekt}" in check(outlet(subject="{projekt}").settings)
    assert "whole subject" in check(outlet(subject="x.>").settings)
    assert check(outlet().settings) == ""


@pytest.mark.parametrize(
    ("text", "held"), [("Zoë", "Zo%C3%AB"), ('a "b"', "a%20%22b%22"), ("100%", "100%25"), ("a\r\nb", "a%0D%0Ab")]
)
def test_a_header_holds_what_it_can(text: str, held: str) -> None:
    assert fit(text) == held


@pytest.mark.parametrize("url", ["http://host", "nats://", "nats://user:secret@host", ""])
def test_a_url_that_is_none_is_told(url: str) -> None:
    with pytest.raises(Broken, match="url"):
        SINK.connect(outlet(url=url), Tools(secret=lambda _: b"", sign=lambda _: b"", now=now))
