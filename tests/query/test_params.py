"""The common parameters: what they mean together, and errors that name the parameter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest

from firehose.errors import Refused
from firehose.query.params import Place, Request, Window, cursor, read, topics, window
from firehose.query.tree import All, Either, Everything, Filter, Is, Like, Node, Not, Text

NOW = datetime(2016, 10, 27, 14, 32, 7, tzinfo=UTC)


def ask(text: str, **more: object) -> Request:
    return read(parse_qsl(text, keep_blank_values=True), NOW, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("", Everything()),
        ("kind=change.merged", Is("kind", "change.merged")),
        ("kind=a&kind=b", Either((Is("kind", "a"), Is("kind", "b")))),
        ("kind=a&project=p", All((Is("kind", "a"), Is("project", "p")))),
        ("project=openstack/*", Like("project", "openstack/*")),
        ("not_actor=a&not_actor=b", Not(Either((Is("actor", "a"), Is("actor", "b"))))),
        ("kind=a&not_kind=b", All((Is("kind", "a"), Not(Is("kind", "b"))))),
        ("subject=story/1", Either((Is("subject", "story/1"), Is("refs", "story/1")))),
        ("topic=events/%2B/change/%23", Filter("events/+/change/#")),
        ("topic=events/+/change/merged/%23", Filter("events/+/change/merged/#")),
        ("not_topic=+/+", Not(Filter("+/+"))),
        ("source=https://x", Is("source", "https://x")),
        ("q=a b&kind=c", All((Is("kind", "c"), Text(("a",)), Text(("b",))))),
        ("q=a&q=b", Either((Text(("a",)), Text(("b",))))),
        ("project=&q=", Everything()),
        ("severity=error&outcome=failure", All((Is("outcome", "failure"), Is("severity", "error")))),
        ("severity=err*", Like("severity", "err*")),
        # What was kept long ago must still be read, as a rule of somebody's.
        ("q=severity:warn", Is("severity", "warn")),
        ("type=com.github.*", Like("type", "com.github.*")),
    ],
)
def test_filters_become_a_tree(text: str, node: Node) -> None:
    assert ask(text).node == node


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("2016-10-25T10:00:00Z", Place(moment=datetime(2016, 10, 25, 10, tzinfo=UTC))),
        ("2016-10-25T10:00:00%2B02:00", Place(moment=datetime(2016, 10, 25, 8, tzinfo=UTC))),
        ("2016-10-25T10:00:00+02:00", Place(moment=datetime(2016, 10, 25, 8, tzinfo=UTC))),
        ("2016-10-25", Place(moment=datetime(2016, 10, 25, tzinfo=UTC))),
        ("1477400000", Place(moment=datetime(2016, 10, 25, 12, 53, 20, tzinfo=UTC))),
        ("1477400000123", Place(moment=datetime(2016, 10, 25, 12, 53, 20, 123_000, tzinfo=UTC))),
        ("10m", Place(moment=NOW - timedelta(minutes=10))),
        ("00000000000000000123", Place(sequence=123)),
        ("seq:123", Place(sequence=123)),
        ("earliest", Place(sequence=1)),
        ("latest", Place(latest=True)),
    ],
)
@pytest.mark.parametrize("name", ["since", "until"])
def test_places_in_all_their_forms(name: str, value: str, place: Place) -> None:
    assert getattr(ask(f"{name}={value}"), name) == place


def test_order_limit_and_cursor() -> None:
    request = ask("order=asc&limit=1000&cursor=00000000000000000042")
    assert (request.descending, request.limit, request.cursor) == (False, 1000, 42)
    assert ask("").descending
    assert not ask("", descending=False).descending
    assert ask("order=desc", descending=False).descending


@pytest.mark.parametrize(
    ("text", "slug", "field", "nearest"),
    [
        ("projcet=x", "unknown-parameter", "projcet", "project"),
        ("not_aktor=x", "unknown-parameter", "not_aktor", "not_actor"),
        ("zzzzzzzz=1", "unknown-parameter", "zzzzzzzz", ""),
        ("formt=1", "unknown-parameter", "formt", "format"),
        ("limit=0", "bad-parameter", "limit", None),
        ("limit=1001", "bad-parameter", "limit", None),
        ("limit=ten", "bad-parameter", "limit", None),
        ("order=up", "bad-parameter", "order", None),
        ("cursor=x", "bad-parameter", "cursor", None),
        ("cursor=99999999999999999999", "bad-parameter", "cursor", None),
        ("since=tomorrowish", "bad-parameter", "since", None),
        ("since=2016-02-30", "bad-parameter", "since", None),
        ("since=1h&since=2h", "bad-parameter", "since", None),
        ("topic=a/%23/b", "bad-parameter", "topic", None),
        ("topic=events/a+b/%23", "bad-parameter", "topic", None),
        ("topic=events/%09/change", "bad-parameter", "topic", None),
        ("severity=warn", "bad-parameter", "severity", "warning"),
        ("not_severity=bad", "bad-parameter", "not_severity", None),
        ("outcome=failed", "bad-parameter", "outcome", "failure"),
        ("not_topic=a%23", "bad-parameter", "topic", None),
        ("q=projcet:x", "bad-query", "q", "project"),
    ],
)
def test_errors_name_the_parameter(text: str, slug: str, field: str, nearest: str | None) -> None:
    with pytest.raises(Refused) as caught:
        ask(text, also=("format",))
    error = caught.value
    assert (error.status, error.slug, error.field) == (400, slug, field)
    assert field in error.detail or slug == "bad-query"
    if nearest is not None:
        assert error.extra["nearest"] == nearest


def test_an_address_may_know_more_names() -> None:
    assert ask("as=cdevents&kind=a", also=("as",)).node == Is("kind", "a")


def test_too_many_values_are_refused() -> None:
    with pytest.raises(Refused):
        ask("&".join(f"kind={n}" for n in range(300)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Window(0, 0)),
        ("since=seq:5&until=seq:10", Window(4, 10)),
        ("since=earliest", Window(0, 0)),
        ("since=latest", Window(100, 0)),
        ("until=latest", Window(0, 101)),
        ("since=1h", Window(50, 0)),
        ("until=1h", Window(0, 51)),
        ("cursor=7", Window(0, 7)),
        ("cursor=0", Window(0, 1)),
        ("order=asc&cursor=7", Window(7, 0)),
        ("order=asc&cursor=7&since=seq:20", Window(19, 0)),
        ("cursor=7&until=seq:5", Window(0, 5)),
        ("cursor=60&since=1h", Window(50, 60)),
    ],
)
def test_windows(text: str, expected: Window) -> None:
    assert window(ask(text), 100, lambda _: 50) == expected


def test_a_window_knows_that_it_is_empty() -> None:
    assert Window(5, 6).empty
    assert not Window(5, 7).empty
    assert not Window(5, 0).empty
    assert window(ask("cursor=0"), 100, lambda _: 0).empty


def test_topic_filters_of_a_path() -> None:
    assert topics(["events/a/#", "events/b/#"]) == Either((Filter("events/a/#"), Filter("events/b/#")))
    assert topics([]) == Everything()


def test_a_cursor_needs_no_leading_zeros() -> None:
    assert cursor("42") == cursor("00000000000000000042") == 42
