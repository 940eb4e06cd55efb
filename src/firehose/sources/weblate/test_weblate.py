"""Weblate's deliveries, by samples and by the odd cases."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firehose import source
from firehose.errors import UnknownKind
from firehose.event import Event
from firehose.sources.weblate.kinds import ACTIONS, IGNORED

SAMPLES = Path(__file__).parent / "samples"
WEBLATE = source.load("weblate")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())["body"]
    return found


def verdict(body: dict[str, Any]) -> source.Verdict:
    delivery = source.Delivery(source="weblate", body=json.dumps(body).encode(), received=NOW)
    return WEBLATE.read(delivery, WEBLATE.settings(kind="weblate", url="https://l10n.lumen.example/"))


def read(body: dict[str, Any]) -> Event:
    found = verdict(body)
    assert not isinstance(found, source.Ignored)
    (event,) = found
    return event


@pytest.mark.parametrize(
    ("name", "kind", "about", "summary"),
    [
        ("translation_changed__one", "translation.updated", "translation/atlas/app/de",
         "mira changed a translation in atlas/app/de: Draw tiles"),
        ("translation_changed__plural", "translation.updated", "translation/atlas/clients/desktop/app/de",
         "mira changed a translation in atlas/clients/desktop/app/de: %n tile / %n tiles"),
        ("comment_added__string", "comment.added", "translation/atlas/app/de",
         "tomas commented in atlas/app/de: Draw tiles"),
        ("changes_pushed__component", "branch.updated", "component/atlas/app", "mira pushed translations in atlas/app"),
        ("repository_merge_failed__conflict", "incident.detected", "component/atlas/app",
         "atlas/app: the repository could not be merged: CONFLICT (content): po/de.po"),
        ("project_created__plain", "project.created", "l10nproject/atlas", "mira created the project in atlas"),
    ],
)  # fmt: skip
def test_a_sample_becomes(name: str, kind: str, about: str, summary: str) -> None:
    event = read(sample(name))
    assert (event.kind, event.subject, event.summary) == (kind, about, summary)


def test_the_envelope_of_a_changed_string() -> None:
    event = read(sample("translation_changed__one"))
    assert (event.id, event.actor, event.project) == ("90210", "mira", "atlas/app")
    assert event.type == "org.weblate.translation_changed"
    assert event.link == "https://l10n.lumen.example/translate/atlas/app/de/?checksum=5f0b4e0e8a7a2f6f"
    assert event.refs == ("l10nproject/atlas", "component/atlas/app")
    assert "Kacheln malen" in event.text
    assert event.time.year == 2025


def test_a_failure_is_nobodys_doing() -> None:
    event = read(sample("repository_merge_failed__conflict") | {"user": "mira"})
    assert (event.actor, event.outcome, event.severity) == ("", "failure", "warning")


def test_people_are_ignored_and_an_unknown_action_is_unknown() -> None:
    assert verdict(sample("user_added__ignored")) == source.Ignored("User added")
    with pytest.raises(UnknownKind, match="Übersetzung geändert"):
        verdict(sample("translation_changed__one") | {"action": "Übersetzung geändert"})


def test_no_action_is_both_mapped_and_ignored() -> None:
    assert set(ACTIONS) & set(IGNORED) == set()
    assert len(ACTIONS) + len(IGNORED) == 83
