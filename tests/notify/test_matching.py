"""Many rules at once: the answer of each alone, at a cost that does not grow with rules that cannot fit."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firehose.event import Event, Recorded, encode
from firehose.notify.matching import Matcher, anchored
from firehose.query.match import predicate
from firehose.query.parse import parse

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TERMS = (
    "kind:change.merged", "kind:change.*", "kind:*.merged", "project:openstack/*", "project:openstack/nova",
    "actor:ada", "source:gerrit", 'source:"https://review.example"', "outcome:failure", "nova", "-actor:ada",
    "refs:story/7", "subject:nova~1",
)  # fmt: skip


def event(**more: object) -> Recorded:
    given = {"id": "1", "source": "https://review.example", "type": "t", "kind": "change.merged", "subject": "nova~1",
             "time": NOW, "project": "openstack/nova", "actor": "ada", **more}  # fmt: skip
    return Recorded(1, NOW, encode("gerrit", Event(**given)))  # type: ignore[arg-type]


queries = st.recursive(
    st.sampled_from(TERMS),
    lambda inner: st.builds("({}{}{})".format, inner, st.sampled_from((" ", " OR ", " -")), inner).map(
        lambda text: text.replace("--", "-")
    ),
    max_leaves=5,
)


@given(
    st.lists(queries, max_size=6), st.sampled_from(("ada", "ben", "")), st.sampled_from(("openstack/nova", "x", "")),
    st.sampled_from(("change.merged", "change.created", "odd")), st.sampled_from(("failure", "")),
)  # fmt: skip
def test_it_finds_what_each_query_alone_finds(asked: list[str], actor: str, project: str, kind: str, out: str) -> None:
    found = event(actor=actor, project=project, kind=kind, outcome=out)
    nodes = [(parse(text, NOW), number) for number, text in enumerate(asked)]
    wanted = {number for node, number in nodes if predicate(node)(found)}
    assert set(Matcher(nodes).match(found)) == wanted


@pytest.mark.parametrize(("text", "field", "values"), [
    ("kind:change.merged project:openstack/nova", "project", {"openstack/nova"}),
    ("kind:change.*", "kind.", {"change"}),
    ("(actor:ada OR actor:ben) nova", "actor", {"ada", "ben"}),
    ("source:gerrit outcome:failure", "outcome", {"failure"}),
])  # fmt: skip
def test_it_is_looked_up_by_what_tells_most(text: str, field: str, values: set[str]) -> None:
    assert anchored(parse(text, NOW)) == (field, frozenset(values))


@pytest.mark.parametrize("text", ["", "nova", "-actor:ada", "actor:ada OR kind:x", "kind:*.merged", "project:*"])
def test_what_can_match_anywhere_has_no_anchor(text: str) -> None:
    assert anchored(parse(text, NOW)) is None


def test_equal_queries_are_asked_once_and_meant_by_all() -> None:
    node = parse("nova", NOW)
    assert sorted(Matcher([(node, 1), (parse("nova", NOW), 2)]).match(event())) == [1, 2]
