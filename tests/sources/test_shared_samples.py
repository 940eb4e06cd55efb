"""Every payload of the shared reference samples ends as it should: an event, a declared ignore, or the quarantine.

What must not become an event is listed below with the reason. `pytest -s` prints the table.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from firehose import source
from firehose.ops.explain import Payload, explain, payloads

NOW = datetime(2026, 1, 2, tzinfo=UTC)
FOLDERS = {"gerrit": "gerrit", "github": "github", "gitlab": "gitlab", "zuul": "zuul", "firehose": "inbox"}

# The original Firehose's own messages are plain JSON: the operator of an inbox says what names them.
OWN: dict[str, dict[str, object]] = {
    "inbox": {"type": "org.openstack.firehose", "id": "{data.build_uuid}{data.bug-number}"}
}

QUARANTINED = {
    "gitlab/group_merge_request.json": "the keys of this fixture end in blanks, GitLab's do not",
    "gerrit/gerritbot-rs-query-results.jsonl": "answers of gerrit query, no events",
    "gerrit/softwarefactory-rest-change-detail.json": "an answer of the REST API, no event",
    "zuul/launcher-14.3-zk-records.jsonl": "records from ZooKeeper, no messages of the reporter",
}
"""What no source can read, with the reason."""


class Row(NamedTuple):
    """What became of one payload."""

    file: str
    number: int
    verdict: str
    detail: str


def explained(folder: Path) -> Iterator[Row]:
    for name, kind in FOLDERS.items():
        for path in sorted((folder / name).iterdir()):
            for number, payload in enumerate(payloads(path.read_bytes(), file=path.name)):
                yield row(f"{name}/{path.name}", number, kind, payload)
    pairs = folder / "forge-webhooks-with-headers"
    for path in sorted(pairs.glob("*-payload.json")):
        kind = path.name.partition(".")[0]
        headers = json.loads(path.with_name(path.name.replace("-payload", "-headers")).read_text())
        yield row(f"{pairs.name}/{path.name}", 0, kind, Payload(body=path.read_bytes(), headers=headers))


def row(file: str, number: int, kind: str, payload: Payload) -> Row:
    found: dict[str, Any] = explain(kind, payload, NOW, settings=OWN.get(kind))
    verdict = found["verdict"]
    if verdict == "event":
        return Row(file, number, verdict, ", ".join(event["kind"] for event in found["events"]))
    return Row(file, number, verdict, found.get("what") or found["problem"]["detail"])


@pytest.fixture(scope="module")
def rows(shared: Path) -> list[Row]:
    return list(explained(shared / "samples"))


def test_each_payload_ends_in_an_event_a_declared_ignore_or_the_quarantine(rows: list[Row]) -> None:
    print()
    for one in rows:
        print(f"{one.file:72} {one.number:4} {one.verdict:8} {one.detail}")
    print(Counter(one.verdict for one in rows))
    unexpected = [one for one in rows if one.verdict in ("unknown", "refused") and one.file not in QUARANTINED]
    assert not unexpected
    assert len(rows) > 150


def test_what_is_listed_as_unreadable_is_still_there_and_unreadable(rows: list[Row]) -> None:
    verdicts: dict[str, set[str]] = defaultdict(set)
    for one in rows:
        verdicts[one.file].add(one.verdict)
    present = {file: verdicts[file] for file in QUARANTINED if file in verdicts}
    assert all(found <= {"unknown", "refused"} for found in present.values()), present


def test_what_is_ignored_is_declared_with_a_reason(rows: list[Row]) -> None:
    ignored = [one for one in rows if one.verdict == "ignored"]
    assert ignored
    kinds = {**FOLDERS, "forge-webhooks-with-headers": ""}
    for one in ignored:
        folder, _, name = one.file.partition("/")
        kind = kinds[folder] or name.partition(".")[0]
        assert source.load(kind).ignored[one.detail]


def test_every_folder_gives_events(rows: list[Row]) -> None:
    giving = {one.file.partition("/")[0] for one in rows if one.verdict == "event"}
    assert giving == {*FOLDERS, "forge-webhooks-with-headers"}
