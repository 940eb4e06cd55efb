"""Events about branches, tags and projects: `ref-updated`, `batch-ref-updated`, `project-created`, `…-head-updated`.

In: the tamed parts of an event. Out: events, or the reason why an update is Gerrit's own business.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from firehose import subject as subjects
from firehose.event import Event, fingerprint
from firehose.source import Delivery, Ignored, Verdict
from firehose.sources.gerrit import payload
from firehose.sources.gerrit.kinds import INTERNAL_REFS
from firehose.sources.gerrit.options import Settings
from firehose.wild import Wild

_TYPE: Final = "com.gerritcodereview."
_VERBS: Final = {"created": "created {} in", "deleted": "deleted {} from", "updated": "updated {} in"}


def single(body: Wild, when: datetime | None, delivery: Delivery, settings: Settings) -> Verdict:
    """`ref-updated`."""
    update = body["refUpdate"]
    ignored = _ignored(payload.ref_name(update["refName"].text()))
    return ignored or [_updated(body, update, when or delivery.received, settings)]


def batch(body: Wild, when: datetime | None, delivery: Delivery, settings: Settings) -> Verdict:
    """`batch-ref-updated`: an event for each update that is not Gerrit's own business."""
    updates = [(update, _ignored(payload.ref_name(update["refName"].text()))) for update in body["refUpdates"].each()]
    found = [_updated(body, update, when or delivery.received, settings) for update, ignored in updates if not ignored]
    return found or next((ignored for _, ignored in updates if ignored), Ignored("batch-ref-updated"))


def _ignored(ref: str) -> Ignored | None:
    if ref.startswith("refs/changes/"):
        return Ignored("ref-updated:changes")
    return Ignored("ref-updated:internal") if ref.startswith(INTERNAL_REFS) else None


def _updated(body: Wild, update: Wild, when: datetime, settings: Settings) -> Event:
    ref = payload.ref_name(update["refName"].text())
    name = payload.project(update["project"]) or payload.project(body["project"]) or update["project"].text()
    old, new = update["oldRev"].text(payload.ZEROS), update["newRev"].text(payload.ZEROS)
    native = body["type"].text()
    noun, short = _thing(ref)
    predicate = "created" if old == payload.ZEROS else "deleted" if new == payload.ZEROS else "updated"
    actor = payload.person(body["submitter"])
    what = f"{noun} {short}" if noun in ("branch", "tag") else short
    verb = _VERBS[predicate]
    return Event(
        # The batch and the single form of an update are made at different moments; only one of them is ever read.
        id=fingerprint("ref-updated", name, ref, old, new, body["eventCreatedOn"].word("")),
        source="",
        type=_TYPE + native,
        kind=f"{noun}.modified" if noun == "repository" else f"{noun}.{predicate}",
        subject=subjects.ref(name, ref),
        time=when,
        project=name,
        actor=actor,
        summary=f"{actor or 'somebody'} {verb.format(what)} {name}",
        link=f"{settings.url.rstrip('/')}/q/commit:{new if new != payload.ZEROS else old}" if settings.url else "",
        refs=() if new == payload.ZEROS else (f"commit/{subjects.escape(new)}",),
        text=f"{ref} {old} {new}",
    )


def _thing(ref: str) -> tuple[str, str]:
    if ref.startswith("refs/tags/"):
        return "tag", ref.removeprefix("refs/tags/")
    if ref.startswith("refs/meta/"):
        return "repository", ref
    return "branch", ref.removeprefix("refs/heads/")


def project(native: str, body: Wild, when: datetime, settings: Settings) -> Verdict:
    """`project-created` and `project-head-updated`. The name is in `projectName`, not in `project`."""
    name = body["projectName"].text("") or payload.project(body["project"]) or body["projectName"].full()
    if native == "project-created":
        kind = "repository.created"
        said = f"Project {name} was created"
        parts = [body["headName"].text("") or body["projectHead"].text("")]
    else:
        kind = "repository.modified"
        parts = [body["oldHead"].text(""), body["newHead"].text("")]
        said = f"The default branch of {name} is now {parts[1].removeprefix('refs/heads/') or 'unknown'}"
    return [
        Event(
            id=fingerprint(native, name, *parts, body["eventCreatedOn"].word("")),
            source="",
            type=_TYPE + native,
            kind=kind,
            subject=subjects.escape(name),
            time=when,
            project=name,
            summary=said,
            link=f"{settings.url.rstrip('/')}/admin/repos/{name}" if settings.url else "",
            severity="notice",
        )
    ]
