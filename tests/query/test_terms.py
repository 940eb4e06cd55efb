"""Terms that chips and facets add to a query and take out again: what was typed means the same with them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from firehose.errors import Refused
from firehose.query.parse import parse
from firehose.query.terms import combine
from firehose.query.tree import Everything, both

NOW = datetime(2016, 10, 27, 12, tzinfo=UTC)
OFF = "-source:gerrit"


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("", OFF),
        ("kind:change.merged", f"kind:change.merged {OFF}"),
        ("subject:a~1 OR refs:a~1", f"(subject:a~1 OR refs:a~1) {OFF}"),
        ("a b OR c", f"(a b OR c) {OFF}"),
        ("(a OR b)", f"(a OR b) {OFF}"),
        ("kind:(a.b OR c.d)", f"kind:(a.b OR c.d) {OFF}"),
        ("since:1h NOT x AND y", f"since:1h NOT x y {OFF}"),
        ('"a OR b"', f'"a OR b" {OFF}'),
        ("a || b", f"(a || b) {OFF}"),
    ],
)
def test_a_term_is_added_to_all_of_the_query(text: str, whole: str) -> None:
    assert combine(text, NOW, add=[OFF]) == whole
    assert parse(whole, NOW) == both(parse(text, NOW), parse(OFF, NOW))


@pytest.mark.parametrize("text", [OFF, "a NOT source:gerrit"])
def test_a_term_that_is_there_is_not_added_again(text: str) -> None:
    assert combine(text, NOW, add=[OFF]) == text


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        (OFF, ""),
        (f"(a OR b) {OFF} c", "(a OR b) c"),
        ("a NOT source:gerrit", "a"),
        ('a AND -source:"gerrit" b', "a b"),
        # Only beside one of the two: the term is not one of the whole query.
        (f"a OR b {OFF}", f"a OR b {OFF}"),
        ("project:x  kind:y.z", "project:x  kind:y.z"),
    ],
)
def test_a_term_is_taken_out_where_it_says_something_of_the_whole(text: str, rest: str) -> None:
    assert combine(text, NOW, drop=[OFF]) == rest


def test_what_is_added_goes_into_parentheses_too() -> None:
    assert combine("x", NOW, add=["source:a OR source:b"]) == "x (source:a OR source:b)"


def test_a_literal_value_does_not_take_the_parenthesis_for_its_own() -> None:
    text = "subject:a OR refs:b)"
    whole = combine(text, NOW, add=[OFF])
    assert parse(whole, NOW) == both(parse(text, NOW), parse(OFF, NOW))


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(Refused):
        combine("kind:(", NOW, add=[OFF])
    assert parse(combine("", NOW), NOW) == Everything()
