"""An external StoryBoard into a hub: through a real RabbitMQ, and by its REST API without one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.journeys.reader import everywhere, listening, search, sink, source, until
from tests.servers.feed import FeedServer
from tests.servers.hook import Receiver
from tests.servers.rabbitmq import RabbitMQ

from firehose import source as sources
from firehose.testing import StartHub

SAMPLES = Path(sources.__file__).parent / "sources" / "storyboard" / "samples"
QUEUE = """
[sources.storyboard]
kind = "storyboard"
url = "{api}"
amqp = "{url}"
amqp_secret_env = "AMQP_SECRET"
all_stories_public = true
"""
API = '[sources.storyboard]\nkind = "storyboard"\nurl = "{url}"\nevery = 1\n'


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def names(server: FeedServer) -> None:
    """What the API says of the numbers in the samples."""
    answers = {
        "users/7": {"id": 7, "full_name": "Mira Novák", "email": "mira@lumen.example"},
        "tasks/9": {"id": 9, "story_id": 425, "project_id": 3},
        "tasks?story_id=425&limit=500": [{"id": 9, "project_id": 3}, {"id": 10, "project_id": 3}],
        "projects/3": {"id": 3, "name": "lumen/atlas"},
    }
    server.documents |= {f"/api/v1/{path}": json.dumps(answer).encode() for path, answer in answers.items()}


def publish(server: RabbitMQ, *names: str) -> None:
    for name in names:
        body = sample(name)
        server.publish("storyboard", body["resource"], json.dumps(body).encode())


def test_notifications_arrive_and_wait_while_the_hub_is_away(
    start_hub: StartHub, rabbitmq: RabbitMQ, receiver: Receiver, feed_server: FeedServer
) -> None:
    environ = {"AMQP_SECRET": "guest"}
    names(feed_server)
    hub = start_hub(QUEUE.format(url=rabbitmq.url, api=feed_server.url) + sink(receiver), environ=environ)
    until(lambda: True if source(hub, "storyboard")["connection"].startswith("AMQP") else None, "the queue")
    with listening(hub, "events/storyboard/#", "storyboard/#") as reader:
        publish(rabbitmq, "story_created__amqp", "story__private", "task_priority_changed__amqp", "subscription__plain")
        rabbitmq.publish("storyboard", "story", b"this is no JSON")
        rabbitmq.publish("storyboard", "task", b'{"resource": "teapot"}')
        publish(rabbitmq, "project__renamed")
        assert json.loads(reader.payload("storyboard/timeline_event/9001/7"))["resource"] == "timeline_event"
        events = reader.wait(3)
    assert [(event["kind"], event["subject"]) for event in events] == [
        ("ticket.created", "story/425"), ("ticket.updated", "task/9"), ("project.updated", "project/3"),
    ]  # fmt: skip
    assert everywhere(search(hub, "subject:task/9")[0], reader, receiver) == (
        "ticket.updated", "lumen/atlas", "Mira Novák",
        "Mira Novák changed the priority of task 9 of story 425 from medium to high: Lock the cache",
        f"{feed_server.url}/#!/story/425", "story/425 project/3 person/7",
    )  # fmt: skip
    verdicts = source(hub, "storyboard")["verdicts"]
    assert (verdicts["ignored"], verdicts["unknown"], verdicts["refused"]) == (1, 1, 1)
    hub.kill()
    publish(rabbitmq, "story_created__amqp", "project_group__project-added")
    assert rabbitmq.waiting("firehose") == 2
    hub.start(environ)
    found = search(hub, "source:storyboard", 4)
    assert [event["kind"] for event in found][3:] == ["projectgroup.updated"]
    until(lambda: True if rabbitmq.waiting("firehose") == 0 else None, "the acknowledgements")
    assert len(search(hub, "source:storyboard", 4)) == 4
    assert "Overflow in libfoo" not in json.dumps(found)


def test_the_timeline_is_read_by_cursor_over_pages(start_hub: StartHub, feed_server: FeedServer) -> None:
    def serve(*numbers: int) -> None:
        items = [sample("user_comment__rest") | {"id": number} for number in sorted(numbers, reverse=True)]
        for offset in range(0, len(items) + 100, 100):
            path = f"/api/v1/events?sort_field=id&sort_dir=desc&limit=100&offset={offset}"
            feed_server.documents[path] = json.dumps(items[offset : offset + 100]).encode()

    names(feed_server)
    serve(1, 2)
    hub = start_hub(API.format(url=feed_server.url))
    assert len(search(hub, "source:storyboard", 2)) == 2
    serve(*range(1, 251))
    found = search(hub, "source:storyboard", 250)
    assert [event["id"] for event in found] == [f"timeline_event/{number}" for number in range(1, 251)]
    assert {(event["project"], event["actor"]) for event in found} == {("lumen/atlas", "Mira Novák")}
    asked = [path for path, *_ in feed_server.asked if "/users/" in path]
    assert asked == ["/api/v1/users/7"]
    hub.stop()
    serve(*range(1, 261))
    hub.start()
    found = search(hub, "source:storyboard", 260)
    assert len(found) == 260
    assert found[-1]["link"] == f"{feed_server.url}/#!/story/425"
    assert source(hub, "storyboard")["verdicts"]["duplicate"] == 0
