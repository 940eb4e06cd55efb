"""GitLab's pipelines, jobs and deployments.

In: a `Hook`. Out: events of kinds `pipelinerun.*`, `taskrun.*`, `service.deployed`. All carry the commit as a ref, and
the merge request where GitLab names it, so that a build joins its change.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from firehose.errors import UnknownKind
from firehose.event import Event
from firehose.source import Ignored
from firehose.sources.gitlab.hook import Hook, commit
from firehose.wild import Wild

LONGEST_WAIT: Final = 30 * 86_400
STATUSES: Final = {
    "created": ("queued", "queued", "was created"),
    "waiting_for_resource": ("queued", "queued", "waits for a resource"),
    "waiting_for_callback": ("queued", "queued", "waits for a callback"),
    "preparing": ("queued", "queued", "is prepared"),
    "pending": ("queued", "queued", "is queued"),
    "manual": ("queued", "queued", "waits for somebody to start it"),
    "scheduled": ("queued", "queued", "waits for its time"),
    "running": ("started", "running", "started"),
    "success": ("finished", "success", "succeeded"),
    "failed": ("finished", "failure", "failed"),
    "canceled": ("finished", "cancel", "was cancelled"),
    "skipped": ("finished", "skipped", "was skipped"),
}
_SEVERITY: Final = {"failure": "warning", "cancel": "notice"}
# Pipelines of merge requests run on refs that name them.
_OF_MERGE_REQUEST: Final = re.compile(r"^refs/merge-requests/([0-9]{1,9})/")


def pipeline(hook: Hook) -> Event | Ignored:
    """`pipeline`."""
    item = hook.own
    status = item["status"].text()
    if status == "canceling":
        return Ignored("pipeline.canceling")
    if status not in STATUSES:
        raise UnknownKind(f"pipeline.{status}")
    predicate, outcome, words = STATUSES[status]
    ref = item["ref"].text("")
    number = item["id"].word()
    change = hook.body["merge_request"]
    upstream = hook.body["source_pipeline"]
    parent = upstream.at("project", "path_with_namespace").text("")
    web = hook.body.at("project", "web_url").link()
    return hook.event(
        f"pipelinerun.{predicate}",
        hook.thing("pipeline", number),
        f"{hook.project}: pipeline {number} {words} on {ref}",
        time=_moment(hook, item, predicate),
        link=item["url"].link() or (f"{web}/-/pipelines/{number}" if web and number.isdigit() else ""),
        outcome=outcome,
        severity=_SEVERITY.get(outcome, "info"),
        refs=[
            commit(item["sha"]),
            hook.merge_request_elsewhere(change) if change.present else _change(hook, ref),
            f"pipeline/{parent.replace(' ', '')}/{upstream['pipeline_id'].word()}" if parent else "",
            *(hook.thing("job", job["id"].word()) for job in list(hook.body["builds"].each())[:40]),
        ],
        text=" ".join([ref, item["source"].text(""), item["name"].text(""), hook.body.at("commit", "title").text("")]),
        type=f"pipeline.{status}",
    )


def _moment(hook: Hook, item: Wild, predicate: str) -> datetime | None:
    """When it happened. No field says when a pipeline began to run: its first job did, or it had waited so long."""
    created = item["created_at"].moment()
    if predicate == "finished":
        return item["finished_at"].moment()
    if predicate != "started":
        return created
    begun = [moment for job in hook.body["builds"].each() if (moment := job["started_at"].moment()) is not None]
    waited = min(max(item["queued_duration"].number(0), 0), LONGEST_WAIT)
    return min(begun, default=created and created + timedelta(seconds=waited))


def _change(hook: Hook, ref: str) -> str:
    match = _OF_MERGE_REQUEST.match(ref)
    return f"{hook.home}!{match.group(1)}" if match else ""


def job(hook: Hook) -> Event | Ignored:
    """`build`, which GitLab's documentation calls a job event."""
    body = hook.body
    status = body["build_status"].text()
    if status == "canceling":
        return Ignored("job.canceling")
    if status not in STATUSES:
        raise UnknownKind(f"job.{status}")
    predicate, outcome, words = STATUSES[status]
    number, ref = body["build_id"].word(), body["ref"].text("")
    at = {"queued": "build_created_at", "started": "build_started_at", "finished": "build_finished_at"}[predicate]
    severity = _SEVERITY.get(outcome, "info")
    if severity == "warning" and body["build_allow_failure"].flag(False):
        severity, words = "notice", f"{words} (allowed)"
    web = body.at("project", "web_url").link() or body.at("repository", "homepage").link()
    return hook.event(
        f"taskrun.{predicate}",
        hook.thing("job", number),
        f"{hook.project}: job {body['build_name'].text('?')} {words} on {ref}",
        time=body[at].moment(),
        link=f"{web}/-/jobs/{number}" if web and number.isdigit() else "",
        outcome=outcome,
        severity=severity,
        refs=[_pipeline(hook, body["pipeline_id"]), commit(body["sha"]), _change(hook, ref)],
        text=" ".join([body["build_stage"].text(""), body["build_failure_reason"].text(""), ref]),
        type=f"job.{status}",
    )


def _pipeline(hook: Hook, number: Wild) -> str:
    return hook.thing("pipeline", number.word()) if number.present else ""


DEPLOYMENTS: Final = {
    "created": ("taskrun.queued", "queued", "was asked for"),
    "blocked": ("taskrun.queued", "queued", "waits for approval"),
    "running": ("taskrun.started", "running", "started"),
    "success": ("service.deployed", "success", "succeeded"),
    "failed": ("taskrun.finished", "failure", "failed"),
    "canceled": ("taskrun.finished", "cancel", "was cancelled"),
    "skipped": ("taskrun.finished", "skipped", "was skipped"),
}
_SHA_AT_END: Final = re.compile(r"/commit/([0-9a-f]{40,64})$")


def deployment(hook: Hook) -> Event:
    """`deployment`; only a success is `service.deployed`."""
    body = hook.body
    status = body["status"].text()
    if status not in DEPLOYMENTS:
        raise UnknownKind(f"deployment.{status}")
    kind, outcome, words = DEPLOYMENTS[status]
    place = body["environment"].text("?")
    sha = _SHA_AT_END.search(body["commit_url"].link())
    what = body["ref"].text("") or body["short_sha"].text("")
    return hook.event(
        kind,
        hook.thing("deployment", body["deployment_id"].word()),
        f"{hook.project}: deployment of {what} to {place} {words}",
        time=body["status_changed_at"].moment(),
        link=body["deployable_url"].link() or body["environment_external_url"].link(),
        outcome=outcome,
        severity=_SEVERITY.get(outcome, "info"),
        refs=[
            f"commit/{sha.group(1)}" if sha else "",
            hook.thing("environment", place),
            hook.thing("job", body["deployable_id"].word()) if body["deployable_id"].present else "",
        ],
        text=body["commit_title"].text(""),
        type=f"deployment.{status}",
    )
