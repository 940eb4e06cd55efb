"""`firehose explain`: the hub's judgement on a file, with and without headers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from firehose.__main__ import main
from firehose.errors import Broken
from firehose.ops.explain import Payload, explain, parse_header, payloads

NOW = datetime(2026, 1, 2, tzinfo=UTC)
PULL = {
    "action": "opened",
    "number": 3,
    "pull_request": {"number": 3, "title": "Speak up", "html_url": "https://github.com/lumen/atlas/pull/3"},
    "repository": {"full_name": "lumen/atlas", "private": False},
    "sender": {"login": "mira", "email": "mira@lumen.example"},
}


def told(body: object, kind: str = "github", **more: Any) -> dict[str, Any]:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return explain(kind, Payload(body=text, **more), NOW)


def test_an_event_is_shown_as_readers_get_it_already_redacted() -> None:
    found = told(PULL, headers={"x-github-event": "pull_request", "x-github-delivery": "d-1"})
    assert (found["verdict"], found["native"]) == ("event", "pull_request.opened")
    (event,) = found["events"]
    assert event["id"] == "d-1"
    assert event["kind"] == "change.created"
    assert event["topic"] == "events/github/change/created/lumen/atlas"
    assert event["data"]["pull_request"]["title"] == "Speak up"
    assert "mira@lumen.example" not in json.dumps(found)
    assert "headers" not in found


def test_without_headers_the_event_is_found_by_shape_or_by_the_files_name() -> None:
    found = told(PULL)
    assert (found["verdict"], found["headers"]) == ("event", {"x-github-event": "pull_request"})
    found = told({"action": "created", "repository": {}}, file="star.created.json")
    assert (found["verdict"], found["what"]) == ("ignored", "star")
    assert found["why"]


def test_where_nothing_tells_the_event_the_text_says_which_header_to_give() -> None:
    found = told({"hello": 1})
    assert (found["verdict"], found["events"]) == ("refused", [])
    assert found["problem"]["slug"] == "missing-header"
    assert "--header 'X-GitHub-Event: " in found["problem"]["detail"]


@pytest.mark.parametrize(
    ("kind", "body", "headers", "verdict"),
    [
        ("github", PULL, {"x-github-event": "telepathy"}, "unknown"),
        ("github", b"{", {"x-github-event": "push"}, "refused"),
        ("github", PULL | {"sender": {"login": 7}}, {"x-github-event": "pull_request"}, "refused"),
        ("gitlab", {"object_kind": "emoji"}, {}, "ignored"),
        ("gitea", {"ref": "x", "ref_type": "branch", "pusher_type": "", "repository": PULL["repository"]}, {}, "event"),
        ("gerrit", {"type": "telepathy"}, {}, "unknown"),
        ("zuul", [], {}, "refused"),
        ("inbox", {"specversion": "1.0", "id": "1", "source": "x", "type": "a.b.c"}, {}, "event"),
    ],
)  # fmt: skip
def test_verdicts(kind: str, body: object, headers: dict[str, str], verdict: str) -> None:
    found = told(body, kind, headers=headers)
    assert found["verdict"] == verdict
    assert bool(found["events"]) == (verdict == "event")
    assert ("problem" in found) == (verdict == "refused")


def test_settings_can_be_tried() -> None:
    body = json.dumps(PULL | {"repository": {"full_name": "lumen/secret", "private": True}}).encode()
    payload = Payload(body=body, headers={"x-github-event": "pull_request"})
    assert explain("github", payload, NOW)["what"] == "private-repository"
    assert explain("github", payload, NOW, settings={"private_repositories": True})["verdict"] == "event"
    with pytest.raises(Broken, match="private_repos"):
        explain("github", payload, NOW, settings={"private_repos": True})


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(Broken, match="did you mean 'github'"):
        told(PULL, "githib")


def test_envelopes_are_opened_and_given_headers_count_more() -> None:
    envelope = {"headers": {"X-GitHub-Event": "ping", "X-GitHub-Delivery": "d"}, "body": {"zen": "…"}}
    (payload,) = payloads(json.dumps(envelope).encode(), headers={"X-GitHub-Event": "star"})
    assert payload.headers == {"x-github-event": "star", "x-github-delivery": "d"}
    assert json.loads(payload.body) == {"zen": "…"}
    (message,) = payloads(b'{"topic": "zuul/x", "payload": {"a": 1}}')
    assert (message.topic, message.body) == ("zuul/x", b'{"a": 1}')


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (b'{"a": 1}\n{"a": 2}\n\n', 2),
        (b'{\n "a": 1\n}\n', 1),
        (b'{"a": 1}\nnot json\n', 1),
        (b"", 1),
        (b"\xff\xfe", 1),
        (b"[" * 100_000, 1),
        (b'{"headers": {"a": 1}, "body": {}}', 1),
    ],
)
def test_a_file_of_lines_holds_a_payload_each(content: bytes, count: int) -> None:
    assert len(list(payloads(content))) == count


def test_headers_are_parsed_or_the_form_is_named() -> None:
    assert parse_header("X-GitHub-Event:  push ") == ("x-github-event", "push")
    for text in ("push", ": push", ""):
        with pytest.raises(Broken, match="Name: value"):
            parse_header(text)


def test_the_command_prints_a_json_line_for_each_payload(tmp_path: Path) -> None:
    file = tmp_path / "two.jsonl"
    file.write_text(json.dumps(PULL) + "\n" + json.dumps(PULL) + "\n")
    result = CliRunner().invoke(main, ["explain", "github", str(file), "--header", "X-GitHub-Event: pull_request"])
    assert result.exit_code == 0
    assert [json.loads(line)["verdict"] for line in result.output.splitlines()] == ["event", "event"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["explain", "githib", "-"], "did you mean 'github'"),
        (["explain", "github", "/nowhere/at/all"], "cannot read /nowhere/at/all"),
        (["explain", "github", "-", "--header", "x"], "Name: value"),
    ],
)
def test_the_commands_mistakes_name_the_next_step(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(main, arguments, input="{}")
    assert result.exit_code == 2
    assert words in result.stderr
