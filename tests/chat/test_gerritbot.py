"""gerritbot reborn: its own configuration, its own lines, and the defects it had."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from firehose.chat.gerritbot import lines, read
from firehose.errors import Broken

CHANNELS = """
acme-dev:
  events: [patchset-created, change-merged, comment-added, x-vrif-minus-2, ref-updated]
  projects: [acme/widget, ^acme/lib-.*]
  branches: [master, ^stable/.*]
'#quiet':
  events: [x-crvw-plus-2]
  projects: [^.*]
  branches: [master]
"""
CHANGE = {"project": "acme/widget", "branch": "master", "subject": "Count twice", "url": "https://review.example.org/1"}
ADA = {"name": "Ada Lind", "username": "ada", "email": "ada@example.org"}


def said(channels: str = CHANNELS, **event: Any) -> list[tuple[str, str]]:
    return list(lines(read(channels), json.dumps(event).encode()))


def commented(*votes: dict[str, str], **change: str) -> list[tuple[str, str]]:
    return said(type="comment-added", change={**CHANGE, **change}, author=ADA, approvals=list(votes))


def test_the_lines_are_those_of_gerritbot() -> None:
    proposed = said(type="patchset-created", change=CHANGE, patchSet={"uploader": ADA})
    assert proposed == [
        ("#acme-dev", "Ada Lind proposed acme/widget master: Count twice  https://review.example.org/1")
    ]
    merged = said(type="change-merged", change=CHANGE)
    assert merged == [("#acme-dev", "Merged acme/widget master: Count twice  https://review.example.org/1")]
    told = "A comment has been added to a proposed change to acme/widget: Count twice  https://review.example.org/1"
    assert commented() == [("#acme-dev", told)]
    tagged = said(type="ref-updated", submitter=ADA, refUpdate={"refName": "refs/tags/1.0", "project": "any/thing"})
    assert tagged == [("#acme-dev", "ada tagged project any/thing with 1.0")]


def test_entries_with_a_caret_are_found_and_others_are_equal() -> None:
    def heard(project: str, branch: str) -> bool:
        return bool(said(type="change-merged", change={**CHANGE, "project": project, "branch": branch}))

    assert heard("acme/lib-x", "stable/2026.2")
    assert not heard("acme/widget-plus", "master")
    assert not heard("acme/widget", "feature")


@pytest.mark.parametrize("account", [{"username": "ada"}, {"email": "ada"}])
def test_who_has_no_name_is_called_by_another(account: dict[str, str]) -> None:
    ((_, line),) = said(type="patchset-created", change=CHANGE, patchSet={"uploader": account})
    assert line.startswith("ada proposed")
    ((_, line),) = said(type="patchset-created", change=CHANGE, patchSet={"uploader": {}})
    assert line.startswith("UNKNOWN USER proposed")


def test_gerritbot_defect_votes_never_fired_since_gerrit_has_other_labels() -> None:
    new = commented({"type": "Verified", "value": "-2", "oldValue": "0"})
    assert [line for _, line in new if line.startswith("Verification of a change to acme/widget failed: ")]
    old = commented({"type": "VRIF", "value": "-2"})
    assert Counter(new) == Counter(old)


def test_a_vote_is_heard_without_comment_added_in_the_same_channel() -> None:
    heard = commented({"type": "Code-Review", "value": "2", "oldValue": "0"}, project="other")
    assert heard == [("#quiet", "A change to other has been approved: Count twice  https://review.example.org/1")]


def test_a_standing_vote_is_not_said_again() -> None:
    assert not [line for channel, line in commented({"type": "Code-Review", "value": "2"}) if channel == "#quiet"]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"type":1}', b'{"type":"change-merged"}', b'{"type":"comment-added","approvals":4}']
)
def test_nothing_is_said_of_what_cannot_be_read(body: bytes) -> None:
    assert list(lines(read(CHANNELS), body)) == []


@pytest.mark.parametrize(
    ("text", "named"),
    [("a: [", "not YAML"), ("- a", "must map"), ("a: {events: [x], projects: 1, branches: []}", "'projects'"),
     ("a: {events: [x], projects: ['^('], branches: []}", "a.projects")],
)  # fmt: skip
def test_a_wrong_configuration_names_its_place(text: str, named: str) -> None:
    with pytest.raises(Broken, match=named.replace(".", r"\.")):
        read(text)


def test_a_live_configuration_is_read_unchanged(shared: Path) -> None:
    found = json.loads((shared / "samples/gerritbot/channels-2026.json").read_text())
    channels = read(yaml.safe_dump(found))
    assert len(channels) == 110
    change = {**CHANGE, "project": "openstack/heat", "branch": "stable/2026.1"}
    heard = list(lines(channels, json.dumps({"type": "change-merged", "change": change}).encode()))
    assert "#heat" in {channel for channel, _ in heard}
