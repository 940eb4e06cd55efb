"""GitHub: what its webhooks mean. Declaration and dispatch; the readers are next door, by subject.

In: a delivery, whose event is named by the header `X-GitHub-Event`. Out: events, `Ignored` by the list in `kinds.py`,
or `UnknownKind`. Types and ids are those of the CloudEvents adapter for GitHub. It refuses to know how a delivery was
verified, and to make anything public that happens in a private repository.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from firehose.errors import Refused, UnknownKind
from firehose.event import Event
from firehose.source import Delivery, Ignored, Scheme, SourceKind, Verdict
from firehose.sources.github import changes, pushes, repositories, runs, security, tickets
from firehose.sources.github.hook import Hook, Settings
from firehose.sources.github.kinds import ALWAYS, IGNORED, KINDS
from firehose.sources.github.shape import guess

Reader = Callable[[Hook], Event | Ignored | Sequence[Event]]

READERS: Final[dict[str, Reader]] = {
    "branch_protection_configuration": repositories.rule,
    "branch_protection_rule": repositories.rule,
    "check_run": runs.check_run,
    "check_suite": runs.check_suite,
    "commit_comment": tickets.commit_comment,
    "create": pushes.created,
    "delete": pushes.created,
    "deployment": runs.deployment,
    "deployment_review": runs.deployment_review,
    "deployment_status": runs.deployment_status,
    "discussion": tickets.discussion,
    "discussion_comment": tickets.discussion_comment,
    "fork": repositories.fork,
    "gollum": repositories.gollum,
    "issue_comment": tickets.issue_comment,
    "issue_dependencies": tickets.relation,
    "issues": tickets.issues,
    "label": repositories.rule,
    "merge_group": pushes.merge_group,
    "meta": repositories.meta,
    "milestone": tickets.milestone,
    "package": repositories.package,
    "page_build": runs.page_build,
    "public": repositories.public,
    "pull_request": changes.pull_request,
    "pull_request_review": changes.review,
    "pull_request_review_comment": changes.review_comment,
    "pull_request_review_thread": changes.review_thread,
    "push": pushes.push,
    "release": repositories.release,
    "repository": repositories.repository,
    "repository_advisory": repositories.advisory,
    "repository_import": repositories.repository_import,
    "repository_ruleset": repositories.rule,
    "status": runs.status,
    "sub_issues": tickets.relation,
    "workflow_job": runs.workflow_job,
    "workflow_run": runs.workflow_run,
    **{name: security.alert for name in security.ALERTS if name != "repository_advisory"},
}


def read(delivery: Delivery, settings: Settings) -> Verdict:
    """What one GitHub delivery means."""
    hook = Hook(delivery, settings)
    if hook.name in ALWAYS:
        return Ignored(hook.name)
    if hook.name not in READERS:
        raise UnknownKind(hook.native)
    if not settings.audience:
        if hook.private and not settings.private_repositories:
            return Ignored("private-repository")
        if hook.name in security.ALERTS and hook.native != "repository_advisory.published":
            return Ignored("security-finding")
    reader = READERS[hook.name]
    if hook.native == "repository_advisory.reported":
        reader = security.alert
    if not hook.project and hook.name != "meta":
        raise Refused("repository.full_name is missing", slug="bad-field", status=422, field="repository.full_name")
    if hook.project and hook.unsaid and not (settings.audience or settings.private_repositories):
        return Ignored("visibility-unknown")
    found = reader(hook)
    return [found] if isinstance(found, Event) else found


def native_kind(delivery: Delivery) -> str:
    """GitHub's word for the event and what was done, `pull_request.opened`; "" when it cannot be read."""
    try:
        return Hook(delivery, Settings(kind="github")).native
    except Refused:
        return ""


SOURCE: Final = SourceKind(
    name="github",
    title="GitHub",
    family="forge",
    settings=Settings,
    read=read,
    kinds=KINDS,
    ignored=IGNORED,
    hidden=(
        "hook.config",
        "repository.temp_clone_token",
        "forkee.temp_clone_token",
        "pull_request.head.repo.temp_clone_token",
        "pull_request.base.repo.temp_clone_token",
        "alert.secret",
    ),
    schemes=(Scheme("hmac-sha256", header="X-Hub-Signature-256", prefix="sha256="),),
    native_kind=native_kind,
    guess=guess,
)
