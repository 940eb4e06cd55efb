"""Secrets that sources name as hidden, and people's addresses, are gone from what the gate would store."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firehose import source
from firehose.ops.explain import explain, payloads

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SOURCES = Path(source.__file__).parent / "sources"
SECRET = "not-a-real-secret"


@pytest.mark.parametrize(
    ("kind", "name", "held"),
    [
        ("github", "secret_scanning_alert.resolved", SECRET),
        ("github", "meta.deleted", '"config"'),
        ("github", "push__merge", "mira@lumen.example"),
        ("gitlab", "pipeline__success", SECRET),
        ("gitlab", "push__merge", "mira@lumen.example"),
        ("gitlab", "project_create", "Mira Novak"),
        ("forgejo", "push__with-secret", SECRET),
        ("forgejo", "action_run_success", SECRET),
        ("forgejo", "push__merge", "mira@lumen.example"),
        ("forgejo", "pull_request.opened", "mira@noreply.forge.lumen.example"),
    ],
)
def test_what_a_payload_holds_is_not_in_its_event(kind: str, name: str, held: str) -> None:
    file = SOURCES / kind / "samples" / f"{name}.json"
    assert held in file.read_text()
    (payload,) = payloads(file.read_bytes(), file=file.name)
    # Security findings only become events for an audience, where addresses may stay; their secrets may not.
    own = {"audience": "security"} if "alert" in name else {}
    found = explain(kind, payload, NOW, settings=own)
    assert found["verdict"] == "event"
    assert held not in json.dumps(found, ensure_ascii=False)
