"""Happenings on Gerrit as Gerrit 3.x writes them to `stream-events` and to its webhooks plugin.

In: `Review` or `RefUpdate`. Out: the event as a JSON value, in the field order of Gerrit's own event classes.
"""

from __future__ import annotations

from typing import Any, Final

from firehose.simulator.cast import Person
from firehose.simulator.happening import RefUpdate, Review
from firehose.simulator.state import Change, PatchSet

WEB: Final = "https://review.lumen.example"
Json = dict[str, Any]
_ACTOR: Final = {
    "patchset-created": "uploader",
    "comment-added": "author",
    "change-merged": "submitter",
    "change-abandoned": "abandoner",
    "topic-changed": "changer",
    "wip-state-changed": "changer",
}


def native(happening: Review | RefUpdate) -> Json:
    """The event."""
    if isinstance(happening, RefUpdate):
        return ref_updated(happening)
    change = happening.change
    event: Json = {}
    if happening.what in _ACTOR:
        event[_ACTOR[happening.what]] = account(happening.who)
    if happening.reviewer is not None:
        event["reviewer"] = account(happening.reviewer)
    if happening.what == "comment-added":
        event["approvals"] = [
            {"type": label, "description": label, "value": str(value), "oldValue": str(old)}
            if value != old
            else {"type": label, "description": label, "value": str(value)}
            for label, value, old in happening.votes
        ]
        said = "".join(f" {label}{value:+d}" for label, value, _ in happening.votes)
        event["comment"] = f"Patch Set {change.last.number}:{said}\n\n{happening.comment}".rstrip()
    if happening.what == "change-merged":
        event["newRev"] = change.last.revision
    if happening.what == "change-abandoned":
        event["reason"] = happening.comment
    if happening.what == "topic-changed":
        event["oldTopic"] = happening.old
    if happening.what not in ("topic-changed",):
        event["patchSet"] = patch_set(change, change.last)
    return event | {
        "change": about(change),
        "project": change.project.name,
        "refName": f"refs/heads/{change.project.branch}",
        "changeKey": {"id": change.change_id},
        "type": happening.what,
        "eventCreatedOn": int(happening.time),
    }


def ref_updated(happening: RefUpdate) -> Json:
    """`ref-updated`."""
    name = happening.project.name
    return {
        "submitter": account(happening.who),
        "refUpdate": {"oldRev": happening.old, "newRev": happening.new, "refName": happening.ref, "project": name},
        "type": "ref-updated",
        "eventCreatedOn": int(happening.time),
    }


def account(person: Person) -> Json:
    """An account, with the e-mail address that Gerrit gives to whoever may read the stream."""
    return {"name": person.name, "email": person.email, "username": person.username}


def about(change: Change) -> Json:
    """A change."""
    story = f"\nStory: {change.story}" if change.story else ""
    shown: Json = {
        "project": change.project.name,
        "branch": change.project.branch,
        "id": change.change_id,
        "number": change.number,
        "subject": change.subject,
        "owner": account(change.owner),
        "url": f"{WEB}/c/{change.project.name}/+/{change.number}",
        "commitMessage": f"{change.subject}\n{story}\nChange-Id: {change.change_id}\n",
        "createdOn": int(change.created),
        "status": change.status,
    }
    if change.topic:
        shown["topic"] = change.topic
    if change.wip:
        shown["wip"] = True
    return shown


def patch_set(change: Change, one: PatchSet) -> Json:
    """A patch set."""
    return {
        "number": one.number,
        "revision": one.revision,
        "parents": [one.parent],
        "ref": f"refs/changes/{change.number % 100:02d}/{change.number}/{one.number}",
        "uploader": account(one.uploader),
        "createdOn": int(one.created),
        "author": account(change.owner),
        "kind": one.kind,
        "sizeInsertions": one.insertions,
        "sizeDeletions": one.deletions,
    }
