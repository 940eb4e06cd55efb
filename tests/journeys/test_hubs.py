"""Hubs that follow each other: everything arrives once, whoever is killed, and nothing goes in circles."""

from __future__ import annotations

import json
from typing import Any

from tests.journeys.reader import everywhere, listening, search, sink, source, until
from tests.servers.hook import Receiver

from firehose.source import MAX_BODY
from firehose.testing import HubProcess, StartHub

INBOX = '[sources.inbox]\nkind = "inbox"\n'
CLOUDEVENT = {"content-type": "application/cloudevents+json"}
FOLLOW = '[sources.{name}]\nkind = "firehose"\nurl = "{url}"\n'


class Sender:
    """Somebody who publishes at a hub."""

    def __init__(self, hub: HubProcess, origin: str) -> None:
        self._hub = hub
        self._origin = origin
        self.headers = {
            "authorization": f"Bearer {hub.token('publish:inbox')}",
            "content-type": "application/cloudevents-batch+json",
        }

    def send(self, first: int, count: int) -> None:
        """So many events, numbered."""
        events = [
            {
                "specversion": "1.0", "id": str(number), "source": self._origin, "type": "org.lumen.build.finished",
                "kind": "pipelinerun.finished", "subject": f"build/{number % 7}", "project": "lumen/atlas",
                "actor": "mira",
                "summary": f"build {number} succeeded", "link": f"https://ci.lumen.example/{number}",
                "outcome": "success", "refs": "commit/3f1d6c0e", "data": {"number": number, "who": "mira"},
            }
            for number in range(first, first + count)
        ]  # fmt: skip
        status, answer = self._hub.post("/in/inbox", json.dumps(events).encode(), self.headers)
        assert status == 202, answer


def numbers(hub: HubProcess, query: str, count: int) -> list[int]:
    return [int(event["id"]) for event in search(hub, query, count)]


def plain(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in ("sequence", "recordedtime", "topic")}


def test_a_mirror_has_every_event_once_though_both_are_killed(start_hub: StartHub, receiver: Receiver) -> None:
    upstream = start_hub(INBOX, name="upstream")
    sender = Sender(upstream, "https://ci.lumen.example")
    sender.send(0, 300)
    mirror = start_hub(FOLLOW.format(name="up", url=upstream.url) + sink(receiver), name="mirror")
    with listening(mirror, "events/up/pipelinerun/finished/lumen/#") as reader:
        assert numbers(mirror, "source:up", 300) == list(range(300))
        sender.send(300, 50)
        assert numbers(mirror, "source:up", 350) == list(range(350))
        reader.wait(1, id="349")
    ours, theirs = (search(hub, "subject:build/3 -kind:incident.*", 50) for hub in (mirror, upstream))
    assert list(map(plain, ours)) == list(map(plain, theirs))
    (last,) = search(mirror, "id:349")
    assert everywhere(last, reader, receiver) == (
        "pipelinerun.finished", "lumen/atlas", "mira", "build 349 succeeded", "https://ci.lumen.example/349",
        "build/6 commit/3f1d6c0e",
    )  # fmt: skip

    # The largest payload that a hub takes comes in a line that is larger.
    large = {"specversion": "1.0", "id": "large", "source": "https://ci.lumen.example", "type": "org.lumen.log.kept",
             "kind": "log.kept", "data": "x" * (MAX_BODY - 300)}  # fmt: skip
    assert upstream.post("/in/inbox", json.dumps(large).encode(), sender.headers | CLOUDEVENT)[0] == 202
    assert len(search(mirror, "kind:log.kept", 1)[0]["data"]) == MAX_BODY - 300

    mirror.kill()
    sender.send(350, 200)
    mirror.start()
    assert numbers(mirror, "source:up kind:pipelinerun.finished", 550) == list(range(550))
    upstream.kill()
    until(lambda: True if source(mirror, "up")["connection"].startswith("not") else None, "the loss")
    upstream.start()
    sender.send(550, 100)
    assert numbers(mirror, "source:up kind:pipelinerun.finished", 650) == list(range(650))
    assert source(mirror, "up")["connection"] == f"HTTP 127.0.0.1:{upstream.http_port}"


def test_hubs_that_mirror_each_other_do_not_go_in_circles(start_hub: StartHub) -> None:
    left = start_hub(INBOX, name="left")
    right = start_hub(INBOX + FOLLOW.format(name="left", url=left.url), name="right")
    here, there = Sender(left, "https://left.lumen.example"), Sender(right, "https://right.lumen.example")
    here.send(0, 40)
    left.stop()
    left.file.write_text(left.file.read_text() + FOLLOW.format(name="right", url=right.url))
    left.start()
    here.send(40, 40)
    there.send(0, 60)
    for hub, own, other in ((left, 80, 60), (right, 60, 80)):
        assert len(search(hub, "source:inbox", own)) == own
        follower = "right" if hub is left else "left"
        assert sorted(numbers(hub, f"source:{follower}", other)) == list(range(other))
    # Everything came back to where it began, was known there, and went no further.
    until(lambda: True if source(left, "right")["verdicts"]["duplicate"] >= 80 else None, "left's own, back again")
    until(lambda: True if source(right, "left")["verdicts"]["duplicate"] >= 60 else None, "right's own, back again")
    heads = [hub.get("/v1/events?limit=1")["events"][0]["sequence"] for hub in (left, right)]
    assert heads == [f"{140:020d}"] * 2


def test_a_hub_that_began_anew_is_read_from_its_start_and_a_query_chooses(start_hub: StartHub) -> None:
    upstream = start_hub(INBOX, name="upstream")
    Sender(upstream, "https://ci.lumen.example").send(0, 30)
    settings = FOLLOW.format(name="up", url=upstream.url) + 'query = "subject:build/1 OR subject:build/2"\n'
    mirror = start_hub(settings, name="mirror")
    wanted = [number for number in range(30) if number % 7 in (1, 2)]
    assert numbers(mirror, "source:up", len(wanted)) == wanted
    upstream.kill()
    upstream.data.rename(upstream.data.with_name("lost"))
    upstream.start()
    Sender(upstream, "https://ci.lumen.example").send(100, 10)
    later = [number for number in range(100, 110) if number % 7 in (1, 2)]
    found = search(mirror, "source:up", len(wanted + later) + 1)
    assert [int(event["id"]) for event in found if event["kind"] != "incident.detected"] == wanted + later
    assert ["may have missed events" in event["summary"] for event in found].count(True) == 1
