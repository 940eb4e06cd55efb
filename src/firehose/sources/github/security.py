"""GitHub's security findings: alerts and reported advisories. They stay private by construction.

In: a `Hook` of a source that has an audience. Out: `incident.detected`, `incident.updated`, `incident.resolved` for
that audience. Without one the caller ignores them: a finding must not be public before it is fixed.
"""

from __future__ import annotations

from typing import Final

from firehose.errors import UnknownKind
from firehose.event import Event
from firehose.sources.github.hook import Hook, commit

ALERTS: Final = {
    "code_scanning_alert": "code scanning alert",
    "dependabot_alert": "Dependabot alert",
    "secret_scanning_alert": "secret scanning alert",
    "secret_scanning_alert_location": "secret scanning alert",
    "repository_vulnerability_alert": "vulnerability alert",
    "repository_advisory": "advisory",
}
_DETECTED: Final = "appeared_in_branch created create reintroduced publicly_leaked reported"
_UPDATED: Final = "reopened reopened_by_user reopen auto_reopened validated assigned unassigned updated_assignment"
_RESOLVED: Final = "fixed closed_by_user dismissed dismiss auto_dismissed resolved resolve"
STAGES: Final = {
    **dict.fromkeys(_DETECTED.split(), "detected"),
    **dict.fromkeys(_UPDATED.split(), "updated"),
    **dict.fromkeys(_RESOLVED.split(), "resolved"),
}
_SEVERITY: Final = {"critical": "error", "high": "error", "error": "error", "medium": "warning", "warning": "warning"}


def alert(hook: Hook) -> Event:
    """A finding appears, changes, or is dealt with."""
    if hook.action not in STAGES:
        raise UnknownKind(hook.native)
    item = hook.body["repository_advisory" if hook.name == "repository_advisory" else "alert"]
    number = item["ghsa_id"].word("") or item["number"].word("") or item["id"].word()
    about = item.at("rule", "description").text("") or item.at("security_advisory", "summary").text("")
    about = about or item["secret_type_display_name"].text("") or item["summary"].text("")
    level = item.at("rule", "severity").text("") or item.at("security_advisory", "severity").text("")
    title = f"{ALERTS[hook.name]} {number}"
    return hook.event(
        f"incident.{STAGES[hook.action]}",
        hook.thing("alert", hook.name.removesuffix("_location"), number),
        f"{hook.project}: {title} {hook.action.replace('_', ' ')}{f': {about}' if about else ''}",
        time=item["updated_at"].moment(),
        link=item["html_url"].link(),
        severity="info" if STAGES[hook.action] == "resolved" else _SEVERITY.get(level, "warning"),
        refs=[commit(hook.body["commit_oid"])],
    )
