"""Another hub's lines, by samples and by the odd cases; where the cursor is after each."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firehose import source
from firehose.errors import Refused, UnknownKind
from firehose.event import Event

SAMPLES = Path(__file__).parent / "samples"
HUB = source.load("firehose")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def verdict(body: Any) -> source.Verdict:
    delivery = source.Delivery(source="up", body=json.dumps(body).encode(), received=NOW)
    return HUB.read(delivery, HUB.settings(kind="firehose"))


def read(body: Any) -> Event:
    found = verdict(body)
    assert not isinstance(found, source.Ignored)
    (event,) = found
    return event


def test_an_event_stays_what_it_is() -> None:
    theirs = sample("event__change-merged")
    event = read(theirs)
    for name in ("id", "source", "type", "kind", "subject", "project", "actor", "summary", "link", "outcome"):
        assert getattr(event, name) == theirs[name]
    assert event.refs == ("lumen/atlas~4711", "commit/3f1d6c0e")
    assert json.loads(event.data) == theirs["data"]
    assert event.time == datetime(2025, 10, 9, 9, 20, tzinfo=UTC)


def test_a_payload_may_be_text_or_bytes_or_nothing() -> None:
    assert read(sample("event__text")).data == b"Hello,\nworld"
    assert read(sample("event__binary")).data == b"\x00\x01\x02"
    without = sample("event__change-merged")
    del without["data"]
    assert read(without).data == b"null"
    with pytest.raises(Refused, match="no base64"):
        read(sample("event__binary") | {"data_base64": "*"})


def test_words_of_a_later_hub_do_no_harm() -> None:
    event = read(sample("event__words-of-a-later-hub"))
    assert (event.kind, event.outcome, event.severity) == ("environment.resized.twice", "", "info")
    with pytest.raises(UnknownKind):
        read(sample("event__change-merged") | {"kind": "No Kind"})
    with pytest.raises(UnknownKind):
        read(sample("event__change-merged") | {"specversion": "2.0"})


@pytest.mark.parametrize("name", ["id", "source", "type", "subject", "kind"])
def test_an_event_without_identity_is_refused(name: str) -> None:
    body = sample("event__change-merged")
    del body[name]
    with pytest.raises(Refused) as refusal:
        read(body)
    assert refusal.value.field == name


@pytest.mark.parametrize(
    ("body", "cursor", "after"),
    [
        ({"specversion": "1.0", "sequence": "00000000000000000012"}, "7", source.Step("00000000000000000012")),
        ({"event": "heartbeat", "cursor": "00000000000000000020", "head": "00000000000000000020"}, "12",
         source.Step("00000000000000000020", fresh=False)),
        ({"event": "info", "cursor": "00000000000000000005", "head": "00000000000000000009"}, "",
         source.Step("00000000000000000005", fresh=False)),
    ],
    ids=["an event", "a heartbeat", "the first words"],
)  # fmt: skip
def test_the_cursor_after_a_line(body: Any, cursor: str, after: source.Step) -> None:
    assert HUB.step is not None
    assert HUB.step(json.dumps(body).encode(), cursor) == after


def test_what_is_asked_for() -> None:
    assert HUB.holds is not None
    settings = HUB.settings(
        kind="firehose", url="https://hub.example/", topics=("events/+/change/#", "events/zuul/#"),
        query="project:lumen/*", since="7d", secret_env="TOKEN",
    )  # fmt: skip
    hold = HUB.holds(settings)
    assert isinstance(hold, source.JsonLines)
    first, again = hold.request(""), hold.request("12")
    path = "https://hub.example/v1/stream/events/+/change/%23,events/zuul/%23"
    assert first.url == f"{path}?since=7d&q=project%3Alumen%2F%2A"
    assert again.url == f"{path}?cursor=12&q=project%3Alumen%2F%2A"
    assert first.headers["Authorization"] == "Bearer {secret}"
    assert hold.restart(b'{"status": 410, "floor": "00000000000000000100"}') == "00000000000000000100"
    assert hold.restart(b'{"type": "https://hub.example/problems/future-cursor"}') == hold.origin
    assert hold.restart(b'{"type": "about:blank"}') == ""


@pytest.mark.parametrize("about", ["lumen/atlas#12", "lumen/c%2B%2B!3", "~mira/atlas/%2Bmerge/1", "a*b>c"])
def test_a_subject_is_the_same_thing_on_every_hub(about: str) -> None:
    event = read(sample("event__change-merged") | {"subject": about, "refs": f"{about} commit/1"})
    assert (event.subject, event.refs) == (about, (about, "commit/1"))
