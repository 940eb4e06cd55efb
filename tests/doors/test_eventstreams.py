"""EventStreams' addresses as streams of ours, and its frames."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from firehose.doors.eventstreams import frame, line, read
from firehose.errors import Refused
from firehose.event import Event, Recorded, encode
from firehose.query.params import Place, Request
from firehose.query.tree import All, Either, Everything, Is, Node

NOW = datetime(2016, 10, 27, 14, 0, tzinfo=UTC)
SOURCES = ("gerrit", "zuul", "review.example.org")


def ask(names: str = "all", since: str | None = None, last: str = "") -> Request:
    return read(names, [] if since is None else [("since", since)], last, NOW, SOURCES)


def recorded(data: bytes = b'{"a":1}') -> Recorded:
    event = Event(
        id="d-1",
        source="https://review.opendev.org",
        type="com.gerritcodereview.change-merged",
        kind="change.merged",
        subject="openstack/nova~1",
        time=NOW,
        link="https://review.opendev.org/1",
        data=data,
    )
    return Recorded(7, NOW, encode("gerrit", event))


@pytest.mark.parametrize(
    ("names", "node"),
    [
        ("all", Everything()),
        ("gerrit", Is("source", "gerrit")),
        ("change.merged", Is("kind", "change.merged")),
        ("gerrit.change.merged", All((Is("source", "gerrit"), Is("kind", "change.merged")))),
        ("review.example.org", Is("source", "review.example.org")),
        ("gerrit,zuul", Either((Is("source", "gerrit"), Is("source", "zuul")))),
    ],
)
def test_names(names: str, node: Node) -> None:
    assert ask(names).node == node


@pytest.mark.parametrize(
    ("since", "place"),
    [
        (None, Place(latest=True)),
        ("", Place(latest=True)),
        ("1477573200000", Place(moment=datetime(2016, 10, 27, 13, tzinfo=UTC))),
        ("0", Place(sequence=1)),
        ("2016-10-27T13:00:00Z", Place(moment=datetime(2016, 10, 27, 13, tzinfo=UTC))),
        ("2016-10-27", Place(moment=datetime(2016, 10, 27, tzinfo=UTC))),
    ],
)
def test_since(since: str | None, place: Place) -> None:
    request = ask(since=since)
    assert (request.since, request.cursor, request.descending) == (place, None, False)


@pytest.mark.parametrize(
    ("last", "cursor", "place"),
    [
        ("00000000000000000042", 42, None),
        ('[{"topic":"events","partition":0,"offset":42,"timestamp":1477573200000}]', 42, None),
        ('[{"topic":"a","partition":0,"offset":41},{"topic":"b","partition":1,"offset":42}]', 42, None),
        (
            '[{"topic":"events","partition":0,"timestamp":1477573200000}]',
            None,
            Place(moment=datetime(2016, 10, 27, 13, tzinfo=UTC)),
        ),
        ('[{"topic":"events","partition":0,"offset":-1,"timestamp":1477573200000}]', None, Place(
            moment=datetime(2016, 10, 27, 13, tzinfo=UTC))),
    ],
)  # fmt: skip
def test_last_event_id_wins(last: str, cursor: int | None, place: Place | None) -> None:
    request = ask(since="2016-01-01", last=last)
    assert (request.cursor, request.since) == (cursor, place)


@pytest.mark.parametrize(
    ("names", "pairs", "last", "status", "field"),
    [
        ("gerit", [], "", 404, "streams"),
        ("", [], "", 400, "streams"),
        (",".join(["gerrit"] * 60), [], "", 400, "streams"),
        ("all", [("sinse", "1")], "", 400, "sinse"),
        ("all", [("since", "soon")], "", 400, "since"),
        ("all", [], "[{}]", 400, "Last-Event-ID"),
        ("all", [], "[", 400, "Last-Event-ID"),
        ("all", [], "abc", 400, "Last-Event-ID"),
    ],
)
def test_errors(names: str, pairs: list[tuple[str, str]], last: str, status: int, field: str) -> None:
    with pytest.raises(Refused) as caught:
        read(names, pairs, last, NOW, SOURCES)
    assert (caught.value.status, caught.value.field) == (status, field)


def test_a_frame_resumes_itself() -> None:
    event, id_, data, *rest = frame(recorded()).decode().split("\n")
    assert event == "event: message"
    assert rest == ["", ""]
    assert ask(last=id_.removeprefix("id: ")).cursor == 7
    assert json.loads(data.removeprefix("data: "))["kind"] == "change.merged"


def test_line_breaks_of_a_payload_do_not_break_a_frame() -> None:
    assert frame(recorded(b'{\r\n "a":\n1}')).count(b"\n") == 4


def test_a_line_is_the_event_with_meta() -> None:
    found: dict[str, Any] = json.loads(line(recorded()))
    meta = found.pop("meta")
    assert found == json.loads(recorded().json)
    assert meta["stream"] == "gerrit.change.merged"
    assert (meta["domain"], meta["offset"], meta["uri"]) == ("review.opendev.org", 7, "https://review.opendev.org/1")
