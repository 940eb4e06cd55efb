"""GitLab's merge requests, issues, work items, notes and milestones.

In: a `Hook`. Out: events about `group/project!number` or `group/project#number`; a note is about what it comments on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from firehose import subject
from firehose.errors import UnknownKind
from firehose.event import Event
from firehose.source import Ignored
from firehose.sources.gitlab.hook import Details, Hook, commit, labels, titled
from firehose.wild import Wild

MERGE_REQUESTS: Final = {
    "open": ("change.created", "opened {it}", ""),
    "reopen": ("change.restored", "reopened {it}", ""),
    "close": ("change.abandoned", "closed {it}", "cancel"),
    "merge": ("change.merged", "merged {it}", "success"),
    "update": ("change.updated", "updated {it}", ""),
    "approval": ("change.reviewed", "approved {it}", "success"),
    "approved": ("change.reviewed", "approved {it}, the last approval it needed", "success"),
    "unapproval": ("change.reviewed", "took back the approval of {it}", "cancel"),
    "unapproved": ("change.reviewed", "took back the approval of {it}", "cancel"),
}
ISSUES: Final = {
    "open": ("ticket.created", "opened", ""),
    "close": ("ticket.closed", "closed", "success"),
    "reopen": ("ticket.updated", "reopened", ""),
    "update": ("ticket.updated", "updated", ""),
}
MILESTONES: Final = {
    "create": "created",
    "close": "closed",
    "reopen": "updated",
    "update": "updated",
    "delete": "deleted",
}
_DONE: Final = {"create": "created", "close": "closed", "reopen": "reopened", "update": "updated", "delete": "deleted"}


def merge_request(hook: Hook) -> Event:
    """`merge_request`."""
    item = hook.own
    # Old versions and the "test" button send none: then it is an update.
    action = hook.action or "update"
    if action not in MERGE_REQUESTS:
        raise UnknownKind(hook.native)
    kind, words, outcome = MERGE_REQUESTS[action]
    if action == "update" and item["oldrev"].text(""):
        words = "pushed to {it}"
    it = hook.merge_request(item)
    last = item["last_commit"]
    text = item["description"].text("")
    return hook.event(
        kind,
        it,
        f"{hook.who} {words.format(it=it)}{titled(item)}",
        time=item["updated_at"].moment(),
        link=item["url"].link(),
        outcome=outcome,
        severity="notice" if kind in ("change.merged", "change.abandoned") else "info",
        refs=[
            commit(last["id"]),
            commit(item["merge_commit_sha"]) if action == "merge" else "",
            *hook.mentioned(text),
        ],
        text=" ".join([text, labels(hook.body), item["source_branch"].text(""), item["target_branch"].text("")]),
        type=f"merge_request.{action}" if hook.action else "merge_request",
    )


def issue(hook: Hook) -> Event:
    """`issue` and `work_item`."""
    item = hook.own
    action = hook.action or "update"
    if action not in ISSUES:
        raise UnknownKind(hook.native)
    kind, word, outcome = ISSUES[action]
    it = hook.issue(item)
    state = item["state"].text("")
    return hook.event(
        kind,
        it,
        f"{hook.who} {word} {it}{titled(item)}",
        time=item["updated_at"].moment(),
        link=item["url"].link(),
        outcome=outcome,
        severity={"critical": "error", "high": "warning"}.get(item["severity"].text(""), "info"),
        text=f"{item['description'].text('')} {labels(hook.body)}",
        type=f"{hook.name}.{state}" if state else hook.name,
    )


def note(hook: Hook) -> Event | Ignored:
    """`note`: a comment on anything."""
    item = hook.own
    if item["system"].flag(False):
        return Ignored("note.system")
    noteable = item["noteable_type"].text()
    if noteable == "Vulnerability" and not hook.settings.audience:
        return Ignored("security-finding")
    if noteable not in NOTED:
        raise UnknownKind(f"note.{noteable}")
    predicate = {"create": "added", "update": "updated", "": "added"}.get(hook.action)
    if predicate is None:
        raise UnknownKind(f"note.{noteable}.{hook.action}")
    name, about = NOTED[noteable]
    it, what, thing = about(hook)
    words = "commented on" if predicate == "added" else "edited a comment on"
    details: Details = {
        "time": item["updated_at"].moment() or item["created_at"].moment(),
        "link": item["url"].link(),
        "text": item["note"].text(""),
        "type": f"note.{name}",
    }
    return hook.event(f"comment.{predicate}", it, f"{hook.who} {words} {what}{titled(thing)}", **details)


def _on_commit(hook: Hook) -> tuple[str, str, Wild]:
    thing = hook.body["commit"]
    sha = thing["id"].text("") or hook.own["commit_id"].text()
    return f"commit/{subject.escape(sha)}", f"commit {sha[:10]} of {hook.project}", thing


def _on_merge_request(hook: Hook) -> tuple[str, str, Wild]:
    thing = hook.body["merge_request"]
    it = hook.merge_request(thing)
    return it, it, thing


def _on_issue(hook: Hook) -> tuple[str, str, Wild]:
    thing = hook.body["issue"] if hook.body["issue"].present else hook.body["work_item"]
    it = hook.issue(thing)
    return it, it, thing


def _on(key: str, noun: str) -> Callable[[Hook], tuple[str, str, Wild]]:
    def about(hook: Hook) -> tuple[str, str, Wild]:
        thing = hook.body[key]
        number = thing["iid"].word("") or thing["id"].word("") or hook.own["noteable_id"].word("")
        return hook.thing(noun, number), f"{noun} {number} of {hook.project}".replace("  ", " "), thing

    return about


NOTED: Final = {
    "Commit": ("commit", _on_commit),
    "MergeRequest": ("merge_request", _on_merge_request),
    "Issue": ("issue", _on_issue),
    "WorkItem": ("issue", _on_issue),
    "Snippet": ("snippet", _on("snippet", "snippet")),
    "ProjectSnippet": ("snippet", _on("snippet", "snippet")),
    "Epic": ("epic", _on("epic", "epic")),
    "Vulnerability": ("vulnerability", _on("vulnerability", "vulnerability")),
    "WikiPage::Meta": ("wiki_page", _on("wiki_page", "wikipage")),
    "DesignManagement::Design": ("design", _on("design", "design")),
}


def milestone(hook: Hook) -> Event:
    """`milestone`."""
    if hook.action not in MILESTONES:
        raise UnknownKind(hook.native)
    item = hook.own
    return hook.event(
        f"milestone.{MILESTONES[hook.action]}",
        hook.thing("milestone", item["iid"].word()),
        f"{hook.who} {_DONE[hook.action]} the milestone {item['title'].text('')} of {hook.project}",
        time=item["updated_at"].moment(),
        link=item["url"].link() or hook.body.at("project", "web_url").link(),
        text=item["description"].text(""),
    )
