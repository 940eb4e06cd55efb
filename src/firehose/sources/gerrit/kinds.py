"""Gerrit's vocabulary as tables: what each event type means, what is left out and why.

Nothing here reads a payload. The reference pages show these tables, so every entry is written for operators.
"""

from __future__ import annotations

from typing import Final

import msgspec


class Spec(msgspec.Struct, frozen=True):
    """How an event about a change reads.

    kind: the normalised kind. actor: the fields that may hold who did it. words: the summary, with `{actor}`,
    `{change}` and `{detail}`. detail: the field that tells more (and tells events of one second apart).
    timeless: it can happen only once to a change (or patch set), so its id needs no time.
    """

    kind: str
    actor: tuple[str, ...]
    words: str
    detail: str = ""
    timeless: bool = False
    outcome: str = ""
    severity: str = "info"


CHANGES: Final[dict[str, Spec]] = {
    "patchset-created": Spec(
        "change.updated", ("uploader",), "{actor} uploaded patch set {ps} of {change}", timeless=True
    ),
    "draft-published": Spec("change.updated", ("uploader",), "{actor} published the draft {change}", timeless=True),
    "change-merged": Spec(
        "change.merged", ("submitter",), "{actor} merged {change}", timeless=True, outcome="success", severity="notice"
    ),
    "change-abandoned": Spec(
        "change.abandoned", ("abandoner",), "{actor} abandoned {change}", "reason", outcome="cancel", severity="notice"
    ),
    "change-restored": Spec("change.restored", ("restorer",), "{actor} restored {change}", "reason"),
    "change-deleted": Spec(
        "change.deleted", ("deleter",), "{actor} deleted {change}", timeless=True, severity="notice"
    ),
    "merge-failed": Spec(
        "change.updated", ("submitter",), "Merging {change} failed", "reason", outcome="failure", severity="warning"
    ),
    "comment-added": Spec("comment.added", ("author",), "{actor} commented on {change}", "comment"),
    "vote-deleted": Spec(
        "change.reviewed", ("remover",), "{actor} removed a vote of {reviewer} from {change}", "comment"
    ),
    "reviewer-added": Spec("change.updated", ("adder",), "{reviewer} became a reviewer of {change}"),
    "reviewer-deleted": Spec(
        "change.updated", ("remover",), "{reviewer} is no longer a reviewer of {change}", "comment"
    ),
    "topic-changed": Spec("change.updated", ("changer",), "{actor} set the topic of {change} to {topic}", "oldTopic"),
    "hashtags-changed": Spec("change.updated", ("editor",), "{actor} changed the hashtags of {change}"),
    "custom-keyed-values-changed": Spec("change.updated", ("editor",), "{actor} changed the custom values of {change}"),
    "wip-state-changed": Spec("change.updated", ("changer",), "{actor} marked {change} as {wip}"),
    "private-state-changed": Spec("change.updated", ("changer",), "{actor} made {change} {private}"),
    "assignee-changed": Spec("change.updated", ("changer",), "{actor} changed the assignee of {change}"),
    "change-deferred": Spec("change.updated", ("deferrer",), "{actor} deferred {change}", "reason"),
    "rerun-check": Spec(
        "change.updated", ("author", "uploader"), "{actor} asked for new checks of {change}", "comment"
    ),
    "patchset-notified": Spec("change.updated", ("uploader", "author"), "{actor} was notified of {change}"),
}
"""Events about a change."""

OTHERS: Final = {
    "patchset-created": "change.created (patch set 1), change.updated",
    "comment-added": "change.reviewed (with votes), comment.added",
    "ref-updated": "branch.created, branch.updated, branch.deleted, tag.created, tag.updated, tag.deleted, "
    "repository.modified (refs/meta/config)",
    "batch-ref-updated": "as ref-updated, when batch_refs is set",
    "project-created": "repository.created",
    "project-head-updated": "repository.modified",
    "dropped-output": "incident.detected",
}
KINDS: Final = {name: spec.kind for name, spec in CHANGES.items()} | OTHERS

_REPLICATION: Final = "copies of refs to other servers: the update itself is an event already"
IGNORED: Final = {
    "private-change": "private changes and drafts must not become public; set an audience to get them",
    "ref-updated:changes": "refs/changes/…: patch sets and review notes (NoteDb), the change's own events say the same",
    "ref-updated:internal": "Gerrit's own records (users, groups, stars, drafts, sequences), partly personal",
    "batch-ref-updated": "the same updates come as single ref-updated events (batch_refs turns this around)",
    "ref-updated:batched": "batch_refs is set, so the same updates come as batch-ref-updated",
    "ref-replication-scheduled": _REPLICATION,
    "ref-replicated": _REPLICATION,
    "ref-replication-done": _REPLICATION,
    "fetch-ref-replication-scheduled": _REPLICATION,
    "fetch-ref-replicated": _REPLICATION,
    "fetch-ref-replication-done": _REPLICATION,
}
"""Known and on purpose no events, with the reason."""

INTERNAL_REFS: Final = (
    "refs/users/",
    "refs/groups/",
    "refs/deleted-groups/",
    "refs/starred-changes/",
    "refs/draft-comments/",
    "refs/drafts/",
    "refs/sequences/",
    "refs/cache-automerge/",
    "refs/notes/",
    "refs/meta/external-ids",
    "refs/meta/group-names",
    "refs/meta/version",
)
