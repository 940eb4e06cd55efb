"""Every payload of the shared reference samples means what it should, offline: an event, a declared ignore, or trouble.

What must not become an event is listed in `samples.py` with the reason. How they get in by their real protocols is
`tests/journeys/test_sample_table.py`'s.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.sources.samples import FOLDERS, OWN, UNREADABLE, Sample, samples

from firehose import source
from firehose.ops.explain import explain

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Row(NamedTuple):
    """What became of one payload."""

    sample: Sample
    verdict: str
    detail: str


def row(sample: Sample) -> Row:
    found: dict[str, Any] = explain(sample.kind, sample.payload, NOW, settings=OWN.get(sample.kind))
    verdict = found["verdict"]
    if verdict == "event":
        return Row(sample, verdict, ", ".join(event["kind"] for event in found["events"]))
    return Row(sample, verdict, found.get("what") or found["problem"]["detail"])


@pytest.fixture(scope="module")
def rows(shared: Path) -> list[Row]:
    return [row(sample) for sample in samples(shared)]


def test_each_payload_ends_in_an_event_or_a_declared_ignore_but_for_those_that_are_listed(rows: list[Row]) -> None:
    troubled = [one for one in rows if one.verdict in ("unknown", "refused") and one.sample.file not in UNREADABLE]
    assert not troubled
    assert len(rows) > 150


def test_what_is_listed_as_unreadable_is_still_there_and_unreadable(rows: list[Row]) -> None:
    verdicts: dict[str, set[str]] = defaultdict(set)
    for one in rows:
        verdicts[one.sample.file].add(one.verdict)
    present = {file: verdicts[file] for file in UNREADABLE if file in verdicts}
    assert all(found <= {"unknown", "refused"} for found in present.values()), present


def test_what_is_ignored_is_declared_with_a_reason(rows: list[Row]) -> None:
    ignored = [one for one in rows if one.verdict == "ignored"]
    assert ignored
    for one in ignored:
        assert source.load(one.sample.kind).ignored[one.detail]


def test_every_folder_gives_events(rows: list[Row]) -> None:
    assert {one.sample.folder for one in rows if one.verdict == "event"} == set(FOLDERS)
