"""What the stream-events door says of a payload, without any connection."""

from __future__ import annotations

import json
from typing import Any

import pytest

from firehose.doors.gerrit_stream import lines, options

MERGED = b'{"type":"change-merged","change":{"project":"org/app","number":7},"newRev":"abc","eventCreatedOn":1}'
UPDATE = {"refName": "refs/heads/main", "project": "org/app", "oldRev": "a", "newRev": "b"}


def said(body: dict[str, Any], types: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
    told = lines(json.dumps(body).encode(), types)
    assert all(b"\n" not in line for line in told)
    return [json.loads(line) for line in told]


def test_a_payload_of_the_stream_stays_byte_for_byte() -> None:
    assert lines(MERGED) == [MERGED]


def test_only_the_types_that_were_asked_for() -> None:
    assert lines(MERGED, frozenset({"change-merged"})) == [MERGED]
    assert lines(MERGED, frozenset({"ref-updated"})) == []


def test_the_objects_of_the_webhooks_plugin_become_names() -> None:
    told = said({"type": "change-merged", "project": {"name": "a"}, "change": {"project": {"name": "org/app"}}})
    assert told == [{"type": "change-merged", "project": "a", "change": {"project": "org/app"}}]


def test_a_batch_becomes_single_updates_as_no_reader_knows_batches() -> None:
    batch = {
        "type": "batch-ref-updated",
        "submitter": {"name": "Ada"},
        "refUpdates": [UPDATE, {**UPDATE, "newRev": "c"}],
    }
    told = said(batch)
    assert [(one["type"], one["refUpdate"]["newRev"]) for one in told] == [("ref-updated", "b"), ("ref-updated", "c")]
    assert said(batch, frozenset({"ref-updated"})) == told
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
