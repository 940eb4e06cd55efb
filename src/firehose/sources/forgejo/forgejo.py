"""Forgejo and Gitea: what their webhooks mean. Declaration and dispatch; the readers are next door, by subject.

In: a delivery, whose event is named by a header. Out: events, `Ignored` by the list in `kinds.py`, or `UnknownKind`.
One folder serves both words in the settings, `forgejo` and `gitea`: they send the same payloads, and types differ only
in the reverse DNS name in front. It refuses to make public what happens in a repository that is not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from firehose.errors import Refused, UnknownKind
from firehose.event import Event
from firehose.source import Delivery, Ignored, Scheme, SourceKind, Verdict
from firehose.sources.forgejo import changes, repositories, runs
from firehose.sources.forgejo.hook import Hook, Settings
from firehose.sources.forgejo.kinds import ALWAYS, IGNORED, KINDS
from firehose.sources.forgejo.shape import guess

Reader = Callable[[Hook], Event | Ignored]

READERS: Final[dict[str, Reader]] = {
    "create": repositories.ref_changed,
    "delete": repositories.ref_changed,
    "fork": repositories.fork,
    "push": repositories.push,
    "package": repositories.package,
    "release": repositories.release,
    "repository": repositories.repository,
    "wiki": repositories.wiki,
    "issue_comment": changes.comment,
    "pull_request_comment": changes.comment,
    **dict.fromkeys(("issues", "issue_assign", "issue_label", "issue_milestone"), changes.issue),
    **dict.fromkeys(changes.REVIEWS, changes.review),
    **dict.fromkeys(
        (
            "pull_request",
            "pull_request_assign",
            "pull_request_label",
            "pull_request_milestone",
            "pull_request_review_request",
            "pull_request_sync",
        ),
        changes.pull_request,
    ),
    "action_run_failure": runs.action_run,
    "action_run_success": runs.action_run,
    "status": runs.status,
    "workflow_job": runs.workflow_job,
    "workflow_run": runs.workflow_run,
    **{name: runs.job_changed for name in KINDS if name.startswith("workflow_job_")},
}


def read(delivery: Delivery, settings: Settings) -> Verdict:
    """What one delivery means."""
    hook = Hook(delivery, settings)
    if hook.name in ALWAYS:
        return Ignored(hook.name)
    if hook.name not in READERS:
        raise UnknownKind(hook.native)
    if not settings.audience and not settings.private_repositories and hook.private:
        return Ignored("private-repository")
    if not hook.project and hook.name != "package":
        raise Refused("repository.full_name is missing", slug="bad-field", status=422, field="repository.full_name")
    if hook.unsaid and not (settings.audience or settings.private_repositories):
        return Ignored("visibility-unknown")
    found = READERS[hook.name](hook)
    return [found] if isinstance(found, Event) else found


def native_kind(delivery: Delivery) -> str:
    """The sender's word for the event and what was done, `pull_request.opened`; "" when it cannot be read."""
    try:
        return Hook(delivery, Settings(kind="forgejo")).native
    except Refused:
        return ""


SOURCE: Final = SourceKind(
    name="forgejo",
    title="Forgejo",
    family="forge",
    settings=Settings,
    read=read,
    kinds=KINDS,
    ignored=IGNORED,
    also={"gitea": "Gitea"},
    # Old versions put the webhook's secret into the payload; a run carries the payload that set it off as text.
    hidden=("secret", "run.event_payload", "last_run.event_payload"),
    schemes=(
        Scheme("hmac-sha256", header="X-Forgejo-Signature"),
        Scheme("hmac-sha256", header="X-Gitea-Signature"),
        Scheme("hmac-sha256", header="X-Hub-Signature-256", prefix="sha256="),
    ),
    native_kind=native_kind,
    guess=guess,
)
