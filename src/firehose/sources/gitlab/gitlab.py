"""GitLab: what its webhooks mean. Declaration and dispatch; the readers are next door, by subject.

In: a delivery, whose body names its kind. Out: events, `Ignored` by the list in `kinds.py`, or `UnknownKind`. Types
are those of the CloudEvents adapter for GitLab. It refuses to make public what is private or confidential.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from firehose.errors import Refused, UnknownKind
from firehose.event import Event
from firehose.source import Delivery, Ignored, Scheme, SourceKind, Verdict
from firehose.sources.gitlab import changes, repositories, runs
from firehose.sources.gitlab.hook import Hook, Settings
from firehose.sources.gitlab.kinds import ALWAYS, IGNORED, KINDS

Reader = Callable[[Hook], Event | Ignored]

READERS: Final[dict[str, Reader]] = {
    "build": runs.job,
    "deployment": runs.deployment,
    "feature_flag": repositories.feature_flag,
    "issue": changes.issue,
    "merge_request": changes.merge_request,
    "milestone": changes.milestone,
    "note": changes.note,
    "pipeline": runs.pipeline,
    "push": repositories.push,
    "release": repositories.release,
    "tag_push": repositories.push,
    "vulnerability": repositories.vulnerability,
    "wiki_page": repositories.wiki_page,
    "work_item": changes.issue,
    **dict.fromkeys(repositories.PROJECTS, repositories.project),
}


def read(delivery: Delivery, settings: Settings) -> Verdict:
    """What one GitLab delivery means."""
    hook = Hook(delivery, settings)
    if hook.name in ALWAYS:
        return Ignored(hook.name)
    if hook.name not in READERS:
        raise UnknownKind(hook.native)
    if not settings.audience:
        if hook.confidential:
            return Ignored("confidential")
        if hook.private and not settings.private_repositories:
            return Ignored("private-repository")
        if hook.name == "vulnerability":
            return Ignored("security-finding")
    if not hook.project:
        raise Refused(
            "project.path_with_namespace is missing", slug="bad-field", status=422, field="project.path_with_namespace"
        )
    if hook.unsaid and not (settings.audience or settings.private_repositories):
        return Ignored("visibility-unknown")
    found = READERS[hook.name](hook)
    return [found] if isinstance(found, Event) else found


def native_kind(delivery: Delivery) -> str:
    """GitLab's word for the event and what was done, `merge_request.open`; "" when it cannot be read."""
    try:
        return Hook(delivery, Settings(kind="gitlab")).native
    except Refused:
        return ""


SOURCE: Final = SourceKind(
    name="gitlab",
    title="GitLab",
    family="forge",
    settings=Settings,
    read=read,
    kinds=KINDS,
    ignored=IGNORED,
    # Variables of a pipeline may hold credentials. Addresses are no secrets of GitLab's: the gate removes them anyway.
    hidden=("object_attributes.variables", "owner_name", "owners"),
    schemes=(Scheme("token", header="X-Gitlab-Token"), Scheme("standard")),
    native_kind=native_kind,
)
