"""Pull requests, their reviews, issues, and comments on either.

In: a `Hook`. Out: events about `owner/repository#number`; a comment is about what it comments on.
"""

from __future__ import annotations

from typing import Final

from firehose.errors import UnknownKind
from firehose.event import Event
from firehose.sources.forgejo.hook import Details, Hook, commit, labels, short, tail
from firehose.wild import Wild

WORDS: Final = {
    "opened": "opened {it}",
    "reopened": "reopened {it}",
    "closed": "closed {it}",
    "deleted": "deleted {it}",
    "edited": "edited {it}",
    "synchronized": "pushed to {it}",
    "assigned": "assigned somebody to {it}",
    "unassigned": "unassigned somebody from {it}",
    "label_updated": "changed the labels of {it}",
    "label_cleared": "removed the labels of {it}",
    "milestoned": "put {it} on a milestone",
    "demilestoned": "took {it} off its milestone",
    "review_requested": "asked {reviewer} to review {it}",
    "review_request_removed": "no longer asks {reviewer} to review {it}",
}
CHANGES: Final = {"opened": "change.created", "reopened": "change.restored", "deleted": "change.deleted"}
TICKETS: Final = {"opened": "ticket.created", "closed": "ticket.closed", "deleted": "ticket.deleted"}
_COMMENTS: Final = {
    "created": ("added", "commented on"),
    "edited": ("updated", "edited a comment on"),
    "deleted": ("deleted", "deleted a comment on"),
}
REVIEWS: Final = {
    "pull_request_review_approved": ("change.reviewed", "approved", "success", "info"),
    "pull_request_review_rejected": ("change.reviewed", "requested changes to", "failure", "notice"),
    "pull_request_review_comment": ("comment.added", "reviewed", "", "info"),
}


def pull_request(hook: Hook) -> Event:
    """`pull_request` and its like (`…_assign`, `…_label`, `…_milestone`, `…_sync`, `…_review_request`)."""
    pull = hook.body["pull_request"]
    if hook.action not in WORDS:
        raise UnknownKind(hook.native)
    kind, words = CHANGES.get(hook.action, "change.updated"), WORDS[hook.action]
    more: Details = {}
    if hook.action == "closed":
        merged = pull["merged"].flag(False)
        kind, words = ("change.merged", "merged {it}") if merged else ("change.abandoned", words)
        more = {"outcome": "success" if merged else "cancel", "severity": "notice"}
    reviewer = hook.body.at("requested_reviewer", "login").text("somebody")
    return _change(hook, kind, words.format(it=short(hook, pull), reviewer=reviewer), more, pull)


def _change(hook: Hook, kind: str, said: str, more: Details, pull: Wild) -> Event:
    body = pull["body"].text("")
    head, base = pull["head"], pull["base"]
    merge = commit(pull["merge_commit_sha"]) if kind == "change.merged" else ""
    details: Details = {
        "time": pull["updated_at"].moment(),
        "link": pull["html_url"].link(),
        "refs": [commit(head["sha"]), merge, *hook.mentioned(body)],
        "text": " ".join([body, labels(pull), head["ref"].text(""), base["ref"].text("")]),
        **more,
    }
    return hook.event(kind, hook.numbered(pull["number"]), f"{hook.who} {said}{tail(pull)}", **details)


def review(hook: Hook) -> Event:
    """`pull_request_review_approved`, `…_rejected`, `…_comment`."""
    kind, words, outcome, severity = REVIEWS[hook.name]
    pull = hook.body["pull_request"]
    more: Details = {"outcome": outcome, "severity": severity, "text": hook.body.at("review", "content").text("")}
    return _change(hook, kind, f"{words} {short(hook, pull)}", more, pull)


def issue(hook: Hook) -> Event:
    """`issues` and its like (`issue_assign`, `issue_label`, `issue_milestone`)."""
    if hook.action not in WORDS or hook.action in ("synchronized", "review_requested", "review_request_removed"):
        raise UnknownKind(hook.native)
    item = hook.body["issue"]
    kind = TICKETS.get(hook.action, "ticket.updated")
    more: Details = {
        "time": item["updated_at"].moment(),
        "link": item["html_url"].link(),
        "outcome": "success" if kind == "ticket.closed" else "",
        "refs": [f"commit/{sha}" for sha in [hook.body["commit_id"].text("")] if sha.isalnum()],
        "text": f"{item['body'].text('')} {labels(item)}",
    }
    said = WORDS[hook.action].format(it=short(hook, item))
    return hook.event(kind, hook.numbered(item["number"]), f"{hook.who} {said}{tail(item)}", **more)


def comment(hook: Hook) -> Event:
    """`issue_comment` and `pull_request_comment`."""
    if hook.action not in _COMMENTS:
        raise UnknownKind(hook.native)
    predicate, words = _COMMENTS[hook.action]
    given = hook.body["comment"]
    item = hook.body["issue"] if hook.body["issue"].present else hook.body["pull_request"]
    return hook.event(
        f"comment.{predicate}",
        hook.numbered(item["number"]),
        f"{hook.who} {words} {short(hook, item)}{tail(item)}",
        time=given["updated_at"].moment(),
        link=given["html_url"].link() or item["html_url"].link(),
        text=given["body"].text(""),
    )
