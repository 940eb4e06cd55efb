"""The vocabulary of Forgejo and Gitea as tables: what each webhook event means, what is left out and why.

Nothing here reads a payload. Keys are the words of the header `…-Event-Type`. Known are all events that either of the
two can send to a webhook.
"""

from __future__ import annotations

from typing import Final

_PULL: Final = "change.updated"
_DONE: Final = "pipelinerun.finished"

KINDS: Final = {
    "action_run_failure": _DONE,
    "action_run_success": _DONE,
    "create": "branch.created, tag.created",
    "delete": "branch.deleted, tag.deleted",
    "fork": "repository.forked",
    "issue_assign": "ticket.updated",
    "issue_comment": "comment.added, comment.updated, comment.deleted",
    "issue_label": "ticket.updated",
    "issue_milestone": "ticket.updated",
    "issues": "ticket.created, ticket.updated, ticket.closed, ticket.deleted",
    "package": "artifact.published, artifact.deleted",
    "pull_request": "change.created, change.updated, change.merged, change.abandoned, change.restored, change.deleted",
    "pull_request_assign": _PULL,
    "pull_request_comment": "comment.added, comment.updated, comment.deleted",
    "pull_request_label": _PULL,
    "pull_request_milestone": _PULL,
    "pull_request_review_approved": "change.reviewed",
    "pull_request_review_comment": "comment.added",
    "pull_request_review_rejected": "change.reviewed",
    "pull_request_review_request": _PULL,
    "pull_request_sync": _PULL,
    "push": "branch.updated; with refs_from = push also branch.created, branch.deleted, tag.created, tag.updated, "
    "tag.deleted",
    "release": "artifact.published, artifact.updated, artifact.deleted",
    "repository": "repository.created, repository.deleted",
    "status": "taskrun.started, taskrun.finished",
    "wiki": "wikipage.created, wikipage.updated, wikipage.deleted",
    "workflow_job": "taskrun.queued, taskrun.started, taskrun.finished",
    "workflow_job_blocked": "taskrun.queued",
    "workflow_job_cancelled": "taskrun.finished",
    "workflow_job_failure": "taskrun.finished",
    "workflow_job_running": "taskrun.started",
    "workflow_job_skipped": "taskrun.finished",
    "workflow_job_success": "taskrun.finished",
    "workflow_job_waiting": "taskrun.queued",
    "workflow_run": "pipelinerun.queued, pipelinerun.started, pipelinerun.finished",
}

ALWAYS: Final = {
    "action_run_recover": "comes together with action_run_success, about the same run",
    "schedule": "internal: the run that it starts is an event",
    "workflow_dispatch": "internal: the run that it starts is an event",
}
"""Events that are ignored whatever they hold."""

IGNORED: Final = {
    **ALWAYS,
    "visibility-unknown": "nothing in the payload says that everybody can read the repository, so nobody may",
    "private-repository": "private and internal repositories, and those of owners that not everybody sees, stay "
    "private, unless private_repositories = true (streams for an audience come in a later version)",
    "push.ref": "create or delete says the same (refs_from turns this around)",
    "create": "refs_from is push, and the push of the same branch or tag says so",
    "delete": "refs_from is push, and the push of the same tag says so",
    "release.draft": "drafts are not public yet",
}
"""Known and on purpose no events, with the reason."""
