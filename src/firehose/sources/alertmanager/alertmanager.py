"""Alertmanager: what a notification means. One event for each alert in it, `incident.detected` or `incident.resolved`.

In: a delivery with a group of alerts (webhook version 4; Grafana Alerting sends the same with a few members more).
Out: events with the alert's fingerprint as their subject. An alert that is notified again because it still lasts is
the same event: the id is made of fingerprint, start and status. Labels name project and severity, by the settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from firehose import source, subject
from firehose.errors import Refused, UnknownKind
from firehose.event import Event, fingerprint
from firehose.wild import Wild, decode

KINDS: Final = {
    "firing": "incident.detected",
    "resolved": "incident.resolved",
    "truncated": "incident.updated (alerts that the sender left out of a notification)",
}
_TYPES: Final = {"alertmanager": "io.prometheus.alertmanager.", "grafana": "com.grafana.alerting."}
_SEVERITIES: Final = {
    **dict.fromkeys(("critical", "page", "emergency", "alert", "error", "high", "disaster"), "error"),
    **dict.fromkeys(("warning", "warn", "average", "medium"), "warning"),
    **dict.fromkeys(("notice", "low"), "notice"),
    **dict.fromkeys(("info", "information", "debug", "none"), "info"),
}
_PLACES: Final = ("instance", "host", "node", "hostname", "pod")
_WORDS: Final = {"firing": "is firing", "resolved": "is resolved"}


class Settings(source.WebhookSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """url: the Alertmanager's address ("" = what its notifications say, `externalURL`).

    project_labels: the labels that name the project, the first that an alert has. severity_label: the label that says
    how bad it is; an unknown or missing word is a warning.
    """

    project_labels: list[str] = msgspec.field(default_factory=lambda: ["project", "service", "namespace"])
    severity_label: str = "severity"


def read(delivery: source.Delivery, settings: Settings) -> source.Verdict:
    """What one notification means."""
    body = decode(delivery.body)
    if not body["alerts"].is_list():
        raise Refused("alerts is missing or no list", slug="bad-field", status=422, field="alerts")
    status = body["status"].text("")
    if status not in _WORDS:
        raise UnknownKind(f"status.{status}")
    group = _group(body)
    events = [_alert(alert, body, group, (delivery, settings)) for alert in body["alerts"].each()]
    return [*events, *_truncated(body, group, (delivery, settings))]


Given = tuple[source.Delivery, Settings]


def _group(body: Wild) -> str:
    """The subject of the group that the alerts were notified in."""
    return f"alertgroup/{fingerprint(body['receiver'].text(''), body['groupKey'].text(''))[:16]}"


def _alert(alert: Wild, body: Wild, group: str, given: Given) -> Event:
    delivery, settings = given
    status = alert["status"].text(body["status"].text())
    if status not in _WORDS:
        raise UnknownKind(f"alert.status.{status}")
    labels = {name: value.word("") for name, value in alert["labels"].fields()}
    notes = {name: value.word("") for name, value in alert["annotations"].fields()}
    starts, ends = alert["startsAt"].moment(), alert["endsAt"].moment()
    mark = alert["fingerprint"].text("") or fingerprint(*sorted(f"{k}={v}" for k, v in labels.items()))[:16]
    name = labels.get("alertname", "") or "an alert"
    place = next((labels[label] for label in _PLACES if labels.get(label)), "")
    said = notes.get("summary") or notes.get("message") or notes.get("description") or ""
    where = f" on {place}" if place and place not in said else ""
    resolved = status == "resolved"
    return Event(
        id=fingerprint(mark, alert["startsAt"].text(""), status),
        source=_source(body, given),
        type=_TYPES.get(settings.kind, _TYPES["alertmanager"]) + status,
        kind=KINDS[status],
        subject=f"alert/{subject.escape(mark)}",
        time=(ends if resolved else starts) or delivery.received,
        project=next((labels[label] for label in settings.project_labels if labels.get(label)), ""),
        summary=f"{name}{where} {_WORDS[status]}" + (f": {said}" if said else ""),
        link=_link(alert, body, notes),
        outcome="success" if resolved else "failure",
        severity="info" if resolved else _severity(labels, settings),
        refs=(group, *((f"host/{subject.escape(place)}",) if place else ())),
        data=_alone(alert, body),
        text=" ".join([*labels.values(), *notes.values()]),
    )


def _alone(alert: Wild, body: Wild) -> bytes:
    """The notification with this one alert in it, so that an event is not as large as its group."""
    whole = {name: msgspec.Raw(value.json()) for name, value in body.fields() if name != "alerts"}
    return msgspec.json.encode({**whole, "alerts": [msgspec.Raw(alert.json())]})


def _source(body: Wild, given: Given) -> str:
    delivery, settings = given
    return (settings.url or body["externalURL"].link() or f"urn:firehose:{delivery.source}").rstrip("/")


def _severity(labels: dict[str, str], settings: Settings) -> str:
    return _SEVERITIES.get(labels.get(settings.severity_label, "").lower(), "warning")


def _link(alert: Wild, body: Wild, notes: dict[str, str]) -> str:
    """Where a person looks first: the dashboard that shows it, else the rule's graph, else the Alertmanager."""
    for found in (alert["panelURL"], alert["dashboardURL"], alert["generatorURL"], body["externalURL"]):
        if link := found.link():
            return link
    runbook = notes.get("runbook_url", "")
    return (
        runbook if runbook.startswith(("https://", "http://")) and runbook.isprintable() and " " not in runbook else ""
    )


def _truncated(body: Wild, group: str, given: Given) -> Iterator[Event]:
    """What the sender left out is said, not passed over: its `max_alerts` cut the group."""
    count = body["truncatedAlerts"].count()
    if not count:
        return
    delivery, settings = given
    yield Event(
        id=fingerprint("truncated", delivery.body),
        source=_source(body, given),
        type=_TYPES.get(settings.kind, _TYPES["alertmanager"]) + "truncated",
        kind="incident.updated",
        subject=group,
        time=delivery.received,
        summary=f"{count} more alerts were left out of a notification (max_alerts of the receiver)",
        link=body["externalURL"].link(),
        severity="warning",
        data=delivery.body,
    )


SOURCE: Final = source.SourceKind(
    name="alertmanager",
    title="Alertmanager",
    family="cloud",
    settings=Settings,
    read=read,
    kinds=KINDS,
    also={"grafana": "Grafana Alerting"},
    schemes=(
        source.Scheme("bearer"),
        source.Scheme("token", query="token"),
        source.Scheme("hmac-sha256", header="X-Grafana-Alerting-Signature"),
    ),
    native_kind=source.word_in("status"),
)
