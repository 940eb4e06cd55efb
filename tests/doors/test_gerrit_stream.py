"""What the stream-events door says of a payload, without any connection."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from firehose.doors.gerrit_stream import options, told, wanted
from firehose.event import Event, Recorded, encode
from firehose.query.match import predicate

MERGED = b'{"type":"change-merged","change":{"project":"org/app","number":7},"newRev":"abc","eventCreatedOn":1}'
UPDATE = {"refName": "refs/heads/main", "project": "org/app", "oldRev": "a", "newRev": "b"}


def lines(raw: bytes, types: frozenset[str] = frozenset()) -> list[bytes]:
    found = told(raw, types)
    assert found.untold == ""
    return list(found.lines)


def said(body: dict[str, Any], types: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
    found = told(json.dumps(body).encode(), types).lines
    assert all(b"\n" not in line for line in found)
    return [json.loads(line) for line in found]


def test_a_payload_of_the_stream_stays_byte_for_byte() -> None:
    assert lines(MERGED) == [MERGED]


def test_only_the_types_that_were_asked_for() -> None:
    assert lines(MERGED, frozenset({"change-merged"})) == [MERGED]
    assert lines(MERGED, frozenset({"ref-updated"})) == []


def test_the_objects_of_the_webhooks_plugin_become_names() -> None:
    found = said({"type": "change-merged", "project": {"name": "a"}, "change": {"project": {"name": "org/app"}}})
    assert found == [{"type": "change-merged", "project": "a", "change": {"project": "org/app"}}]


def test_a_batch_becomes_single_updates_as_no_reader_knows_batches() -> None:
    batch = {
        "type": "batch-ref-updated",
        "submitter": {"name": "Ada"},
        "refUpdates": [UPDATE, {**UPDATE, "newRev": "c"}],
    }
    found = said(batch)
    assert [(one["type"], one["refUpdate"]["newRev"]) for one in found] == [("ref-updated", "b"), ("ref-updated", "c")]
    assert said(batch, frozenset({"ref-updated"})) == found
    assert said(batch, frozenset({"batch-ref-updated"})) == found
    assert said(batch, frozenset({"change-merged"})) == []


@pytest.mark.parametrize(
    "body",
    [
        {"type": "ref-updated", "refUpdate": {"project": "x"}},
        {"type": "ref-updated"},
        {"type": "project-head-updated", "projectName": "x"},
        {"type": "change-merged", "change": "text"},
        {"no": "type"},
        {"type": None},
    ],
    ids=["no ref name", "no update", "no new head", "change is text", "no type", "type is null"],
)
def test_what_would_end_a_reader_is_left_out(body: dict[str, Any]) -> None:
    assert said(body) == []
    assert told(json.dumps(body).encode()).untold


@pytest.mark.parametrize("types", [frozenset(), frozenset({"ref-updated"}), frozenset({"batch-ref-updated"})])
@pytest.mark.parametrize(
    "updates", [[], 5, None, "text", {"0": UPDATE}, [5, None]],
    ids=["none", "a number", "null", "text", "an object", "no objects"],
)  # fmt: skip
def test_a_batch_that_is_none_is_left_out_and_why_is_said(updates: object, types: frozenset[str]) -> None:
    found = told(json.dumps({"type": "batch-ref-updated", "refUpdates": updates}).encode(), types)
    assert list(found.lines) == []
    assert found.untold


def test_of_a_batch_only_what_cannot_be_told_is_left_out() -> None:
    found = told(json.dumps({"type": "batch-ref-updated", "refUpdates": [{"project": "x"}, UPDATE]}).encode())
    assert [json.loads(line)["refUpdate"] for line in found.lines] == [UPDATE]
    assert found.untold


@pytest.mark.parametrize("raw", [b"", b"\xff", b"[" * 100_000, b"7"], ids=["nothing", "bytes", "deep", "a number"])
def test_what_is_no_payload_of_a_gerrit_is_left_out(raw: bytes) -> None:
    assert not told(raw).lines
    assert told(raw).untold


def event(name: str, source: str) -> Recorded:
    made = Event(id="1", source=source, type="com.gerritcodereview.comment-added", kind="comment.added",
                 subject="app~1", time=datetime(2026, 3, 1, tzinfo=UTC), data=MERGED)  # fmt: skip
    return Recorded(1, datetime(2026, 3, 1, tzinfo=UTC), encode(name, made))


def test_only_what_came_by_the_named_sources_is_for_the_readers() -> None:
    ours = predicate(wanted(["gerrit", "gerrit 2"]))
    assert ours(event("gerrit", "https://review.example.org"))
    assert ours(event("gerrit 2", "https://review.example.org"))
    # Whoever sends CloudEvents to an inbox chooses `type` and `source`.
    assert not ours(event("inbox", "https://review.example.org"))
    assert not ours(event("inbox", "gerrit"))


def test_nulls_and_odd_comments_are_taken_out_of_an_event_that_is_told() -> None:
    assert said({"type": "comment-added", "patchSetComments": None}) == [{"type": "comment-added"}]
    assert said({"type": "comment-added", "patchSetComments": {"/PATCHSET_LEVEL": ["x"]}}) == [
        {"type": "comment-added"}
    ]
    fine = {"type": "comment-added", "patchSetComments": {"/PATCHSET_LEVEL": [{"message": "recheck"}]}}
    assert said(fine) == [fine]


def test_line_breaks_between_tokens_are_gone() -> None:
    assert lines(b'{"type":\n"topic-changed"}') == [b'{"type":"topic-changed"}']


@pytest.mark.parametrize(
    ("words", "types"),
    [
        ([], set()),
        (["-s", "a", "--subscribe", "b"], {"a", "b"}),
        (["--subscribe=a"], {"a"}),
        (["-s"], None),
        (["--help"], None),
    ],
)
def test_options(words: list[str], types: set[str] | None) -> None:
    assert options(words) == types
