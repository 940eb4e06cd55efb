"""GitHub's issues, discussions, comments on either, and milestones.

In: a `Hook`. Out: events about `owner/repository#number`; a comment is about what it comments on.
"""

from __future__ import annotations

import re
from typing import Final

from firehose.errors import UnknownKind
from firehose.event import Event
from firehose.sources.github.changes import COMMENT_WORDS, comment_kind, short, tail
from firehose.sources.github.hook import Details, Hook, commit, labels
from firehose.wild import Wild

ISSUES: Final = {
    "opened": "opened {it}",
    "closed": "closed {it}{why}",
    "reopened": "reopened {it}",
    "deleted": "deleted {it}",
    "edited": "edited {it}",
    "transferred": "moved {it} to {new}",
    "assigned": "assigned {whom} to {it}",
    "unassigned": "unassigned {whom} from {it}",
    "labeled": "put the label {label} on {it}",
    "unlabeled": "took the label {label} off {it}",
    "milestoned": "put {it} on a milestone",
    "demilestoned": "took {it} off its milestone",
    "pinned": "pinned {it}",
    "unpinned": "unpinned {it}",
    "locked": "locked {it}",
    "unlocked": "unlocked {it}",
    "typed": "set the type of {it}",
    "untyped": "removed the type of {it}",
}
ISSUE_KINDS: Final = {"opened": "ticket.created", "closed": "ticket.closed", "deleted": "ticket.deleted"}
DISCUSSIONS: Final = {
    "created": "started {it}",
    "edited": "edited {it}",
    "deleted": "deleted {it}",
    "closed": "closed {it}",
    "reopened": "reopened {it}",
    "answered": "marked an answer to {it}",
    "unanswered": "no longer takes {it} as answered",
    "category_changed": "moved {it} to another category",
    "labeled": "put the label {label} on {it}",
    "unlabeled": "took the label {label} off {it}",
    "locked": "locked {it}",
    "unlocked": "unlocked {it}",
    "pinned": "pinned {it}",
    "unpinned": "unpinned {it}",
    "transferred": "moved {it}",
}
DISCUSSION_KINDS: Final = {
    "created": "discussion.created",
    "closed": "discussion.closed",
    "deleted": "discussion.deleted",
}
MILESTONES: Final = {
    "created": "created",
    "edited": "updated",
    "opened": "updated",
    "closed": "closed",
    "deleted": "deleted",
}
_NEW_ISSUE: Final = re.compile(r"^https?://[^/]+/([^/\s]{1,100}/[^/\s]{1,100})/issues/[0-9]{1,9}$")
_RELATIONS: Final = {
    "sub_issue_added": ("got the part", "sub_issue"),
    "sub_issue_removed": ("lost the part", "sub_issue"),
    "parent_issue_added": ("became a part of", "parent_issue"),
    "parent_issue_removed": ("is no longer a part of", "parent_issue"),
    "blocked_by_added": ("is blocked by", "blocking_issue"),
    "blocked_by_removed": ("is no longer blocked by", "blocking_issue"),
    "blocking_added": ("blocks", "blocked_issue"),
    "blocking_removed": ("no longer blocks", "blocked_issue"),
}


def issues(hook: Hook) -> Event:
    """`issues`."""
    if hook.action not in ISSUES:
        raise UnknownKind(hook.native)
    issue = hook.body["issue"]
    new = _new_place(hook.body.at("changes", "new_issue", "html_url"), hook)
    reason = issue["state_reason"].text("")
    said = ISSUES[hook.action].format(
        it=short(hook, issue),
        whom=hook.body.at("assignee", "login").text("somebody"),
        label=hook.body.at("label", "name").text("?"),
        new=new or "another repository",
        why=f" as {reason.replace('_', ' ')}" if reason else "",
    )
    kind = ISSUE_KINDS.get(hook.action, "ticket.updated")
    more: Details = {"refs": [new, *hook.mentioned(issue["body"].text(""))], "type": f"issue.{hook.action}"}
    if kind == "ticket.closed":
        more["outcome"] = "cancel" if reason in ("not_planned", "duplicate") else "success"
    return _about(hook, kind, said, issue, more)


def _new_place(url: Wild, hook: Hook) -> str:
    match = _NEW_ISSUE.match(url.link())
    return hook.numbered(hook.body.at("changes", "new_issue", "number"), match.group(1)) if match else ""


def _about(hook: Hook, kind: str, said: str, item: Wild, more: Details) -> Event:
    details: Details = {
        "time": item["updated_at"].moment(),
        "link": item["html_url"].link(),
        "text": f"{item['body'].text('')} {labels(item)}",
        **more,
    }
    return hook.event(kind, hook.numbered(item["number"]), f"{hook.who} {said}{tail(item)}", **details)


def issue_comment(hook: Hook) -> Event:
    """`issue_comment`: also on a pull request, which GitHub keeps as an issue."""
    comment = hook.body["comment"]
    more: Details = {
        "time": comment["updated_at"].moment(),
        "link": comment["html_url"].link(),
        "text": comment["body"].text(""),
    }
    kind = comment_kind(hook)
    said = f"{COMMENT_WORDS[hook.action]} {short(hook, hook.body['issue'])}"
    return _about(hook, kind, said, hook.body["issue"], more)


def commit_comment(hook: Hook) -> Event:
    """`commit_comment`."""
    if hook.action != "created":
        raise UnknownKind(hook.native)
    comment = hook.body["comment"]
    sha = comment["commit_id"].text()
    return hook.event(
        "comment.added",
        commit(comment["commit_id"]) or "commit/unknown",
        f"{hook.who} commented on commit {sha[:10]} of {hook.project}",
        time=comment["updated_at"].moment(),
        link=comment["html_url"].link(),
        text=f"{comment['body'].text('')} {comment['path'].text('')}",
    )


def discussion(hook: Hook) -> Event:
    """`discussion`."""
    if hook.action not in DISCUSSIONS:
        raise UnknownKind(hook.native)
    item = hook.body["discussion"]
    said = DISCUSSIONS[hook.action].format(
        it=f"the discussion {short(hook, item)}", label=hook.body.at("label", "name").text("?")
    )
    return _about(hook, DISCUSSION_KINDS.get(hook.action, "discussion.updated"), said, item, {})


def discussion_comment(hook: Hook) -> Event:
    """`discussion_comment`."""
    comment, item = hook.body["comment"], hook.body["discussion"]
    more: Details = {
        "time": comment["updated_at"].moment(),
        "link": comment["html_url"].link(),
        "text": comment["body"].text(""),
    }
    kind = comment_kind(hook)
    return _about(hook, kind, f"{COMMENT_WORDS[hook.action]} the discussion {short(hook, item)}", item, more)


def relation(hook: Hook) -> Event:
    """`sub_issues` and `issue_dependencies`: an issue gets tied to another, or loses the tie."""
    if hook.action not in _RELATIONS:
        raise UnknownKind(hook.native)
    words, other_name = _RELATIONS[hook.action]
    own_name = {
        "sub_issue": "parent_issue",
        "parent_issue": "sub_issue",
        "blocking_issue": "blocked_issue",
        "blocked_issue": "blocking_issue",
    }[other_name]
    own, other = hook.body[own_name], hook.body[other_name]
    place = hook.body.at(f"{other_name}_repo", "full_name").text("")
    ref = hook.numbered(other["number"], place)
    return hook.event(
        "ticket.updated",
        hook.numbered(own["number"]),
        f"{short(hook, own)} {words} {ref}{tail(own)}",
        time=own["updated_at"].moment(),
        link=own["html_url"].link(),
        refs=[ref],
    )


def milestone(hook: Hook) -> Event:
    """`milestone`."""
    if hook.action not in MILESTONES:
        raise UnknownKind(hook.native)
    item = hook.body["milestone"]
    word = "reopened" if hook.action == "opened" else hook.action
    return hook.event(
        f"milestone.{MILESTONES[hook.action]}",
        hook.thing("milestone", item["number"].word()),
        f"{hook.who} {word} the milestone {item['title'].text('')} of {hook.project}",
        time=item["updated_at"].moment(),
        link=item["html_url"].link(),
        text=item["description"].text(""),
    )
