"""The same events to the original gerritbot and to ours: the same lines in the same channels."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

import firehose
from firehose.chat.gerritbot import lines, read
from firehose.testing import peer

SAMPLES = Path(firehose.__file__).parent / "sources" / "gerrit" / "samples"
CHANNELS: dict[str, Any] = {
    "everything": {
        "events": ["patchset-created", "change-merged", "comment-added", "ref-updated"],
        "projects": ["^.*"], "branches": ["^.*"],
    },
    "#some": {
        "events": ["change-merged", "patchset-created"],
        "projects": ["acme/widget", "^acme/lib-.*"], "branches": ["master", "^stable/.*"],
    },
    "votes": {
        "events": ["comment-added", "x-vrif-minus-2", "x-vrif-plus-2", "x-crvw-minus-2", "x-crvw-plus-2"],
        "projects": ["^acme/"], "branches": ["master"],
    },
}  # fmt: skip


def asked(channels: dict[str, Any], events: list[dict[str, Any]]) -> list[list[list[str]] | None]:
    given = "\n".join(json.dumps(one) for one in (channels, *events)) + "\n"
    script = Path(__file__).with_name("original.py")
    done = subprocess.run(
        [peer("gerritbot"), str(script)], input=given, capture_output=True, text=True, check=False, timeout=120
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def ours(channels: dict[str, Any], event: dict[str, Any]) -> Counter[tuple[str, str]]:
    return Counter(lines(read(yaml.safe_dump(channels)), json.dumps(event).encode()))


def samples() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(SAMPLES.glob("*.json"))]


def old_votes() -> list[dict[str, Any]]:
    """Comments as Gerrit sent them before 2.8: labels in four letters, and every vote is one of this comment."""
    change = {"project": "acme/widget", "branch": "master", "subject": "Count twice", "url": "https://r.example.org/1"}
    return [
        {"type": "comment-added", "change": change, "approvals": [{"type": label, "value": value}]}
        for label in ("VRIF", "CRVW")
        for value in ("-2", "-1", "1", "2")
    ]


def test_the_same_lines_for_our_samples_and_for_old_votes() -> None:
    events = samples() + old_votes()
    compared = Counter[str]()
    for event, told in zip(events, asked(CHANNELS, events), strict=True):
        if told is None:
            continue  # it fell over somebody without a name; ours says who it was another way
        mine = ours(CHANNELS, event)
        if event not in old_votes():
            # On purpose: votes are heard under the labels that Gerrit sends now, which the original never knew.
            mine = Counter(
                {line: count for line, count in mine.items() if not line[1].startswith(("Verif", "A change"))}
            )
        assert mine == Counter((channel, text) for channel, text in told), event
        compared[str(event["type"])] += len(told)
    assert set(+compared) == {"patchset-created", "change-merged", "comment-added", "ref-updated"}


def test_the_same_lines_with_a_live_configuration(shared: Path) -> None:
    channels = json.loads((shared / "samples" / "gerritbot" / "channels-2026.json").read_text())
    projects = sorted({name for own in channels.values() for name in own["projects"] if not name.startswith("^")})
    events = [
        {
            "type": kind, "patchSet": {"uploader": {"name": "Ada"}},
            "change": {"project": project, "branch": branch, "subject": "A change", "url": "https://r.example.org/1"},
        }
        for project in projects
        for kind, branch in (("patchset-created", "master"), ("change-merged", "stable/2026.1"))
    ]  # fmt: skip
    told = asked(channels, events)
    assert len(projects) > 100
    configuration = read(yaml.safe_dump(channels))
    for event, said in zip(events, told, strict=True):
        assert said is not None
        assert Counter(lines(configuration, json.dumps(event).encode())) == Counter(map(tuple, said)), event
    assert sum(map(len, filter(None, told))) > 500


@pytest.mark.parametrize("event", old_votes(), ids=lambda event: "{type} {value}".format(**event["approvals"][0]))
def test_a_vote_of_two_is_a_line_of_its_own(event: dict[str, Any]) -> None:
    said = ours(CHANNELS, event)
    assert sum(said.values()) == (3 if event["approvals"][0]["value"] in ("2", "-2") else 2)
