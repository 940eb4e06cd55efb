"""Happenings on GitHub as its webhooks send them: the event's name and the body.

In: `Post`. Out: `X-GitHub-Event` and the payload, with the members that readers of these webhooks use.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import md5
from typing import Any, Final

from firehose.simulator.cast import Person, Project
from firehose.simulator.happening import Post
from firehose.simulator.state import Ticket

WEB: Final = "https://github.example"
API: Final = "https://api.github.example"
Json = dict[str, Any]


def native(happening: Post) -> tuple[str, Json]:
    """Event name and payload."""
    name, body = _BODIES[happening.what](happening)
    common = {"repository": repository(happening.project), "sender": user(happening.who)}
    return name, body | common | {"organization": {"login": happening.project.name.partition("/")[0], "id": 9_001}}


def _issue(happening: Post) -> tuple[str, Json]:
    return "issues", {"action": happening.action, "issue": issue(ticket_of(happening), happening.time)}


def _comment(happening: Post) -> tuple[str, Json]:
    about = ticket_of(happening)
    page = address(about)
    comment = {
        "id": happening.number,
        "html_url": f"{page}#issuecomment-{happening.number}",
        "issue_url": f"{API}/repos/{about.project.name}/issues/{about.number}",
        "user": user(happening.who),
        "body": happening.text,
        "created_at": stamp(happening.time),
        "updated_at": stamp(happening.time),
        "author_association": "MEMBER",
    }
    return "issue_comment", {"action": "created", "issue": issue(about, happening.time), "comment": comment}


def _merge(happening: Post) -> tuple[str, Json]:
    about = ticket_of(happening)
    action = {"updated": "synchronize", "merged": "closed"}.get(happening.action, happening.action)
    body: Json = {"action": action, "number": about.number, "pull_request": pull(about, happening.time)}
    if action == "synchronize":
        body |= {"before": happening.old, "after": about.sha}
    return "pull_request", body


def _review(happening: Post) -> tuple[str, Json]:
    about = ticket_of(happening)
    review = {
        "id": happening.number,
        "user": user(happening.who),
        "body": happening.text,
        "commit_id": about.sha,
        "submitted_at": stamp(happening.time),
        "state": happening.action,
        "html_url": f"{address(about)}#pullrequestreview-{happening.number}",
    }
    return "pull_request_review", {
        "action": "submitted",
        "review": review,
        "pull_request": pull(about, happening.time),
    }


def _push(happening: Post) -> tuple[str, Json]:
    name = happening.project.name
    commit = {
        "id": happening.sha,
        "tree_id": happening.old,
        "distinct": True,
        "message": happening.text,
        "timestamp": stamp(happening.time),
        "url": f"{WEB}/{name}/commit/{happening.sha}",
        "author": {"name": happening.who.name, "email": happening.who.email, "username": happening.who.username},
        "committer": {"name": happening.who.name, "email": happening.who.email, "username": happening.who.username},
        "added": [],
        "removed": [],
        "modified": ["README.md"],
    }
    return "push", {
        "ref": f"refs/heads/{happening.project.branch}",
        "before": happening.old,
        "after": happening.sha,
        "created": False,
        "deleted": False,
        "forced": False,
        "base_ref": None,
        "compare": f"{WEB}/{name}/compare/{happening.old[:12]}...{happening.sha[:12]}",
        "commits": [commit],
        "head_commit": commit,
        "pusher": {"name": happening.who.username, "email": happening.who.email},
    }


def _run(happening: Post) -> tuple[str, Json]:
    name = happening.project.name
    done = happening.action == "completed"
    return "workflow_run", {
        "action": happening.action,
        "workflow": {"id": 501, "name": "tests", "path": ".github/workflows/tests.yml", "state": "active"},
        "workflow_run": {
            "id": happening.number,
            "name": "tests",
            "head_branch": ticket_of(happening).branch,
            "head_sha": happening.sha,
            "run_number": happening.number % 10_000,
            "run_attempt": 1,
            "event": "pull_request",
            "display_title": ticket_of(happening).title,
            "status": "completed" if done else "queued",
            "conclusion": happening.text if done else None,
            "workflow_id": 501,
            "html_url": f"{WEB}/{name}/actions/runs/{happening.number}",
            "pull_requests": [{"number": ticket_of(happening).number, "id": ticket_of(happening).id}],
            "created_at": stamp(happening.time),
            "updated_at": stamp(happening.time),
            "run_started_at": stamp(happening.time),
            "actor": user(happening.who),
        },
    }


def _release(happening: Post) -> tuple[str, Json]:
    return "release", {
        "action": "published",
        "release": {
            "id": happening.number,
            "html_url": f"{WEB}/{happening.project.name}/releases/tag/{happening.text}",
            "tag_name": happening.text,
            "target_commitish": happening.project.branch,
            "name": happening.text,
            "draft": False,
            "prerelease": False,
            "author": user(happening.who),
            "created_at": stamp(happening.time),
            "published_at": stamp(happening.time),
            "assets": [],
            "body": "See the change log.",
        },
    }


_BODIES: Final = {
    "issue": _issue,
    "comment": _comment,
    "merge": _merge,
    "review": _review,
    "push": _push,
    "run": _run,
    "release": _release,
}


def ticket_of(happening: Post) -> Ticket:
    """The issue or request that a happening must have."""
    if happening.ticket is None:
        raise ValueError(f"{happening.what} without a ticket")
    return happening.ticket


def user(person: Person) -> Json:
    """An account."""
    return {
        "login": person.username,
        "id": number_of(person.username),
        "avatar_url": f"{WEB}/avatars/{person.username}.png",
        "url": f"{API}/users/{person.username}",
        "html_url": f"{WEB}/{person.username}",
        "type": "User",
        "site_admin": False,
    }


def repository(project: Project) -> Json:
    """A repository."""
    owner, _, name = project.name.partition("/")
    return {
        "id": number_of(project.name),
        "name": name,
        "full_name": project.name,
        "private": False,
        "owner": {"login": owner, "id": 9_001, "type": "Organization"},
        "html_url": f"{WEB}/{project.name}",
        "description": f"The {project.part}",
        "fork": False,
        "url": f"{API}/repos/{project.name}",
        "clone_url": f"{WEB}/{project.name}.git",
        "default_branch": project.branch,
        "visibility": "public",
    }


def issue(about: Ticket, time: float) -> Json:
    """An issue."""
    return {
        "url": f"{API}/repos/{about.project.name}/issues/{about.number}",
        "html_url": address(about),
        "id": about.id,
        "number": about.number,
        "title": about.title,
        "user": user(about.author),
        "labels": [{"id": number_of(about.label), "name": about.label, "color": "d73a4a", "default": True}],
        "state": about.state,
        "locked": False,
        "assignee": None,
        "assignees": [],
        "comments": 0,
        "created_at": stamp(about.created),
        "updated_at": stamp(time),
        "closed_at": stamp(time) if about.state == "closed" else None,
        "body": "What happens, and what should happen instead.",
    }


def pull(about: Ticket, time: float) -> Json:
    """A pull request."""
    base = repository(about.project)
    return {
        "url": f"{API}/repos/{about.project.name}/pulls/{about.number}",
        "id": about.id,
        "html_url": address(about),
        "number": about.number,
        "state": about.state,
        "locked": False,
        "title": about.title,
        "user": user(about.author),
        "body": "",
        "created_at": stamp(about.created),
        "updated_at": stamp(time),
        "closed_at": stamp(time) if about.state == "closed" else None,
        "merged_at": stamp(time) if about.merged else None,
        "merge_commit_sha": about.sha if about.merged else None,
        "assignees": [],
        "requested_reviewers": [],
        "labels": [],
        "draft": False,
        "head": {
            "label": f"{about.author.username}:{about.branch}",
            "ref": about.branch,
            "sha": about.sha,
            "repo": base,
        },
        "base": {"label": about.project.name, "ref": about.project.branch, "sha": "0" * 40, "repo": base},
        "merged": about.merged,
        "comments": 0,
        "commits": 1,
        "additions": 12,
        "deletions": 3,
        "changed_files": 2,
    }


def address(about: Ticket) -> str:
    """The page of an issue or request."""
    return f"{WEB}/{about.project.name}/{'pull' if about.merge else 'issues'}/{about.number}"


def stamp(time: float) -> str:
    """Whole seconds, UTC."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def number_of(text: str) -> int:
    """A stable numeric id for a name."""
    return int(md5(text.encode(), usedforsecurity=False).hexdigest()[:7], 16)
