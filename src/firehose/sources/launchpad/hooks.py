"""Launchpad's webhooks: what each event type means.

In: a JSON delivery, whose header `X-Launchpad-Event-Type` names it. Out: events, `Ignored`, or `UnknownKind`. Values
are URL paths. Deliveries come at least once and not in order, so nothing here depends on an earlier one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from firehose.errors import Refused, UnknownKind
from firehose.event import Event, fingerprint
from firehose.source import Delivery, Ignored, Verdict
from firehose.sources.launchpad import names
from firehose.subject import escape
from firehose.wild import Wild, decode

TYPE: Final = "net.launchpad."
_PROPOSALS: Final = {
    "Work in progress": ("change.updated", "", "is set back to work in progress"),
    "Needs review": ("change.updated", "", "needs review"),
    "Approved": ("change.reviewed", "success", "was approved"),
    "Rejected": ("change.abandoned", "cancel", "was rejected"),
    "Superseded": ("change.abandoned", "cancel", "was superseded"),
    "Merged": ("change.merged", "success", "was merged"),
    "Code failed to merge": ("change.updated", "failure", "failed to merge"),
    "Queued": ("change.updated", "", "is queued"),
}
_RECIPES: Final = ("snap", "livefs", "charm-recipe", "craft-recipe", "oci-recipe", "ocirecipe", "rock-recipe")
_BUILD_PATHS: Final = ("build", *(f"{recipe.replace('-', '_')}_build" for recipe in _RECIPES))


def read(delivery: Delivery, base: Event) -> Verdict:
    """What a webhook means. `base` holds what all events of this source share."""
    native = delivery.headers.get("x-launchpad-event-type", "")
    name = native.rpartition(":")[0] if native[-1:].isdigit() else native
    if name == "ping":
        return Ignored("ping")
    if name not in READERS:
        raise UnknownKind(native or "(no X-Launchpad-Event-Type)")
    number = delivery.headers.get("x-launchpad-delivery", "")
    body = decode(delivery.body)
    for state in ("old", "new"):
        list(body[state].fields())  # an object or nothing: else it would read as a thing without properties
    events = READERS[name](body, base)
    return [
        _with(event, id=fingerprint(number or delivery.body, native, place), type=TYPE + name.replace(":", "."))
        for place, event in enumerate(events)
    ]


def _with(event: Event, **changes: object) -> Event:
    return msgspec.structs.replace(event, **changes)


def _named(thing: Wild) -> str:
    """The path of what the delivery is about; `Refused` when it is missing or empty."""
    if not thing.text().strip("/ "):
        raise Refused(f"{thing.path} is empty", slug="bad-field", status=422, field=thing.path)
    return thing.text()


def _git_push(body: Wild, base: Event) -> Iterable[Event]:
    path = body["git_repository_path"].text("") or _named(body["git_repository"])
    project, home = names.project(path), names.repository(path)
    for ref, change in body["ref_changes"].fields():
        old, new = change.at("old", "commit_sha1").text(""), change.at("new", "commit_sha1").text("")
        noun = "tag" if ref.startswith("refs/tags/") else "branch" if ref.startswith("refs/heads/") else "ref"
        done = "updated" if old and new else "created" if new else "deleted"
        words = {"updated": "was pushed to", "created": "was created", "deleted": "was deleted"}[done]
        short = ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
        yield _with(
            base,
            kind=f"{noun}.{done}",
            subject=f"{home}@{escape(ref)}",
            project=project,
            summary=f"{noun} {short} of {path.strip('/')} {words}",
            link=names.code_link(path),
            refs=(home, *((f"commit/{escape(new)}",) if new else ())),
        )


def _bzr_push(body: Wild, base: Event) -> Iterable[Event]:
    path = body["bzr_branch_path"].text("") or _named(body["bzr_branch"])
    yield _with(
        base,
        kind="branch.updated",
        subject=names.repository(path),
        # The last part is the branch's own name.
        project=names.project(path.rstrip("/").rpartition("/")[0]),
        summary=f"branch {path.strip('/')} was pushed to",
        link=names.code_link(path),
    )


def _proposal(body: Wild, base: Event) -> Iterable[Event]:
    path, action = _named(body["merge_proposal"]), body["action"].text()
    if action not in ("created", "modified", "deleted"):
        raise UnknownKind(f"merge-proposal.{action}")
    new, old = body["new"] if body["new"].present else body["old"], body["old"]
    target = new["target_git_repository"].text("") or new["target_branch"].text("") or path
    origin = new["source_git_repository"].text("") or new["source_branch"].text("")
    status, before = new["queue_status"].text(""), old["queue_status"].text("")
    if action == "created":
        kind, outcome, words = "change.created", "", "was proposed"
    elif action == "deleted":
        kind, outcome, words = "change.deleted", "cancel", "was deleted"
    elif status == before:
        kind, outcome, words = "change.updated", "", "was edited"
    elif status in _PROPOSALS:
        kind, outcome, words = _PROPOSALS[status]
    else:
        raise UnknownKind(f"merge-proposal.{status}")
    said = new["commit_message"].text("") or new["description"].text("")
    source = new["source_git_path"].text("").removeprefix("refs/heads/") or origin.strip("/")
    into = new["target_git_path"].text("").removeprefix("refs/heads/") or target.strip("/")
    project = names.project(target)
    prerequisite = new["prerequisite_git_repository"].text("")
    yield _with(
        base,
        kind=kind,
        subject=names.proposal(path),
        project=project,
        actor=names.person(new["registrant"].text("")) if action == "created" else "",
        summary=f"{project}: {source} into {into} {words}" + (f": {said}" if said else ""),
        link=names.code_link(path),
        outcome=outcome,
        refs=tuple(names.repository(each) for each in (target, origin, prerequisite) if each),
        text=" ".join((said, new["whiteboard"].text(""), new["description"].text(""))),
        # Mail about proposals calls itself so; it has no bug's number, and the topic ends before what is missing.
        alias=names.original(project, "code-review", ""),
    )


def _bug(body: Wild, base: Event) -> Iterable[Event]:
    number, target, action = names.bug_number(body["bug"].text()), body["target"].text(""), body["action"].text()
    new = body["new"]
    status, title = new["status"].text(""), new["title"].text("")
    project = names.project(target)
    label = f"bug {number} in {project}"
    # The manual says `reported`, the code sends `reporter`.
    reporter = names.person(new["reporter"].text("") or new["reported"].text(""))
    kind, actor, words = "ticket.updated", "", f"{label}: {action.removesuffix('-changed')} was changed"
    if action == "created":
        kind, actor, words = "ticket.created", reporter, f"{reporter or 'somebody'} reported {label}"
    elif action == "status-changed":
        kind = "ticket.closed" if status in names.CLOSED else "ticket.updated"
        words = f"{label} is {status}" + (f", was {old}" if (old := body.at("old", "status").text("")) else "")
    elif not action.endswith("-changed"):
        raise UnknownKind(f"bug.{action}")
    yield _with(
        base,
        kind=kind,
        subject=f"bug/{escape(number or body['bug'].text())}",
        project=project,
        actor=actor,
        summary=f"{words}: {title}" if title else words,
        link=names.bug_link(number) if number else "",
        outcome="success" if kind == "ticket.closed" and status == "Fix Released" else "",
        refs=(escape(project),) if project else (),
        text=" ".join((title, new["description"].text(""), *(tag.text("") for tag in new["tags"].each()))),
        alias=names.original(project, "bug", number),
    )


def _comment(body: Wild, base: Event) -> Iterable[Event]:
    number, project = names.bug_number(body["bug"].text()), names.project(body["target"].text(""))
    actor, said = names.person(body.at("new", "commenter").text("")), body.at("new", "content").text("")
    place = names.bug_number(body["bug_comment"].text("")) and body["bug_comment"].text("")
    yield _with(
        base,
        kind="comment.added",
        subject=f"bug/{escape(number or body['bug'].text())}",
        project=project,
        actor=actor,
        summary=f"{actor or 'somebody'} commented on bug {number} in {project}: {said}",
        link=f"https://bugs.launchpad.net/{escape(place.strip('/'))}" if place else names.bug_link(number),
        refs=(escape(project),) if project else (),
        text=said,
        alias=names.original(project, "bug", number),
    )


def _build(body: Wild, base: Event) -> Iterable[Event]:
    path = next((body[name].text("") for name in _BUILD_PATHS if body[name].present), "") or body["build"].text()
    status = body["status"].text("Needs building")
    if status not in names.BUILDS:
        raise UnknownKind(f"build.{status}")
    kind, outcome = names.BUILDS[status]
    commit, repository = body["commit_sha1"].text(""), body["git_repository"].text("")
    project = names.project(repository or path.partition("/+build/")[0])
    words = {"taskrun.queued": "is queued", "taskrun.started": "is building"}.get(kind, status.lower())
    yield _with(
        base,
        kind=kind,
        subject=f"build{escape(path)}" if path.startswith("/") else f"build/{escape(path)}",
        project=project,
        summary=f"{project}: build {path.rpartition('/')[2]} {words}",
        link=names.code_link(path) if repository else f"https://launchpad.net/{escape(path.strip('/'))}",
        outcome=outcome,
        severity="warning" if outcome in ("failure", "error") else "info",
        refs=tuple(filter(None, (names.repository(repository), f"commit/{escape(commit)}" if commit else ""))),
    )


READERS: Final[dict[str, Callable[[Wild, Event], Iterable[Event]]]] = {
    "git:push": _git_push,
    "bzr:push": _bzr_push,
    "merge-proposal": _proposal,
    "bug": _bug,
    "bug:comment": _comment,
    "ci:build": _build,
    **{f"{recipe}:build": _build for recipe in _RECIPES},
}
