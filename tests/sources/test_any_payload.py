"""Whatever arrives at a source, it gives events, ignores, or says what is wrong: it never stumbles.

Generic over all installed source kinds: the samples in each folder are mutated (cut off, keys dropped, types changed,
nested deep, strange text, huge numbers, lone surrogates) and read. A new source is covered by having samples.
"""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firehose import source
from firehose.errors import Refused, UnknownKind
from firehose.event import Event, encode
from firehose.ops.explain import Payload, payloads
from firehose.source import Delivery, Ignored, SourceKind

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SOURCES = Path(source.__file__).parent / "sources"
WORDS = source.kinds()
STRANGE: list[Any] = [
    None, True, False, 0, -1, 2**31, 2**63, -(2**63) - 1, 10**400, 1e308, 0.5, "", " ", "x", "\x00", "\u202e", "💥" * 9,
    "a b", "#+*>/%", "refs/heads/", "0" * 40, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999-14:00", "2026-02-30",
    "javascript:alert(1)", "https://[", "https://x/\u2028", "x" * 5_000, "1_0", "nan", "٣", [], {}, [[]], [{}], {"": 0},
]  # fmt: skip


def folder_of(word: str) -> Path:
    """The folder that serves a word: its own, or the one that says `also`."""
    names = [name for name in source.folders() if word == name or word in source.load(name).also]
    return SOURCES / names[0]


@cache
def samples(word: str) -> list[Payload]:
    files = sorted((folder_of(word) / "samples").glob("*.json"))
    return [payload for file in files for payload in payloads(file.read_bytes(), file=file.name)]


def deep(value: Any, levels: int) -> Any:
    for level in range(levels):
        value = [value] if level % 2 else {"deeper": value}
    return value


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in a payload something can be changed."""
    items = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [place for key, inner in items for place in ((*path, key), *places(inner, (*path, key)))]


def put(value: Any, place: tuple[Any, ...], new: Any, *, drop: bool = False) -> None:
    for key in place[:-1]:
        value = value[key]
    if drop:
        del value[place[-1]]
    else:
        value[place[-1]] = new


@st.composite
def torn(draw: st.DrawFn, body: bytes) -> bytes:
    """A text (a mail) with lines dropped, doubled, moved or made strange."""
    lines = body.split(b"\n")
    for _ in range(draw(st.integers(1, 5))):
        place = draw(st.integers(0, len(lines) - 1))
        strange = [b"", lines[place] * 3, b"\xff\xfe\x00", lines[place][: len(lines[place]) // 2], b"=?utf-8?q?=ZZ?="]
        new = (
            draw(st.sampled_from(strange))
            if draw(st.booleans())
            else draw(st.text(max_size=40)).encode("utf-8", "replace")
        )
        lines[place : place + draw(st.integers(0, 2))] = [new]
        lines = lines or [b""]
    return b"\n".join(lines)


@st.composite
def mutated(draw: st.DrawFn, word: str) -> Payload:
    """A sample with one to four changes."""
    sample = draw(st.sampled_from(samples(word)))
    try:
        value = json.loads(sample.body)
    except ValueError:
        return Payload(body=draw(torn(sample.body)), headers=sample.headers, topic=sample.topic)
    for _ in range(draw(st.integers(1, 4))):
        found = places(value)
        if not found:
            break
        place = draw(st.sampled_from(found))
        strange = st.one_of(
            st.sampled_from(STRANGE),
            st.text(max_size=30),
            st.integers(),
            st.builds(deep, st.just("x"), st.integers(1, 200)),
        )
        # A copy: a later change may go into a list that was put in, and the examples must stay what they are.
        put(value, place, deepcopy(draw(strange)), drop=draw(st.booleans()) and draw(st.booleans()))
    body = json.dumps(value, ensure_ascii=draw(st.booleans()))
    return Payload(body=body.encode("utf-8", "surrogatepass"), headers=sample.headers, topic=sample.topic)


@st.composite
def broken(draw: st.DrawFn, word: str) -> Payload:
    """A sample whose bytes are cut off or changed, or with the headers of another one."""
    sample, other = draw(st.sampled_from(samples(word))), draw(st.sampled_from(samples(word)))
    body = bytearray(sample.body)
    match draw(st.sampled_from(["cut", "byte", "surrogate", "headers", "no headers"])):
        case "cut":
            del body[draw(st.integers(0, len(body))) :]
        case "byte":
            body[draw(st.integers(0, len(body) - 1))] = draw(st.integers(0, 255))
        case "surrogate":
            body = bytearray(sample.body.replace(b': "', b': "\\ud800', 3))
        case "headers":
            return Payload(body=sample.body, headers=other.headers, topic=other.topic)
        case "no headers":
            return Payload(body=sample.body)
    return Payload(body=bytes(body), headers=sample.headers, topic=sample.topic)


def check(word: str, payload: Payload) -> None:
    kind: SourceKind = source.load(word)
    delivery = Delivery(
        source="tested",
        body=payload.body,
        received=NOW,
        headers=payload.headers,
        topic=payload.topic,
        channel="webhook",
    )
    for own in (kind.settings(kind=word), kind.settings(kind=word, audience="security")):
        try:
            verdict = kind.read(delivery, own)
        except (Refused, UnknownKind):
            continue
        if isinstance(verdict, Ignored):
            assert verdict.kind in kind.ignored
            continue
        for event in verdict:
            fits(event)
    if kind.native_kind is not None:
        assert isinstance(kind.native_kind(delivery), str)


def fits(event: Event) -> None:
    assert encode("tested", event)
    assert event.id
    assert event.source
    assert event.subject
    assert "." in event.kind
    assert not any(character.isspace() for ref in event.refs for character in ref), event.refs
    assert event.link == "" or event.link.startswith(("https://", "http://"))


def test_every_source_has_samples() -> None:
    assert WORDS
    assert [word for word in WORDS if not samples(word)] == []


@pytest.mark.parametrize("word", WORDS)
def test_the_samples_themselves(word: str) -> None:
    for payload in samples(word):
        check(word, payload)


@pytest.mark.parametrize("word", WORDS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_a_changed_payload(word: str, data: st.DataObject) -> None:
    check(word, data.draw(mutated(word)))


@pytest.mark.parametrize("word", WORDS)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_broken_bytes_and_foreign_headers(word: str, data: st.DataObject) -> None:
    check(word, data.draw(broken(word)))


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b'"x"', b"1", b"{" * 3_000, b"[" * 500_000, b'{"a":' * 70 + b"1" + b"}" * 70,
     b"\xff\xfe\x00", b'{"type": "\\ud800"}', b'{"a": 1e999}', b"1" * 5_000, b"\xef\xbb\xbf{}", b"{}\x00"],
    ids=lambda body: repr(body[:12]),
)  # fmt: skip
def test_bodies_that_are_nothing(word: str, body: bytes) -> None:
    headers = [payload.headers for payload in samples(word)[:1]] or [{}]
    check(word, Payload(body=body, headers=headers[0]))
    check(word, Payload(body=body))
