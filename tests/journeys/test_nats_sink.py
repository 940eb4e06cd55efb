"""A NATS server of somebody else as a sink: what happens while it is away comes later, in order and once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import nats
from tests.journeys.reader import until
from tests.servers.plant import Plant

from firehose.testing import HubProcess, StartHub

SETTINGS = """
[sources.inbox]
kind = "inbox"
[sinks.plant]
kind = "nats"
url = "{url}"
user = "firehose"
secret_env = "PLANT_SECRET"
"""


def post(hub: HubProcess, token: str, *numbers: int) -> None:
    events = [
        {"specversion": "1.0", "id": f"n{number}", "source": "https://ci.example", "type": "org.example.done",
         "subject": "the-thing", "data": {"number": number}}
        for number in numbers
    ]  # fmt: skip
    headers = {"authorization": f"Bearer {token}", "content-type": "application/cloudevents-batch+json"}
    assert hub.post("/in/inbox", json.dumps(events).encode(), headers)[0] == 202


async def kept(url: str, make: bool = False) -> list[tuple[str, bytes, str]]:
    """Subject, payload and event id of each message in the stream there."""
    client = await nats.connect(url, user="firehose", password="s3cret")
    stream = client.jetstream()
    if make:
        await stream.add_stream(name="EVENTS", subjects=["events.>"])
    count = (await stream.stream_info("EVENTS")).state.messages
    found: list[Any] = [await stream.get_msg("EVENTS", number) for number in range(1, count + 1)]
    await client.close()
    return [(one.subject, one.data, one.headers["ce-id"]) for one in found]


def test_a_stream_gets_each_event_once_and_in_order(start_hub: StartHub, plant: Plant) -> None:
    environ = {"PLANT_SECRET": "s3cret"}
    until(lambda: made(plant.url), "the server")
    hub = start_hub(SETTINGS.format(url=plant.url), environ=environ)
    token = hub.token("publish:inbox")
    post(hub, token, 1)
    until(lambda: True if len(asyncio.run(kept(plant.url))) == 1 else None, "the first")
    plant.stop()
    post(hub, token, 2, 3)
    hub.kill()
    plant.start()
    hub.start(environ)
    post(hub, token, 4)
    until(lambda: True if made(plant.url) and len(asyncio.run(kept(plant.url))) == 4 else None, "the rest")
    found = asyncio.run(kept(plant.url))
    assert [id_ for _, _, id_ in found] == ["n1", "n2", "n3", "n4"]
    assert (found[0][0], json.loads(found[0][1])) == ("events.inbox.example.done", {"number": 1})


def made(url: str) -> bool | None:
    """Whether the server is there, with its stream."""
    try:
        asyncio.run(kept(url, make=True))
    except (OSError, nats.errors.Error):
        return None
    return True
