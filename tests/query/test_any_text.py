"""Any text at all: a tree or an error with a place; and a tree written out reads as the same tree."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from firehose.errors import Refused
from firehose.event import Recorded
from firehose.query.match import predicate
from firehose.query.parse import MAX_PIECES, parse
from firehose.query.scan import scan
from firehose.query.tree import FIELDS, Node, walk
from firehose.query.write import write

NOW = datetime(2016, 10, 27, 14, 32, 7, tzinfo=UTC)
PIECES = [
    *(f"{field}:" for field in (*FIELDS, "data.x.y", "since", "until", "seq")),
    *'()"\\*?[]{}<>-+!:~^/#&|$%@ \t\n',
    *("AND", "OR", "NOT", "TO", "&&", "||", ">=", "<=", "[a TO b]", "{1 TO *}", '"a b"', "7d", "2016-10-25", "42"),
    *("nova", "openstack/*", "change.merged", "https://x/?a=(b)", "föhn", "💧", "İ", "ß", "events/+/#", "warning"),
]
QUERIES = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=30).map("".join)
SPACED = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=30).map(" ".join)
ANY = st.text(st.characters(), max_size=200) | QUERIES | SPACED


def tree(text: str) -> Node | None:
    try:
        return parse(text, NOW)
    except Refused as refused:
        position, length = refused.extra["position"], refused.extra["length"]
        assert isinstance(position, int)
        assert isinstance(length, int)
        assert 0 <= position <= len(text)
        assert length >= 0
        return None


@given(ANY)
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example("\\")
@example("a\\")
@example('"\\')
@example("kind:(\\")
@example("time:[")
@example("subject:)")
@example("(subject:))")
@example("\x1f\x85 ")
def test_any_text_is_a_tree_or_an_error_with_a_place(recorded: Callable[..., Recorded], text: str) -> None:
    node = tree(text)
    if node is not None:
        assert sum(1 for _ in walk(node)) <= 2 * MAX_PIECES + 1
        assert predicate(node)(recorded()) in (True, False)


@given(ANY)
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example('topic:"a b"')
@example('project:"a\\"b"')
@example("subject:a\\*")
@example("data.x:a\\?*")
@example("-refs:*")
@example("refs:*) b OR c")
@example('kind:"OR"')
@example("since:latest -until:earliest")
@example("actor:(a -b)")
@example("data.x:[\"a]\" TO '*']")
def test_a_tree_written_out_reads_the_same(text: str) -> None:
    node = tree(text)
    if node is not None:
        assert parse(write(node), NOW) == node


@given(ANY)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_tokens_cover_all_but_the_space(text: str) -> None:
    at = 0
    for token in scan(text):
        assert not text[at : token.start].strip()
        assert token.text == text[token.start : token.stop]
        assert token.text
        at = token.stop
    assert not text[at:].strip()


@given(st.integers(1, 150))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_work_grows_with_the_text_not_faster(count: int) -> None:
    # Steps, not seconds: every part of the text becomes one node, whatever its neighbours.
    node = parse(" OR ".join(["(kind:a* -b)"] * min(count, 50)), NOW)
    assert sum(1 for _ in walk(node)) == 4 * min(count, 50) + (1 if count > 1 else 0)
