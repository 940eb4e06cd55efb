"""GitLab's vocabulary as tables: what each webhook means, what is left out and why.

Nothing here reads a payload. The reference pages show these tables, so every entry is written for operators. Known
are all events of GitLab's pages "Webhook events" (project and group) and "System hooks".
"""

from __future__ import annotations

from typing import Final

KINDS: Final = {
    "build": "taskrun.queued, taskrun.started, taskrun.finished",
    "deployment": "taskrun.queued, taskrun.started, taskrun.finished, service.deployed (success)",
    "feature_flag": "featureflag.updated",
    "issue": "ticket.created, ticket.updated, ticket.closed",
    "merge_request": "change.created, change.updated, change.reviewed (approvals), change.merged, "
    "change.abandoned (closed), change.restored (reopened)",
    "milestone": "milestone.created, milestone.updated, milestone.closed, milestone.deleted",
    "note": "comment.added, comment.updated",
    "pipeline": "pipelinerun.queued, pipelinerun.started, pipelinerun.finished",
    "project_create": "repository.created",
    "project_destroy": "repository.deleted",
    "project_rename": "repository.modified",
    "project_transfer": "repository.modified",
    "project_update": "repository.modified",
    "push": "branch.created, branch.updated, branch.deleted",
    "release": "artifact.published, artifact.updated, artifact.deleted",
    "tag_push": "tag.created, tag.updated, tag.deleted",
    "vulnerability": "incident.detected, incident.updated, incident.resolved (only for an audience)",
    "wiki_page": "wikipage.created, wikipage.updated, wikipage.deleted",
    "work_item": "ticket.created, ticket.updated, ticket.closed",
}

_PEOPLE: Final = "who may do what is about people and access, not about what happens in the project"
_GROUP: Final = "a group's event does not say whether the group is public"
_TOKEN: Final = "credentials of a project are no public matter"

ALWAYS: Final = {
    "access_token": _TOKEN,
    "deploy_token": _TOKEN,
    "emoji": "a reaction says nothing that could be read or searched",
    "gitlab_subscription_member_approval": _PEOPLE,
    "gitlab_subscription_member_approvals": _PEOPLE,
    "group_create": _GROUP,
    "group_destroy": _GROUP,
    "group_rename": _GROUP,
    "key_create": _PEOPLE,
    "key_destroy": _PEOPLE,
    "repository_update": "push and tag_push say the same, and more",
    "subgroup_create": _GROUP,
    "subgroup_destroy": _GROUP,
    "user_access_request_revoked_for_group": _PEOPLE,
    "user_access_request_revoked_for_project": _PEOPLE,
    "user_access_request_to_group": _PEOPLE,
    "user_access_request_to_project": _PEOPLE,
    "user_add_to_group": _PEOPLE,
    "user_add_to_team": _PEOPLE,
    "user_create": _PEOPLE,
    "user_destroy": _PEOPLE,
    "user_failed_login": _PEOPLE,
    "user_remove_from_group": _PEOPLE,
    "user_remove_from_team": _PEOPLE,
    "user_rename": _PEOPLE,
    "user_update_for_group": _PEOPLE,
    "user_update_for_team": _PEOPLE,
}
"""Events that are ignored whatever they hold."""

IGNORED: Final = {
    **ALWAYS,
    "confidential": "confidential issues and internal notes must not become public (streams for an audience come in a "
    "later version)",
    "visibility-unknown": "nothing in the payload says that everybody can read the project, so nobody may",
    "private-repository": "private and internal projects stay private, unless "
    "private_repositories = true (streams for an audience come in a later version)",
    "security-finding": "a finding must not be public before it is fixed (streams for an audience come later)",
    "note.system": "notes that GitLab itself writes repeat what other events say",
    "pipeline.canceling": "the pipeline's end follows",
    "job.canceling": "the job's end follows",
}
"""Known and on purpose no events, with the reason."""
