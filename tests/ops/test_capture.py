"""Payloads that a hub received become samples: named, scrubbed, never overwritten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from firehose import source
from firehose.ops.capture import capture, file_name, scrubbed

GERRIT = source.load("gerrit")


def merged(number: int) -> dict[str, Any]:
    return {
        "type": "com.gerritcodereview.change-merged",
        "subject": f"acme/widget~{number}",
        "data": {
            "type": "change-merged",
            "change": {"number": number, "project": "acme/widget"},
            "submitter": {"username": "ada", "email": "ada@example.org"},
            "hook": {"token": "s3cr3t", "tokens": 4},
        },
    }


def test_a_sample_is_named_by_native_kind_and_case(tmp_path: Path) -> None:
    assert [path.name for path in capture(GERRIT, [merged(7)], tmp_path)] == ["change-merged__acme-widget-7.json"]


def test_credentials_and_addresses_are_gone_and_everything_else_is_there(tmp_path: Path) -> None:
    [path] = capture(GERRIT, [merged(7)], tmp_path)
    kept = json.loads(path.read_text())
    assert kept["hook"] == {"token": "redacted", "tokens": 4}
    assert "ada@example.org" not in path.read_text()
    assert kept["change"] == merged(7)["data"]["change"]


def test_a_native_kind_is_stored_as_often_as_asked_for(tmp_path: Path) -> None:
    events = [merged(number) for number in range(1, 6)]
    assert len(list(capture(GERRIT, events, tmp_path, each=2))) == 2
    assert list(capture(GERRIT, events, tmp_path, each=2)) == []


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "change-merged__acme-widget-7.json").write_text("mine")
    list(capture(GERRIT, [merged(7), merged(8)], tmp_path, each=5))
    assert (tmp_path / "change-merged__acme-widget-7.json").read_text() == "mine"
    assert (tmp_path / "change-merged__acme-widget-8.json").exists()


def test_without_a_readable_payload_the_type_gives_the_name(tmp_path: Path) -> None:
    event = {"type": "com.gerritcodereview.dropped-output", "subject": "x", "data": ["odd"]}
    assert [path.name for path in capture(GERRIT, [event], tmp_path)] == ["dropped-output__x.json"]


@pytest.mark.parametrize(
    ("native", "case", "name"),
    [
        ("pull_request.opened", "Acme/Widget#3", "pull_request.opened__acme-widget-3.json"),
        ("../../etc/passwd", "..", "etc-passwd__unnamed.json"),
        ("x" * 300, "y" * 300, "x" * 80 + "__" + "y" * 60 + ".json"),
    ],
)
def test_a_name_is_safe_in_any_folder(native: str, case: str, name: str) -> None:
    assert file_name(native, case) == name


def test_shape_and_types_stay() -> None:
    value = {"a": [1, None, True, {"b": "c"}], "password": None, "Authorization": "Basic x"}
    assert scrubbed(value) == {"a": [1, None, True, {"b": "c"}], "password": None, "Authorization": "redacted"}
