"""GitHub's pull requests, their reviews and review comments.

In: a `Hook`. Out: events about one change, whose subject is `owner/repository#number`.
"""

from __future__ import annotations

from typing import Final

from firehose.errors import UnknownKind
from firehose.event import Event
from firehose.source import Ignored
from firehose.sources.github.hook import Details, Hook, commit, labels
from firehose.wild import Wild

WORDS: Final = {
    "opened": "opened {it}",
    "reopened": "reopened {it}",
    "closed": "closed {it}",
    "synchronize": "pushed to {it}",
    "edited": "edited {it}",
    "assigned": "assigned {whom} to {it}",
    "unassigned": "unassigned {whom} from {it}",
    "labeled": "put the label {label} on {it}",
    "unlabeled": "took the label {label} off {it}",
    "milestoned": "put {it} on a milestone",
    "demilestoned": "took {it} off its milestone",
    "converted_to_draft": "made {it} a draft",
    "ready_for_review": "marked {it} ready for review",
    "review_requested": "asked {reviewer} to review {it}",
    "review_request_removed": "no longer asks {reviewer} to review {it}",
    "auto_merge_enabled": "set {it} to merge by itself",
    "auto_merge_disabled": "no longer lets {it} merge by itself",
    "enqueued": "put {it} into the merge queue",
    "dequeued": "took {it} out of the merge queue",
    "locked": "locked {it}",
    "unlocked": "unlocked {it}",
}
KINDS: Final = {
    "opened": "change.created",
    "reopened": "change.restored",
    "closed": "change.merged, change.abandoned",
}
"""The actions of `pull_request` that are more than `change.updated`."""

_COMMENTS: Final = {"created": "added", "edited": "updated", "deleted": "deleted"}
COMMENT_WORDS: Final = {"created": "commented on", "edited": "edited a comment on", "deleted": "deleted a comment on"}
_VOTES: Final = {
    "approved": ("approved", "success", "info"),
    "changes_requested": ("requested changes to", "failure", "notice"),
}


def pull_request(hook: Hook) -> Event:
    """`pull_request`: everything that happens to a change as a whole."""
    pull = hook.body["pull_request"]
    if hook.action not in WORDS:
        raise UnknownKind(hook.native)
    kind = "change.updated"
    words = WORDS[hook.action]
    more: Details = {}
    if hook.action == "closed":
        merged = pull["merged"].flag(False)
        kind, words = ("change.merged", "merged {it}") if merged else ("change.abandoned", words)
        more = {"outcome": "success" if merged else "cancel", "severity": "notice"}
    elif hook.action in KINDS:
        kind = KINDS[hook.action]
    said = words.format(
        it=short(hook, pull),
        whom=hook.body.at("assignee", "login").text("somebody"),
        label=hook.body.at("label", "name").text("?"),
        reviewer=_reviewer(hook.body),
    )
    return _about(hook, kind, said, more, pull)


def _reviewer(body: Wild) -> str:
    person = body.at("requested_reviewer", "login").text("")
    team = body.at("requested_team", "name").text("")
    return person or (f"the team {team}" if team else "somebody")


def short(hook: Hook, item: Wild) -> str:
    """What people call an issue or pull request: `octo/cat#12`."""
    return f"{hook.project}#{item['number'].word()}"


def tail(item: Wild) -> str:
    """The end of a summary: `: Title`."""
    title = item["title"].text("")
    return f": {title}" if title else ""


def _about(hook: Hook, kind: str, said: str, more: Details, pull: Wild, text: str = "") -> Event:
    body = pull["body"].text("")
    head, base = pull["head"], pull["base"]
    refs = [commit(head["sha"]), commit(pull["merge_commit_sha"]) if kind == "change.merged" else ""]
    details: Details = {
        "time": pull["updated_at"].moment(),
        "link": pull["html_url"].link(),
        "refs": [*refs, *hook.mentioned(body)],
        "text": " ".join([text or body, labels(pull), head["ref"].text(""), base["ref"].text("")]),
        **more,
    }
    return hook.event(kind, hook.numbered(pull["number"]), f"{hook.who} {said}{tail(pull)}", **details)


def review(hook: Hook) -> Event | Ignored:
    """`pull_request_review`: a vote, or a review without one."""
    pull, given = hook.body["pull_request"], hook.body["review"]
    state = given["state"].text("").lower()
    it = short(hook, pull)
    more: Details = {"link": given["html_url"].link(), "time": given["submitted_at"].moment()}
    text = given["body"].text("")
    if hook.action == "dismissed":
        return _about(hook, "change.reviewed", f"dismissed a review of {it}", more, pull, text)
    if hook.action == "edited":
        return _about(hook, "comment.updated", f"edited a review of {it}", more, pull, text)
    if hook.action != "submitted":
        raise UnknownKind(hook.native)
    if state not in _VOTES:
        # GitHub wraps each single line comment into a review of its own, which says nothing more.
        if not text:
            return Ignored("pull_request_review.empty")
        return _about(hook, "comment.added", f"reviewed {it}", more, pull, text)
    words, outcome, severity = _VOTES[state]
    more |= {"outcome": outcome, "severity": severity}
    return _about(hook, "change.reviewed", f"{words} {it}", more, pull, text)


def review_comment(hook: Hook) -> Event:
    """`pull_request_review_comment`: a comment on a line."""
    if hook.action not in _COMMENTS:
        raise UnknownKind(hook.native)
    comment, pull = hook.body["comment"], hook.body["pull_request"]
    path = comment["path"].text("")
    said = f"{COMMENT_WORDS[hook.action]} {short(hook, pull)}" + (f" ({path})" if path else "")
    more: Details = {"link": comment["html_url"].link(), "time": comment["updated_at"].moment()}
    return _about(hook, f"comment.{_COMMENTS[hook.action]}", said, more, pull, f"{comment['body'].text('')} {path}")


def review_thread(hook: Hook) -> Event:
    """`pull_request_review_thread`: a discussion of a line ends, or goes on."""
    words = {"resolved": "resolved a discussion of", "unresolved": "reopened a discussion of"}
    if hook.action not in words:
        raise UnknownKind(hook.native)
    pull = hook.body["pull_request"]
    return _about(hook, "change.updated", f"{words[hook.action]} {short(hook, pull)}", {}, pull)


def comment_kind(hook: Hook) -> str:
    """`comment.added`, `comment.updated` or `comment.deleted`."""
    if hook.action not in _COMMENTS:
        raise UnknownKind(hook.native)
    return f"comment.{_COMMENTS[hook.action]}"
