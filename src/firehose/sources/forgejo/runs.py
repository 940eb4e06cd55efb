"""Forgejo's and Gitea's builds: commit statuses, workflow runs and jobs, by all the names the two give them.

In: a `Hook`. Out: events of kinds `pipelinerun.*` and `taskrun.*`. All carry the commit as a ref, and the pull request
where it is named, so that a build joins its change.
"""

from __future__ import annotations

import re
from typing import Final

from firehose.errors import UnknownKind
from firehose.event import Event
from firehose.sources.forgejo.hook import Hook, commit
from firehose.wild import Wild

OUTCOMES: Final = {
    "success": ("success", "succeeded"),
    "failure": ("failure", "failed"),
    "cancelled": ("cancel", "was cancelled"),
    "skipped": ("skipped", "was skipped"),
}
_SEVERITY: Final = {"failure": "warning", "error": "error", "cancel": "notice"}
STAGES: Final = {
    "requested": ("queued", "queued", "is queued"),
    "queued": ("queued", "queued", "is queued"),
    "waiting": ("queued", "queued", "waits for a runner"),
    "blocked": ("queued", "queued", "waits for other jobs"),
    "in_progress": ("started", "running", "started"),
    "running": ("started", "running", "started"),
}
# How a run that a pull request set off names what it runs on.
_PULL: Final = re.compile(r"^(?:#|refs/pull/)([0-9]{1,9})(?:/|$)")


def _stage(word: str, conclusion: str, native: str) -> tuple[str, str, str]:
    """Predicate, outcome and words of where a run or job stands."""
    if word in STAGES:
        return STAGES[word]
    if word != "completed" and word not in OUTCOMES:
        raise UnknownKind(native)
    outcome, words = OUTCOMES.get(conclusion if word == "completed" else word, ("error", "failed"))
    return "finished", outcome, words


def _pulls(hook: Hook, ref: str, items: Wild) -> list[str]:
    match = _PULL.match(ref)
    found = [f"{hook.home}#{match.group(1)}"] if match else []
    number = hook.body.at("pull_request", "number")
    found += [hook.numbered(number)] if number.present else []
    return found + [hook.numbered(item["number"]) for item in list(items.each())[:40]]


def workflow_run(hook: Hook) -> Event:
    """Gitea's `workflow_run`."""
    run = hook.body["workflow_run"]
    predicate, outcome, words = _stage(hook.action, run["conclusion"].text(""), hook.native)
    name = hook.body.at("workflow", "name").text("") or run["path"].text("").partition("@")[0] or "workflow"
    branch = run["head_branch"].text("")
    at = "completed_at" if predicate == "finished" else "started_at"
    return hook.event(
        f"pipelinerun.{predicate}",
        hook.thing("run", run["id"].word()),
        f"{hook.project}: {name} #{run['run_number'].word('?')} {words} on {branch}",
        time=run[at].moment(),
        link=run["html_url"].link(),
        outcome=outcome,
        severity=_SEVERITY.get(outcome, "info"),
        refs=[commit(run["head_sha"]), *_pulls(hook, branch, run["pull_requests"])],
        text=" ".join([run["display_title"].text(""), run["event"].text(""), branch]),
    )


def workflow_job(hook: Hook) -> Event:
    """Gitea's `workflow_job`."""
    job = hook.body["workflow_job"]
    predicate, outcome, words = _stage(hook.action, job["conclusion"].text(""), hook.native)
    at = {"queued": "created_at", "started": "started_at", "finished": "completed_at"}[predicate]
    return hook.event(
        f"taskrun.{predicate}",
        hook.thing("job", job["id"].word()),
        f"{hook.project}: job {job['name'].text('?')} {words}",
        time=job[at].moment(),
        link=job["html_url"].link(),
        outcome=outcome,
        severity=_SEVERITY.get(outcome, "info"),
        refs=[_run(hook, job["run_id"]), commit(job["head_sha"]), *_pulls(hook, "", job["pull_requests"])],
        text=" ".join([job["head_branch"].text(""), job["runner_name"].text("")]),
    )


def action_run(hook: Hook) -> Event:
    """Forgejo's `action_run_success` and `action_run_failure`: a run has ended."""
    run = hook.body["run"]
    outcome, words = OUTCOMES[hook.name.rpartition("_")[2]]
    ref = run["prettyref"].text("")
    return hook.event(
        "pipelinerun.finished",
        hook.thing("run", run["id"].word()),
        f"{hook.project}: {run['workflow_id'].text('workflow')} #{run['index_in_repo'].word('?')} {words} on {ref}",
        time=run["stopped"].moment() or run["updated"].moment(),
        link=run["html_url"].link(),
        outcome=outcome,
        severity=_SEVERITY.get(outcome, "info"),
        refs=[commit(run["commit_sha"]), *_pulls(hook, ref, run["pull_requests"])],
        text=" ".join([run["title"].text(""), run["event"].text(""), ref]),
    )


def job_changed(hook: Hook) -> Event:
    """Forgejo's `workflow_job_waiting`, `…_running`, `…_success` …: the event's name says where the job stands."""
    job, run = hook.body["job"], hook.body["run"]
    word = hook.name.removeprefix("workflow_job_")
    predicate, outcome, words = _stage(word, "", hook.native)
    at = {"queued": "created", "started": "started", "finished": "stopped"}[predicate]
    ref = run["prettyref"].text("")
    return hook.event(
        f"taskrun.{predicate}",
        hook.thing("job", job["id"].word()),
        f"{hook.project}: job {job['name'].text('?')} {words}" + (f" on {ref}" if ref else ""),
        time=job[at].moment() or job["updated"].moment(),
        link=job["html_url"].link() or run["html_url"].link(),
        outcome=outcome,
        severity=_SEVERITY.get(outcome, "info"),
        refs=[
            _run(hook, run["id"] if run["id"].present else job["run_id"]),
            commit(job["commit_sha"]) or commit(run["commit_sha"]),
            *_pulls(hook, ref, run["pull_requests"]),
        ],
        text=" ".join([run["title"].text(""), run["workflow_id"].text("")]),
    )


def status(hook: Hook) -> Event:
    """`status`: a commit status, as services outside report theirs."""
    stages = {
        "pending": ("started", "running", "started"),
        "success": ("finished", "success", "succeeded"),
        "failure": ("finished", "failure", "failed"),
        "error": ("finished", "error", "broke off"),
        "warning": ("finished", "success", "succeeded with warnings"),
        "skipped": ("finished", "skipped", "was skipped"),
    }
    state = hook.body["state"].text()
    if state not in stages:
        raise UnknownKind(f"status.{state}")
    predicate, outcome, words = stages[state]
    sha, context = hook.body["sha"].text(), hook.body["context"].text("default")
    return hook.event(
        f"taskrun.{predicate}",
        hook.thing("status", sha, context),
        f"{hook.project}: {context} {words} for commit {sha[:10]}",
        time=hook.body["updated_at"].moment() or hook.body["created_at"].moment(),
        link=hook.body["target_url"].link() or hook.body.at("commit", "url").link(),
        outcome=outcome,
        severity=_SEVERITY.get(outcome, "info"),
        refs=[commit(hook.body["sha"])],
        text=hook.body["description"].text(""),
    )


def _run(hook: Hook, number: Wild) -> str:
    return hook.thing("run", number.word()) if number.present else ""
