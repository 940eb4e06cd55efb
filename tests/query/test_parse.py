"""The language, as a table: what is typed and what it means, or where it is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from firehose.errors import Refused
from firehose.query.parse import MAX_DEPTH, MAX_LENGTH, MAX_PIECES, parse
from firehose.query.tree import All, Between, Either, Everything, Filter, Is, Like, Node, Not, Text

NOW = datetime(2016, 10, 27, 14, 32, 7, tzinfo=UTC)
A, B, C = Text(("a",)), Text(("b",)), Text(("c",))

MEANINGS: list[tuple[str, Node]] = [
    ("", Everything()),
    ("   ", Everything()),
    ("*", Everything()),
    ("a b", All((A, B))),
    ("a AND b", All((A, B))),
    ("a && b", All((A, B))),
    ("a OR b", Either((A, B))),
    ("a || b c", Either((A, All((B, C))))),
    ("a b OR c", Either((All((A, B)), C))),
    ("a (b OR c)", All((A, Either((B, C))))),
    ("NOT a", Not(A)),
    ("-a", Not(A)),
    ("!a", Not(A)),
    ("+a -b", All((A, Not(B)))),
    ("NOT NOT a", A),
    ("--a", A),
    ("-(a OR b)", Not(Either((A, B)))),
    ("or and not", All((Text(("or",)), Text(("and",)), Text(("not",))))),
    ('"Live Migration"', Text(("live", "migration"))),
    ("proposal-bot", Text(("proposal", "bot"))),
    ("a~1", Text(("a", "1"))),
    ("migrat*", Text(("migrat",), prefix=True)),
    ("nova-*", Text(("nova",))),
    ("12:30", Text(("12", "30"))),
    ("https\\://x", Text(("https", "x"))),
    ("kind:change.merged", Is("kind", "change.merged")),
    ("kind:change.*", Like("kind", "change.*")),
    ("kind:(a OR b)", Either((Is("kind", "a"), Is("kind", "b")))),
    ("kind:(a OR (b OR c))", Either((Is("kind", "a"), Is("kind", "b"), Is("kind", "c")))),
    ("kind:(change.* AND -change.merged)", All((Like("kind", "change.*"), Not(Is("kind", "change.merged"))))),
    ("-actor:zuul", Not(Is("actor", "zuul"))),
    ('actor:"Zuul *"', Is("actor", "Zuul *")),
    ("actor:a\\*b", Is("actor", "a*b")),
    ("actor:a\\ b", Is("actor", "a b")),
    ('actor:""', Is("actor", "")),
    ("actor:*", Not(Is("actor", ""))),
    ("actor:**", Not(Is("actor", ""))),
    ("kind:*", Everything()),
    ("source:https://review.opendev.org", Is("source", "https://review.opendev.org")),
    ("project:openstack/*", Like("project", "openstack/*")),
    ("project:nov?", Like("project", "nov?")),
    ("link:https://x?a=(b)&c=d", Is("link", "https://x?a=(b)&c=d")),
    ("link:https://x/*", Like("link", "https://x/*")),
    ("link:https://x/?q=*", Like("link", "https://x/\\?q=*")),
    ("subject:openstack/nova~12345", Is("subject", "openstack/nova~12345")),
    ("subject:a\\b", Is("subject", "a\\b")),
    ("refs:story/2000643)", Is("refs", "story/2000643)")),
    ("(refs:story/1 OR refs:f(x))", Either((Is("refs", "story/1"), Is("refs", "f(x)")))),
    ('subject:"a b"', Is("subject", "a b")),
    ("summary:migration", Text(("migration",), field="summary")),
    ("summary:migr*", Text(("migr",), prefix=True, field="summary")),
    ("summary:*igrat*", Like("summary", "*igrat*")),
    ("topic:events/+/change/merged/#", Filter("events/+/change/merged/#")),
    ("topic:(+/+/change/# OR +)", Either((Filter("+/+/change/#"), Filter("+")))),
    ("topic:events/*/merged", Like("topic", "events/*/merged")),
    ("data.change.branch:stable/*", Like("data.change.branch", "stable/*")),
    ("data.number:[5 TO 10]", Between("data.number", "5", "10")),
    ("data.x:*", Like("data.x", "*")),
    ("data.Code-Review.value:>1", Between("data.Code-Review.value", "1", None, low_included=False)),
    ("severity:>=warning", Between("severity", "warning", None)),
    ("sequence:00000000000000000042", Is("sequence", "42")),
    ("seq:42", Is("sequence", "42")),
    ("sequence:{7 TO *]", Between("sequence", "7", None, low_included=False)),
    ("time:*", Everything()),
    ("since:earliest", Everything()),
    ("since:seq:42", Between("sequence", "42", None)),
    ("until:00000000000000000042", Between("sequence", None, "42", high_included=False)),
]

TIMES: list[tuple[str, str | None, str | None, bool, bool]] = [
    ("time:[2016-10-25 TO 2016-10-28]", "2016-10-25T00:00", "2016-10-29T00:00", True, False),
    ("time:{2016-10-25 TO 2016-10-28}", "2016-10-26T00:00", "2016-10-28T00:00", True, False),
    ("time:2016-10-25", "2016-10-25T00:00", "2016-10-26T00:00", True, False),
    ("time:2016-12", "2016-12-01T00:00", "2017-01-01T00:00", True, False),
    ("time:2016", "2016-01-01T00:00", "2017-01-01T00:00", True, False),
    ("time:2016-10-25T10:00:00Z", "2016-10-25T10:00", "2016-10-25T10:00:01", True, False),
    ("time:>=2016-10-25", "2016-10-25T00:00", None, True, True),
    ("time:>2016-10-25", "2016-10-26T00:00", None, True, True),
    ("time:<2016-10-25T10:00:00+02:00", None, "2016-10-25T08:00", True, False),
    ("time:<=2016-10-25", None, "2016-10-26T00:00", True, False),
    ("time:>1477400000", "2016-10-25T12:53:20", None, False, True),
    ("time:>=1477400000123", "2016-10-25T12:53:20.123", None, True, True),
    ("time:[* TO 10m]", None, "2016-10-27T14:22:07", True, True),
    ('time:["2016-10-25 10:00:00" TO now]', "2016-10-25T10:00", "2016-10-27T14:32:07", True, True),
    ("since:7d", "2016-10-20T14:32:07", None, True, True),
    ("since:1h30m", "2016-10-27T13:02:07", None, True, True),
    ("since:yesterday", "2016-10-26T00:00", None, True, True),
    ("until:2016-10-28", None, "2016-10-28T00:00", True, False),
]

ERRORS: list[tuple[str, int, str, str]] = [
    ("source:zuul projcet:openstack/nova", 12, "project", "there is no field 'projcet'"),
    ("(sorce:x)", 1, "source", "there is no field"),
    ("https://x", 0, "", "there is no field"),
    ("data.:x", 0, "", "there is no field"),
    ("(a", 2, "", "the '(' at character 1 is never closed"),
    ("a OR", 4, "", "something to look for must follow"),
    ("a OR ", 5, "", "something to look for must follow"),
    ("(a OR", 5, "", "something to look for must follow"),
    ("NOT", 3, "", "something to look for must follow"),
    ("a )", 2, "", "closes nothing"),
    ("a AND OR b", 6, "", "'OR' cannot stand here"),
    ("()", 1, "", "')' cannot stand here"),
    ("kind:", 5, "", "a value must follow 'kind:' directly"),
    ("kind: x", 5, "", "a value must follow 'kind:' directly"),
    ("(kind:)", 6, "", "a value must follow"),
    ("kind:(a OR", 10, "", "something to look for must follow"),
    ("sequence:>=", 11, "", "a value must follow '>='"),
    ('a "b', 2, "", "this quote is never closed"),
    ("time:[2016", 5, "", "a range reads"),
    ("time:[a TO b]", 5, "", "'a' is not an RFC 3339 time"),
    ("time:2016-02-30", 5, "", "is not an RFC 3339 time"),
    ("time:>=99999999999w", 5, "", "is not an RFC 3339 time"),
    ("project:[a TO b]", 8, "", "project has no order"),
    ("severity:>=warnin", 9, "warning", "is not a severity"),
    ("seq:x", 4, "", "is not a sequence"),
    ("topic:a/#/b", 6, "", "'#' must be the whole last level"),
    ("f?o", 0, "", "'*' stands only at the end"),
    ("*foo", 0, "", "'*' stands only at the end"),
    ("a - b", 2, "", "no letter or digit"),
    ('a "..."', 2, "", "no letter or digit"),
]


@pytest.mark.parametrize(("text", "node"), MEANINGS, ids=[text or "nothing" for text, _ in MEANINGS])
def test_text_means(text: str, node: Node) -> None:
    assert parse(text, NOW) == node


@pytest.mark.parametrize(("text", "low", "high", "low_in", "high_in"), TIMES, ids=[row[0] for row in TIMES])
def test_times_mean(text: str, low: str | None, high: str | None, low_in: bool, high_in: bool) -> None:
    node = parse(text, NOW)
    assert isinstance(node, Between)
    assert (node.low_included, node.high_included) == (low_in, high_in)
    for bound, expected in ((node.low, low), (node.high, high)):
        assert (bound is None) == (expected is None)
        if bound and expected:
            assert datetime.fromisoformat(bound) == datetime.fromisoformat(expected).replace(tzinfo=UTC)
            assert len(bound) == 27


def refusal(text: str, **more: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        parse(text, NOW, **more)
    assert (caught.value.slug, caught.value.status, caught.value.field) == ("bad-query", 400, "q")
    return caught.value


@pytest.mark.parametrize(("text", "position", "nearest", "why"), ERRORS, ids=[row[0] for row in ERRORS])
def test_errors_name_place_and_nearest(text: str, position: int, nearest: str, why: str) -> None:
    error = refusal(text)
    assert error.extra["position"] == position
    assert error.extra["nearest"] == nearest
    assert why in error.detail


def test_the_length_is_bounded() -> None:
    assert refusal("a" * (MAX_LENGTH + 1)).extra["position"] == MAX_LENGTH


def test_the_number_of_parts_is_bounded() -> None:
    assert "parts" in refusal("a " * (MAX_PIECES + 1)).detail


def test_the_nesting_is_bounded() -> None:
    assert parse("(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH, NOW) == A
    assert refusal("(" * (MAX_DEPTH + 1) + "a").extra["position"] == MAX_DEPTH


def test_many_negations_need_no_stack() -> None:
    assert parse("-" * (MAX_PIECES - 2) + "a", NOW) == A


def test_half_a_character_is_an_error_with_its_place() -> None:
    assert refusal("ab\ud800").extra["position"] == 2


def test_rooms_may_bring_their_own_fields() -> None:
    assert parse("status:open", NOW, fields=("status",)) == Is("status", "open")
    assert refusal("kind:x", fields=("status",)).extra["position"] == 0
