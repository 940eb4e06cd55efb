"""GitHub's builds: workflow runs and jobs, checks, commit statuses, deployments.

In: a `Hook`. Out: events of kinds `pipelinerun.*`, `taskrun.*`, `service.deployed`, `approval.*`. All carry the
commit as a ref, and the pull requests where GitHub names them, so that a build joins its change.
"""

from __future__ import annotations

from typing import Final

from firehose.errors import UnknownKind
from firehose.event import Event
from firehose.source import Ignored
from firehose.sources.github.hook import Details, Hook, commit, pulls
from firehose.wild import Wild

OUTCOMES: Final = {
    "success": "success",
    "failure": "failure",
    "cancelled": "cancel",
    "skipped": "skipped",
    "neutral": "success",
    "timed_out": "failure",
    "startup_failure": "error",
    "action_required": "failure",
    "stale": "cancel",
}
_ENDED: Final = {
    "success": "succeeded",
    "neutral": "ended (neutral)",
    "cancelled": "was cancelled",
    "skipped": "was skipped",
    "timed_out": "timed out",
    "startup_failure": "could not start",
    "action_required": "needs somebody to act",
    "stale": "was given up",
}
SEVERITY: Final = {"failure": "warning", "error": "error", "cancel": "notice"}
RUN_STAGES: Final = {
    "requested": ("queued", "queued"),
    "queued": ("queued", "queued"),
    "waiting": ("queued", "queued"),
    "pending": ("queued", "queued"),
    "in_progress": ("started", "running"),
    "created": ("started", "running"),
    "completed": ("finished", ""),
}


def _stage(hook: Hook, item: Wild, allowed: str) -> tuple[str, Details, str]:
    """The predicate, its details, and the words for where a run stands."""
    if hook.action not in allowed.split():
        raise UnknownKind(hook.native)
    # A check may be created before its turn has come: then its status says so.
    waits = hook.action == "created" and item["status"].text("") in ("queued", "waiting", "pending", "requested")
    predicate, outcome = RUN_STAGES["queued" if waits else hook.action]
    if predicate == "finished":
        conclusion = item["conclusion"].text("")
        outcome = OUTCOMES.get(conclusion, "error")
        words = _ENDED.get(conclusion, "failed")
    else:
        words = {"queued": "is queued", "started": "started"}[predicate]
    return predicate, {"outcome": outcome, "severity": SEVERITY.get(outcome, "info")}, words


def workflow_run(hook: Hook) -> Event:
    """`workflow_run`: one run of a workflow, with all its jobs."""
    run = hook.body["workflow_run"]
    predicate, more, words = _stage(hook, run, "requested in_progress completed")
    name = run["name"].text("") or hook.body.at("workflow", "name").text("") or "workflow"
    branch = run["head_branch"].text("")
    more |= {
        "time": run["updated_at"].moment(),
        "link": run["html_url"].link(),
        "refs": [commit(run["head_sha"]), *pulls(run["pull_requests"]), _suite(hook, run["check_suite_id"])],
        "text": " ".join([run["display_title"].text(""), branch, run["event"].text(""), run["path"].text("")]),
    }
    title = f"{name} #{run['run_number'].word('')}".removesuffix(" #")
    on = f" on {branch}" if branch else ""
    summary = f"{hook.project}: {title} {words}{on}"
    return hook.event(f"pipelinerun.{predicate}", hook.thing("run", run["id"].word()), summary, **more)


def workflow_job(hook: Hook) -> Event:
    """`workflow_job`."""
    job = hook.body["workflow_job"]
    predicate, more, words = _stage(hook, job, "queued waiting in_progress completed")
    at = {"queued": "created_at", "started": "started_at", "finished": "completed_at"}[predicate]
    more |= {
        "time": job[at].moment(),
        "link": job["html_url"].link(),
        "refs": [_run(hook, job["run_id"]), commit(job["head_sha"])],
        "text": " ".join([job["head_branch"].text(""), job["runner_name"].text(""), job["workflow_name"].text("")]),
    }
    flow = job["workflow_name"].text("")
    within = f" ({flow})" if flow else ""
    summary = f"{hook.project}: job {job['name'].text('?')}{within} {words}"
    return hook.event(f"taskrun.{predicate}", hook.thing("job", job["id"].word()), summary, **more)


def check_run(hook: Hook) -> Event | Ignored:
    """`check_run`: a check by an app. Those of GitHub Actions are its jobs again."""
    run = hook.body["check_run"]
    if hook.action in ("rerequested", "requested_action"):
        return Ignored(f"check_run.{hook.action}")
    if run.at("app", "slug").text("") == "github-actions":
        return Ignored("check_run.actions")
    predicate, more, words = _stage(hook, run, "created completed")
    if predicate == "started" and run["status"].text("") == "completed":
        predicate, more, words = "finished", *_ending(run)
    suite = run["check_suite"]
    more |= {
        "time": run["completed_at"].moment() or run["started_at"].moment(),
        "link": run["html_url"].link() or run["details_url"].link(),
        "refs": [commit(run["head_sha"]), *pulls(run["pull_requests"]), _suite(hook, suite["id"])],
        "text": " ".join([run.at("output", "title").text(""), suite["head_branch"].text("")]),
    }
    summary = f"{hook.project}: check {run['name'].text('?')} {words}"
    return hook.event(f"taskrun.{predicate}", hook.thing("job", run["id"].word()), summary, **more)


def _ending(run: Wild) -> tuple[Details, str]:
    conclusion = run["conclusion"].text("")
    outcome = OUTCOMES.get(conclusion, "error")
    return {"outcome": outcome, "severity": SEVERITY.get(outcome, "info")}, _ENDED.get(conclusion, "failed")


def check_suite(hook: Hook) -> Event | Ignored:
    """`check_suite`: all checks of one app for a commit. That of GitHub Actions is its workflow run again."""
    suite = hook.body["check_suite"]
    if hook.action == "rerequested":
        return Ignored("check_suite.rerequested")
    app = suite.at("app", "name").text("")
    if suite.at("app", "slug").text("") == "github-actions":
        return Ignored("check_suite.actions")
    predicate, more, words = _stage(hook, suite, "requested completed")
    more |= {
        "time": suite["updated_at"].moment(),
        "link": hook.repository["html_url"].link(),
        "refs": [commit(suite["head_sha"]), *pulls(suite["pull_requests"])],
        "text": f"{app} {suite['head_branch'].text('')}",
    }
    summary = f"{hook.project}: checks{f' of {app}' if app else ''} {_plural(words)}"
    return hook.event(f"pipelinerun.{predicate}", hook.thing("suite", suite["id"].word()), summary, **more)


def _plural(words: str) -> str:
    first, _, rest = words.partition(" ")
    return " ".join(filter(None, [{"is": "are", "was": "were", "needs": "need"}.get(first, first), rest]))


def status(hook: Hook) -> Event:
    """`status`: a commit status, as services without checks report theirs."""
    states = {"pending": ("started", "running"), "success": ("finished", "success"), "failure": ("finished", "failure")}
    states["error"] = ("finished", "error")
    state = hook.body["state"].text()
    if state not in states:
        raise UnknownKind(f"status.{state}")
    predicate, outcome = states[state]
    sha, context = hook.body["sha"].text(), hook.body["context"].text("default")
    words = {"running": "started", "success": "succeeded", "failure": "failed", "error": "broke off"}[outcome]
    return hook.event(
        f"taskrun.{predicate}",
        hook.thing("status", sha, context),
        f"{hook.project}: {context} {words} for commit {sha[:10]}",
        time=hook.body["updated_at"].moment(),
        link=hook.body["target_url"].link() or hook.body.at("commit", "html_url").link(),
        outcome=outcome,
        severity=SEVERITY.get(outcome, "info"),
        refs=[commit(hook.body["sha"])],
        text=" ".join([hook.body["description"].text(""), *(b["name"].text("") for b in hook.body["branches"].each())]),
    )


DEPLOYED: Final = {
    "pending": ("taskrun.queued", "queued", "is pending"),
    "queued": ("taskrun.queued", "queued", "is queued"),
    "waiting": ("taskrun.queued", "queued", "waits for approval"),
    "in_progress": ("taskrun.started", "running", "started"),
    "success": ("service.deployed", "success", "succeeded"),
    "failure": ("taskrun.finished", "failure", "failed"),
    "error": ("taskrun.finished", "error", "broke off"),
    "inactive": ("environment.modified", "", "was replaced"),
}


def deployment(hook: Hook) -> Event:
    """`deployment`: somebody or something asks for one."""
    if hook.action not in ("created", ""):
        raise UnknownKind(hook.native)
    return _deployment(hook, "taskrun.queued", "queued", "was asked for", hook.body["deployment"])


def deployment_status(hook: Hook) -> Event:
    """`deployment_status`: how it goes; only a success is `service.deployed`."""
    given = hook.body["deployment_status"]
    state = given["state"].text()
    if hook.action not in ("created", "") or state not in DEPLOYED:
        raise UnknownKind(f"{hook.native}.{state}")
    kind, outcome, words = DEPLOYED[state]
    return _deployment(hook, kind, outcome, words, given)


def _deployment(hook: Hook, kind: str, outcome: str, words: str, item: Wild) -> Event:
    deployed = hook.body["deployment"]
    place = item["environment"].text("") or deployed["environment"].text("?")
    log = item["log_url"].link() or item["target_url"].link() or item["environment_url"].link()
    return hook.event(
        kind,
        hook.thing("deployment", deployed["id"].word()),
        f"{hook.project}: deployment of {deployed['ref'].text('?')} to {place} {words}",
        time=item["updated_at"].moment(),
        link=log or hook.repository["html_url"].link(),
        outcome=outcome,
        severity=SEVERITY.get(outcome, "info"),
        refs=[
            commit(deployed["sha"]),
            hook.thing("environment", place),
            _run(hook, hook.body.at("workflow_run", "id")),
        ],
        text=item["description"].text(""),
        type=f"deployment_status.{item['state'].text()}" if hook.name == "deployment_status" else "deployment",
    )


def deployment_review(hook: Hook) -> Event:
    """`deployment_review`: a deployment waits for somebody's yes, or got the answer."""
    kinds = {"requested": "approval.created", "approved": "approval.closed", "rejected": "approval.closed"}
    if hook.action not in kinds:
        raise UnknownKind(hook.native)
    run = hook.body["workflow_run"]
    place = hook.body["environment"].text("") or hook.body.at("workflow_job_run", "environment").text("")
    words = "waits for approval" if hook.action == "requested" else f"was {hook.action}"
    outcome = {"approved": "success", "rejected": "failure"}.get(hook.action, "queued")
    return hook.event(
        kinds[hook.action],
        _run(hook, run["id"]) or hook.thing("environment", place or "?"),
        f"{hook.project}: deployment{f' to {place}' if place else ''} {words}",
        time=run["updated_at"].moment(),
        link=run["html_url"].link(),
        outcome=outcome,
        refs=[commit(run["head_sha"]), hook.thing("environment", place) if place else ""],
        text=hook.body["comment"].text(""),
    )


def page_build(hook: Hook) -> Event:
    """`page_build`: GitHub Pages built the site."""
    build = hook.body["build"]
    outcome = {"built": "success", "errored": "failure"}.get(build["status"].text(""), "error")
    return hook.event(
        "taskrun.finished",
        hook.thing("page-build", hook.body["id"].word()),
        f"{hook.project}: building its pages {'succeeded' if outcome == 'success' else 'failed'}",
        time=build["updated_at"].moment(),
        link=hook.repository["html_url"].link(),
        outcome=outcome,
        severity=SEVERITY.get(outcome, "info"),
        refs=[commit(build["commit"])],
        text=build.at("error", "message").text(""),
    )


def _run(hook: Hook, number: Wild) -> str:
    return hook.thing("run", number.word()) if number.present else ""


def _suite(hook: Hook, number: Wild) -> str:
    return hook.thing("suite", number.word()) if number.present else ""
