"""datagrepper's parameters as searches, events in its forms."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest

from firehose.doors.datagrepper import Search, answer, read
from firehose.errors import Refused
from firehose.event import Event, Recorded, encode
from firehose.query.match import predicate
from firehose.query.tree import All, Between, Either, Everything, Is, Node, Not, Text

NOW = datetime(2016, 10, 27, 14, 0, tzinfo=UTC)


def ask(text: str) -> Search:
    return read(parse_qsl(text, keep_blank_values=True), NOW)


def recorded(**changes: Any) -> Recorded:
    values: dict[str, Any] = {
        "id": "2016-abc",
        "source": "https://review.opendev.org",
        "type": "com.gerritcodereview.change-merged",
        "kind": "change.merged",
        "subject": "openstack/nova~1",
        "time": datetime(2016, 10, 27, 13, 59, 30, tzinfo=UTC),
        "project": "openstack/nova",
        "actor": "okonkwo",
        "summary": "Merged",
        "link": "https://review.opendev.org/1",
        "refs": ("story/1",),
        "data": b'{"number":1}',
    }
    return Recorded(7, NOW, encode("gerrit", Event(**(values | changes))))


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("", Everything()),
        ("category=gerrit", Is("source", "gerrit")),
        ("user=a&user=b", Either((Is("actor", "a"), Is("actor", "b")))),
        ("package=p&not_user=a", All((Not(Is("actor", "a")), Is("project", "p")))),
        ("topic=events.gerrit.change.merged", All((Is("source", "gerrit"), Is("kind", "change.merged")))),
        ("topic=gerrit.change.merged", All((Is("source", "gerrit"), Is("kind", "change.merged")))),
        ("not_topic=events.zuul", Not(Is("source", "zuul"))),
        ("contains=live migration", Text(("live", "migration"))),
        ("chrome=false&size=small&grouped=false", Everything()),
    ],
)
def test_filters(text: str, node: Node) -> None:
    assert ask(text).node == node


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("delta=3600", "13:00", "14:00"),
        ("start=1477573200", "13:00", "14:00"),
        ("start=1477573200&delta=1800", "13:00", "13:30"),
        ("end=1477573200", "12:50", "13:00"),
        ("end=1477573200&delta=1800", "12:30", "13:00"),
        ("start=1477573200&end=1477575000&delta=5", "13:00", "13:30"),
        ("start=2016-10-27T13:00:00Z&end=1477575000.0", "13:00", "13:30"),
    ],
)
def test_the_table_of_start_end_and_delta(text: str, start: str, end: str) -> None:
    node = ask(text).node
    assert node == Between("time", f"2016-10-27T{start}:00.000000Z", f"2016-10-27T{end}:00.000000Z")


def test_without_times_there_is_no_hidden_window() -> None:
    search = ask("")
    assert search.start is None
    assert search.end is None
    assert search.arguments["start"] is None


def test_pages() -> None:
    search = ask("page=3&rows_per_page=50&order=asc")
    assert (search.skip, search.rows, search.descending) == (100, 50, False)
    assert (ask("").rows, ask("").skip, ask("").descending) == (25, 0, True)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("page=0", "page"),
        ("page=401", "page"),
        ("rows_per_page=101", "rows_per_page"),
        ("order=up", "order"),
        ("start=soon", "start"),
        ("delta=-1", "delta"),
        ("delta=nan", "delta"),
        ("start=1477573200&delta=9999999999", "delta"),
        ("meta=colour", "meta"),
        ("callback=evil", "callback"),
        ("contains=...", "contains"),
        ("usre=x", "usre"),
    ],
)
def test_errors_name_the_parameter(text: str, field: str) -> None:
    if text.startswith("start") and "delta" in text:
        # Far in the future is no error, only beyond all times is.
        assert ask(text).end is not None
        return
    with pytest.raises(Refused) as caught:
        ask(text)
    assert (caught.value.status, caught.value.field) == (400, field)


def encoded(value: object) -> Any:
    return json.loads(msgspec.json.encode(value))


def test_the_raw_form() -> None:
    search = ask("category=gerrit&meta=subtitle&meta=usernames")
    found = encoded(answer(search, [recorded()], 51, fedora=False))
    assert (found["total"], found["pages"], found["count"]) == (51, 3, 1)
    assert found["arguments"]["categories"] == ["gerrit"]
    (first,) = found["raw_messages"]
    assert first["topic"] == "events.gerrit.change.merged"
    assert first["msg"] == {"number": 1}
    assert first["msg_id"] == "2016-abc"
    assert first["timestamp"] == 1477576770.0
    assert (first["users"], first["packages"]) == (["okonkwo"], ["openstack/nova"])
    assert first["meta"] == {"subtitle": "Merged", "usernames": ["okonkwo"]}


def test_the_fedora_messaging_form() -> None:
    (first,) = encoded(answer(ask(""), [recorded()], 1, fedora=True))["raw_messages"]
    assert set(first) == {"body", "headers", "id", "priority", "queue", "topic"}
    assert first["body"] == {"number": 1}
    assert datetime.fromisoformat(first["headers"]["sent-at"]).tzinfo is not None


@pytest.mark.parametrize(
    ("data", "kind", "body"),
    [
        (b"[1]", "application/json", {"data": [1]}),
        (b"hi", "text/plain", {"data": "hi"}),
        (b"\xff", "application/x", {"data_base64": "/w=="}),
    ],
)
def test_a_body_is_always_an_object(data: bytes, kind: str, body: object) -> None:
    event = recorded(data=data, datacontenttype=kind)
    assert encoded(answer(ask(""), [event], 1, fedora=True))["raw_messages"][0]["body"] == body


@pytest.mark.parametrize("text", ["category=gerrit&user=okonkwo&delta=60", "topic=events.gerrit.change.merged"])
def test_what_it_asks_for_is_found(text: str) -> None:
    assert predicate(ask(text).node)(recorded())
