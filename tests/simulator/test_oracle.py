"""The oracle must see what is wrong: each test breaks a history in one way and looks for the finding."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

import pytest

from firehose.simulator import native
from firehose.simulator.lives import populate
from firehose.simulator.oracle import Oracle, digest, marks_of
from firehose.simulator.world import World

Events = list[dict[str, Any]]


def recorded(count: int = 400) -> tuple[Oracle, Events]:
    """A run in which a faultless hub kept everything; how events look is written down here by hand."""
    oracle, events = Oracle(), Events()
    world = World(5, 1_795_000_000.0, tempo=30)
    populate(world)
    for happening in islice(world.happenings(), count):
        found = native.render(happening)
        if found is None:
            continue
        service, _, body = found
        oracle.promised(oracle.sent(service, body))
        message = json.loads(body)
        if not marks_of(service, message):
            continue
        for event in kept(service, message):
            events.append({"sequence": f"{len(events) + 1:020d}", "id": f"{service}{len(events)}", **event})
    return oracle, events


def kept(service: str, message: dict[str, Any]) -> Events:
    common = {"source": f"https://{service}", "topic": f"events/{service}/x/y", "kind": "x.y", "type": "x"}
    if service == "nodes":
        return [common | {"subject": message["data"]["node"], "data": message["data"]}]
    if service != "zuul":
        number = message.get("change", {}).get("number", digest(message))
        return [common | {"subject": str(number), "data": json.loads(json.dumps(message).replace("@lumen", "@x"))}]
    buildset, found = message["buildset"], Events()
    for place in ("retry_builds", "builds"):
        for build in buildset[place]:
            alone = {**message, "buildset": {**buildset, "builds": [], "retry_builds": [], place: [build]}}
            for step in ("build-start", "build-end") if build.get("uuid") else ():
                event = {"type": f"org.zuul-ci.{step}", "kind": f"taskrun.{step}", "subject": f"build/{build['uuid']}"}
                found.append(common | event | {"data": alone})
    event = {"type": f"org.zuul-ci.{message['action']}", "subject": f"buildset/{buildset['uuid']}"}
    return [*found, common | event | {"data": message}]


def test_a_faultless_history_is_clean() -> None:
    oracle, events = recorded()
    findings = oracle.judge(events)
    assert findings.clean, str(findings)
    assert findings.recorded == findings.promised > 400
    assert findings.strangers == 0


@pytest.mark.parametrize("place", [0, 150, -1])
def test_a_lost_event_is_found(place: int) -> None:
    oracle, events = recorded()
    del events[place]
    findings = oracle.judge(events)
    assert len(findings.lost) == 1
    assert len(oracle.missing(events)) == 1
    assert not findings.clean


def test_an_event_that_was_never_promised_may_be_missing() -> None:
    oracle, events = recorded()
    oracle.sent("gerrit", json.dumps({"type": "comment-added", "comment": "not acknowledged"}).encode())
    assert oracle.judge(events).clean


def test_a_doubled_event_is_found_under_its_own_and_under_a_new_id() -> None:
    oracle, events = recorded()
    again = events[100] | {"sequence": f"{len(events) + 1:020d}"}
    assert len(oracle.judge([*events[:101], again, *events[101:]]).doubled) >= 1
    renamed = again | {"id": "another"}
    assert len(oracle.judge([*events[:101], renamed, *events[101:]]).doubled) == 1


def test_two_events_of_one_thing_in_the_wrong_order_are_found() -> None:
    oracle, events = recorded()
    things = [event["subject"] for event in events]
    thing = next(subject for subject in things if things.count(subject) > 1)
    first, second = [index for index, subject in enumerate(things) if subject == thing][:2]
    events[first], events[second] = events[second], events[first]
    assert len(oracle.judge(events).disordered) == 1


def test_redaction_does_not_hide_an_event_and_other_changes_do() -> None:
    message = {"a": 1, "email": "x@example.org", "text": "hello"}
    assert digest(message) == digest(message | {"email": "gone"})
    assert digest(message) != digest(message | {"text": "hello!"})
