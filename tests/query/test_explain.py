"""Queries in plain words, and the spans and candidates of the query box."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firehose.errors import Refused
from firehose.query.complete import Candidate, complete
from firehose.query.explain import explain, plain
from firehose.query.ink import ink
from firehose.query.parse import parse
from firehose.query.tree import FIELDS

NOW = datetime(2016, 10, 27, 14, 32, 7, tzinfo=UTC)

SENTENCES = {
    "": "Every public event.",
    '"live migration" project:openstack/* -actor:proposal-bot since:7d': (
        "Events that say live migration, in projects below openstack/, not by proposal-bot, of the last 7 days."
    ),
    "-actor:proposal-bot -kind:taskrun.started": (
        "Every public event, not by proposal-bot, not of kind taskrun.started."
    ),
    "kind:(change.merged OR change.created) outcome:failure": (
        "Events of kind change.merged or change.created, with outcome failure."
    ),
    "project:openstack/nova data.pipeline:gate": "Events in openstack/nova, whose pipeline is gate.",
    "(actor:a kind:b) OR actor:c": "Events either by a and of kind b, or by c.",
    "a b": "Events that say a and b.",
    "a OR b": "Events that say a or b.",
    "migr*": "Events that say a word that begins with migr.",
    "-migration": "Every public event, that do not say migration.",
    "severity:>=warning": "Events of severity warning or worse.",
    "time:[2016-10-25 TO 2016-10-28]": "Events from 25 October 2016 to 28 October 2016.",
    "time:2016-10-25": "Events on 25 October 2016.",
    "since:2016-10-20 until:2016-10-28": "Events from 20 October 2016 to 27 October 2016.",
    "since:1h": "Events of the last hour.",
    "until:2h": "Events older than 2 hours.",
    "time:>=2016-10-25T10:00:00Z": "Events since 25 October 2016, 10:00 UTC.",
    'actor:""': "Events by nobody named.",
    "actor:*": "Events by anybody named.",
    "data.change.branch:stable/* data.y:*": "Events whose change.branch is like stable/*, that have y.",
    "data.n:[1 TO 5]": "Events whose n is at least 1 and at most 5.",
    "seq:[5 TO *]": "Events from cursor 5.",
    "topic:events/#": "Events on the topic events/#.",
    "refs:story/1": "Events tied to story/1.",
    "until:earliest": "No event.",
}


@pytest.mark.parametrize(("text", "sentence"), SENTENCES.items(), ids=[text or "nothing" for text in SENTENCES])
def test_sentences(text: str, sentence: str) -> None:
    assert plain(explain(parse(text, NOW), NOW)) == sentence


def test_fields_of_other_rooms_have_words() -> None:
    node = parse("status:(open OR new) team:a*", NOW, fields=("status", "team"))
    assert plain(explain(node, NOW)) == "Events with status open or new, with team like a*."


def test_what_the_reader_chose_is_strong() -> None:
    segments = explain(parse('"live migration" -actor:zuul', NOW), NOW)
    assert [segment.text for segment in segments if segment.strong] == ["live migration", "zuul"]


def roles(text: str) -> list[tuple[str, str]]:
    return [(span.text, span.role + "!" * span.wrong) for span in ink(text) if span.role != "space"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-actor:zuul", [("-", "neg"), ("actor:", "field"), ("zuul", "value")]),
        ('"a b" OR c', [('"a b"', "quote"), ("OR", "operator"), ("c", "word")]),
        ("projcet:x", [("projcet:", "field!"), ("x", "value")]),
        ("kind:(a", [("kind:", "field"), ("(", "paren"), ("a", "value")]),
        ("a)", [("a", "word"), (")", "word!")]),
        ('"open', [('"open', "quote!")]),
        (
            "time:[a TO *]",
            [("time:", "field"), ("[", "paren"), ("a", "value"), ("TO", "operator"), ("*", "value"), ("]", "paren")],
        ),
        ("seq:>=5", [("seq:", "field"), (">=", "operator"), ("5", "value")]),
    ],
)
def test_ink(text: str, expected: list[tuple[str, str]]) -> None:
    assert roles(text) == expected


def test_ink_marks_the_place_of_an_error() -> None:
    spans = ink("seq:abc x", position=4, length=3)
    assert [span.text for span in spans if span.wrong] == ["abc"]


@given(st.text(max_size=80), st.integers(0, 90), st.integers(0, 10))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_ink_is_the_text(text: str, position: int, length: int) -> None:
    assert "".join(span.text for span in ink(text, position=position, length=length)) == text


KNOWN = {
    "project": [("openstack/nova", 31), ("openstack/proliant-utils", 12), ("a b", 1)],
    "actor": [("proposal-bot", 2031), ("zuul", 99)],
    "kind": [("change.merged", 7), ("change.created", 5)],
    "source": [("gerrit", 50), ("zuul", 40)],
}


def lookup(field: str, part: str) -> list[tuple[str, int]]:
    return [(value, count) for value, count in KNOWN.get(field, []) if part.lower() in value.lower()]


def candidates(marked: str) -> list[Candidate]:
    return complete(marked.replace("|", ""), marked.index("|"), lookup)


@pytest.mark.parametrize(
    ("marked", "first"),
    [
        ("pro|", ["project:", "project:openstack/proliant-utils", "actor:proposal-bot"]),
        ("source:gerrit pro|", ["project:", "project:openstack/proliant-utils", "actor:proposal-bot"]),
        ("-act|", ["actor:"]),
        ("source:|", ["gerrit", "zuul"]),
        ("kind:change.m|", ["change.merged"]),
        ("kind:(change.merged OR |", ["change.merged", "change.created"]),
        ("kind:(change.merged OR change.c|", ["change.created"]),
        ("project:a|", ["openstack/nova", "openstack/proliant-utils", '"a b"']),
        ("severity:>=w|", ["warning"]),
        ("outcome:f|", ["failure"]),
        ("since:|", ["1h", "24h", "7d", "30d"]),
        ('"pro|', []),
        ("subject:x|", []),
        ("kind:change.merged |", ["source:", "kind:"]),
        ("|", ["source:", "kind:"]),
        ("da|", ["data."]),
    ],
)
def test_candidates(marked: str, first: list[str]) -> None:
    found = [candidate.insert for candidate in candidates(marked)]
    assert found[: len(first)] == first
    assert first or not found


def test_a_candidate_replaces_what_was_typed() -> None:
    text = "source:gerrit pro"
    (first, *_) = complete(text, len(text), lookup)
    assert text[: first.start] + first.insert + text[first.stop :] == "source:gerrit project:"
    assert first.insert[slice(*first.match)] == "pro"


@given(st.text(st.sampled_from('ab:()"-OR kind:[]<>*'), max_size=40), st.integers(-1, 45))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_candidates_of_any_text_fit_into_it(text: str, caret: int) -> None:
    for candidate in complete(text, caret, lookup):
        assert 0 <= candidate.start <= candidate.stop <= len(text)


@given(
    st.text(max_size=40) | st.lists(st.sampled_from([f"{f}:a*" for f in FIELDS] + ["-", "(", ")", " "])).map("".join)
)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_tree_has_a_sentence(text: str) -> None:
    try:
        node = parse(text, NOW)
    except Refused:
        return
    sentence = plain(explain(node, NOW))
    assert sentence.startswith(("Events ", "Every public event", "No event"))
    assert sentence.endswith(".")
