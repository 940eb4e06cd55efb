"""Alertmanager's notifications, by samples and by the odd cases."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firehose import source
from firehose.errors import Refused, UnknownKind
from firehose.event import Event

SAMPLES = Path(__file__).parent / "samples"
ALERTS = source.load("alertmanager")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())["body"]


def read(body: Any, word: str = "alertmanager", **own: object) -> list[Event]:
    delivery = source.Delivery(source="alerts", body=json.dumps(body).encode(), received=NOW)
    verdict = ALERTS.read(delivery, ALERTS.settings(kind=word, **own))
    assert not isinstance(verdict, source.Ignored)
    return list(verdict)


def test_a_firing_group_is_an_incident_for_each_alert() -> None:
    disk, slow = read(sample("firing__two-alerts"))
    assert (disk.kind, disk.outcome, disk.severity, disk.project) == (
        "incident.detected", "failure", "error", "lumen/atlas",
    )  # fmt: skip
    assert disk.summary == "DiskFull on db1.lumen.example:9100 is firing: less than 2 % left on /srv"
    assert disk.link == "https://prometheus.lumen.example/graph?g0.expr=disk"
    assert disk.source == "https://alerts.lumen.example"
    assert disk.time == datetime(2025, 10, 9, 9, 20, 0, 123_000, tzinfo=UTC)
    assert (slow.project, slow.severity) == ("atlas-db", "warning")
    assert slow.summary == "DiskSlow is firing: 40 ms on db2.lumen.example:9100"
    assert disk.refs[0] == slow.refs[0]
    assert disk.refs[1] == "host/db1.lumen.example:9100"
    assert [alert["labels"]["alertname"] for alert in json.loads(disk.data)["alerts"]] == ["DiskFull"]


def test_the_same_alert_notified_again_is_the_same_event_and_its_end_is_another() -> None:
    first, again = read(sample("firing__two-alerts"))[0], read(sample("firing__truncated"))[0]
    (end,) = read(sample("resolved__one"))
    assert first.id == again.id != end.id
    assert (end.kind, end.outcome, end.severity, end.subject) == (
        "incident.resolved", "success", "info", first.subject,
    )  # fmt: skip
    assert end.time == datetime(2025, 10, 9, 9, 50, tzinfo=UTC)


def test_each_alert_has_its_own_status() -> None:
    assert [event.kind for event in read(sample("firing__one-of-two-resolved"))] == [
        "incident.resolved", "incident.detected",
    ]  # fmt: skip


def test_alerts_that_were_cut_off_are_counted() -> None:
    _, cut = read(sample("firing__truncated"))
    assert (cut.kind, cut.severity) == ("incident.updated", "warning")
    assert cut.summary.startswith("7 more alerts")


def test_grafana_is_called_grafana_and_links_to_its_panel() -> None:
    (event,) = read(sample("firing__grafana"), "grafana")
    assert event.type == "com.grafana.alerting.firing"
    assert event.link == "https://grafana.lumen.example/d/abc?viewPanel=2"
    assert event.time == datetime(2025, 10, 9, 9, 20, tzinfo=UTC)


def test_the_settings_say_which_labels_count() -> None:
    event = read(sample("firing__two-alerts"), project_labels=["job"], severity_label="grade")[0]
    assert (event.project, event.severity) == ("node", "warning")


@pytest.mark.parametrize("change", [{"status": "pending"}, {"alerts": [{"status": "pending"}]}])
def test_an_unknown_status_is_unknown(change: dict[str, Any]) -> None:
    with pytest.raises(UnknownKind, match="pending"):
        read(sample("resolved__one") | change)


def test_no_list_of_alerts_is_named() -> None:
    with pytest.raises(Refused) as refusal:
        read({"status": "firing"})
    assert refusal.value.field == "alerts"
