"""Whatever arrives at a source, it gives events, ignores, or says what is wrong: it never stumbles.

Generic over all installed source kinds: the samples in each folder are mutated (cut off, keys dropped, types changed,
nested deep, strange text, huge numbers, lone surrogates) and read. A new source is covered by having samples.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.sources.mutations import broken, changed

from firehose import source
from firehose.errors import Refused, UnknownKind
from firehose.event import Event, encode
from firehose.ops.explain import Payload, payloads
from firehose.source import Delivery, Ignored, SourceKind

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SOURCES = Path(source.__file__).parent / "sources"
WORDS = source.kinds()


def folder_of(word: str) -> Path:
    """The folder that serves a word: its own, or the one that says `also`."""
    names = [name for name in source.folders() if word == name or word in source.load(name).also]
    return SOURCES / names[0]


@cache
def samples(word: str) -> list[Payload]:
    files = sorted((folder_of(word) / "samples").glob("*.json"))
    return [payload for file in files for payload in payloads(file.read_bytes(), file=file.name)]


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
    check(word, data.draw(changed(samples(word))))


@pytest.mark.parametrize("word", WORDS)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_broken_bytes_and_foreign_headers(word: str, data: st.DataObject) -> None:
    check(word, data.draw(broken(samples(word))))


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
