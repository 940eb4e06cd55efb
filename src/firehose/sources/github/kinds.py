"""GitHub's vocabulary as tables: what each webhook event means, what is left out and why.

Nothing here reads a payload. The reference pages show these tables, so every entry is written for operators. Known
are all events of GitHub's page "Webhook events and payloads" that repository, organisation and app webhooks send.
"""

from __future__ import annotations

from typing import Final

_COMMENT: Final = "comment.added, comment.updated, comment.deleted"
_RUN: Final = "pipelinerun.queued, pipelinerun.started, pipelinerun.finished"
_TASK: Final = "taskrun.queued, taskrun.started, taskrun.finished"

KINDS: Final = {
    "branch_protection_configuration": "repository.modified",
    "branch_protection_rule": "repository.modified",
    "check_run": "taskrun.started, taskrun.finished",
    "check_suite": "pipelinerun.queued, pipelinerun.finished",
    "code_scanning_alert": "incident.detected, incident.updated, incident.resolved (only for an audience)",
    "commit_comment": "comment.added",
    "create": "branch.created, tag.created (with refs_from = create)",
    "delete": "branch.deleted, tag.deleted (with refs_from = create)",
    "dependabot_alert": "incident.detected, incident.updated, incident.resolved (only for an audience)",
    "deployment": "taskrun.queued",
    "deployment_review": "approval.created, approval.closed",
    "deployment_status": f"{_TASK}, service.deployed (success), environment.modified (inactive)",
    "discussion": "discussion.created, discussion.updated, discussion.closed, discussion.deleted",
    "discussion_comment": _COMMENT,
    "fork": "repository.forked",
    "gollum": "wikipage.created, wikipage.updated, wikipage.deleted",
    "issue_comment": _COMMENT,
    "issue_dependencies": "ticket.updated",
    "issues": "ticket.created, ticket.updated, ticket.closed, ticket.deleted",
    "label": "repository.modified",
    "merge_group": "change.updated",
    "meta": "incident.detected (the webhook was deleted)",
    "milestone": "milestone.created, milestone.updated, milestone.closed, milestone.deleted",
    "package": "artifact.published, artifact.updated",
    "page_build": "taskrun.finished",
    "public": "repository.modified",
    "pull_request": "change.created, change.updated, change.merged, change.abandoned, change.restored",
    "pull_request_review": "change.reviewed (a vote), comment.added, comment.updated",
    "pull_request_review_comment": _COMMENT,
    "pull_request_review_thread": "change.updated",
    "push": "branch.created, branch.updated, branch.deleted, tag.created, tag.updated, tag.deleted",
    "release": "artifact.published, artifact.updated, artifact.deleted",
    "repository": "repository.created, repository.modified, repository.deleted",
    "repository_advisory": "incident.reported (published), incident.detected (reported, only for an audience)",
    "repository_import": "repository.modified",
    "repository_ruleset": "repository.modified",
    "repository_vulnerability_alert": "incident.detected, incident.updated, incident.resolved (only for an audience)",
    "secret_scanning_alert": "incident.detected, incident.updated, incident.resolved (only for an audience)",
    "secret_scanning_alert_location": "incident.detected (only for an audience)",
    "status": "taskrun.started, taskrun.finished",
    "sub_issues": "ticket.updated",
    "workflow_job": _TASK,
    "workflow_run": _RUN,
}

_PEOPLE: Final = "who may do what is about people and access, not about what happens in the project"
_APP: Final = "about an app's own installation or the person who installed it"
_MONEY: Final = "money is between GitHub and its customers"
_ASKED: Final = "a request; what comes of it is an event"
_BOARD: Final = "boards have no repository whose visibility could be checked; their issues and changes are events"
_FAME: Final = "popularity is not activity"
_EXEMPT: Final = "requests to get around a security rule are no public matter"

ALWAYS: Final = {
    "bypass_request_push_ruleset": _EXEMPT,
    "bypass_request_secret_scanning": _EXEMPT,
    "content_reference": "retired by GitHub",
    "custom_property": "the organisation's own bookkeeping of repositories",
    "custom_property_promoted_to_enterprise": "the organisation's own bookkeeping of repositories",
    "custom_property_values": "the organisation's own bookkeeping of repositories",
    "deploy_key": _PEOPLE,
    "deployment_protection_rule": _ASKED,
    "dismissal_request_code_scanning": _EXEMPT,
    "dismissal_request_dependabot": _EXEMPT,
    "dismissal_request_secret_scanning": _EXEMPT,
    "exemption_request_push_ruleset": _EXEMPT,
    "exemption_request_secret_scanning": _EXEMPT,
    "github_app_authorization": _APP,
    "installation": _APP,
    "installation_repositories": _APP,
    "installation_target": _APP,
    "integration_installation": "retired by GitHub",
    "integration_installation_repositories": "retired by GitHub",
    "marketplace_purchase": _MONEY,
    "member": _PEOPLE,
    "membership": _PEOPLE,
    "org_block": _PEOPLE,
    "organization": _PEOPLE,
    "personal_access_token_request": _PEOPLE,
    "ping": "GitHub's greeting to a new webhook",
    "project": _BOARD,
    "project_card": _BOARD,
    "project_column": _BOARD,
    "projects_v2": _BOARD,
    "projects_v2_item": _BOARD,
    "projects_v2_status_update": _BOARD,
    "registry_package": "the event package says the same, and GitHub recommends it",
    "repository_dispatch": _ASKED,
    "secret_scanning_scan": "the scanner's own bookkeeping",
    "security_advisory": "GitHub's global database, about no repository of ours",
    "security_and_analysis": "the security settings of a repository are no public matter",
    "sponsorship": _MONEY,
    "star": _FAME,
    "team": _PEOPLE,
    "team_add": _PEOPLE,
    "watch": _FAME,
    "workflow_dispatch": _ASKED,
}
"""Events that are ignored whatever they hold."""

IGNORED: Final = {
    **ALWAYS,
    "visibility-unknown": "nothing in the payload says that everybody can read the repository, so nobody may",
    "private-repository": "private and internal repositories stay private, unless "
    "private_repositories = true (streams for an audience come in a later version)",
    "security-finding": "a finding must not be public before it is fixed (streams for an audience come later)",
    "create": "the push of the same branch or tag says so, with its commit (refs_from turns this around)",
    "delete": "the push that deletes the same branch or tag says so (refs_from turns this around)",
    "push.ref": "refs_from is create, and the event create or delete says the same",
    "check_run.actions": "a check of GitHub Actions: the event workflow_job says the same, and more",
    "check_run.rerequested": _ASKED,
    "check_run.requested_action": _ASKED,
    "check_suite.actions": "the checks of GitHub Actions: the event workflow_run says the same, and more",
    "check_suite.rerequested": _ASKED,
    "pull_request_review.empty": "the wrapper of single line comments, each of which is an event",
    "release.created": "a draft, or it comes together with release.published",
    "release.draft": "drafts are not public yet",
    "repository.publicized": "the event public says the same",
}
"""Known and on purpose no events, with the reason."""
