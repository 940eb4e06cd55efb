"""Happenings on Forgejo as its webhooks send them: event name, event type and body.

In: `Post`. Out: `X-Forgejo-Event` (and type) and the payload. Forgejo's bodies look like GitHub's, with differences in
names: `X-Forgejo-Event-Type` tells kinds apart that share an event, pushes have `total_commits` and `compare_url`.
"""

from __future__ import annotations

from typing import Any, Final

from firehose.simulator import github_bytes
from firehose.simulator.cast import Person, Project
from firehose.simulator.github_bytes import number_of, stamp, ticket_of
from firehose.simulator.happening import Post

WEB: Final = "https://code.lumen.example"
Json = dict[str, Any]


def native(happening: Post) -> tuple[str, str, Json] | None:
    """Event name, event type and payload; None for what Forgejo does not send."""
    if happening.what == "run":
        return None
    event, kind, body = _BODIES[happening.what](happening)
    return event, kind, body | {"repository": repository(happening.project), "sender": user(happening.who)}


def _issue(happening: Post) -> tuple[str, str, Json]:
    about = ticket_of(happening)
    return "issues", "issues", {"action": happening.action, "number": about.number, "issue": _shown(happening)}


def _comment(happening: Post) -> tuple[str, str, Json]:
    about = ticket_of(happening)
    page = f"{WEB}/{about.project.name}/issues/{about.number}"
    comment = {
        "id": happening.number,
        "html_url": f"{page}#issuecomment-{happening.number}",
        "issue_url": page,
        "pull_request_url": "",
        "user": user(happening.who),
        "body": happening.text,
        "created_at": stamp(happening.time),
        "updated_at": stamp(happening.time),
    }
    body = {"action": "created", "issue": _shown(happening), "comment": comment, "is_pull": about.merge}
    return "issue_comment", "issue_comment", body


def _merge(happening: Post) -> tuple[str, str, Json]:
    about = ticket_of(happening)
    action = {"updated": "synchronized", "merged": "closed"}.get(happening.action, happening.action)
    kind = "pull_request_sync" if action == "synchronized" else "pull_request"
    pull = github_bytes.pull(about, happening.time) | {
        "html_url": f"{WEB}/{about.project.name}/pulls/{about.number}",
        "url": f"{WEB}/{about.project.name}/pulls/{about.number}",
        "user": user(about.author),
        "merged": about.merged,
    }
    return "pull_request", kind, {"action": action, "number": about.number, "pull_request": pull}


def _review(happening: Post) -> tuple[str, str, Json]:
    _, _, body = _merge(happening)
    review = {"type": "pull_request_review_approved", "content": happening.text}
    return "pull_request_approved", "pull_request_review_approved", body | {"action": "reviewed", "review": review}


def _push(happening: Post) -> tuple[str, str, Json]:
    _, body = github_bytes.native(happening)
    name = happening.project.name
    url = f"{WEB}/{name}/commit/{happening.sha}"
    commit = body["head_commit"] | {"url": url, "verification": None}
    kept = {key: body[key] for key in ("ref", "before", "after")}
    return (
        "push",
        "push",
        kept
        | {
            "compare_url": f"{WEB}/{name}/compare/{happening.old}...{happening.sha}",
            "commits": [commit],
            "total_commits": 1,
            "head_commit": commit,
            "pusher": user(happening.who),
        },
    )


def _release(happening: Post) -> tuple[str, str, Json]:
    _, body = github_bytes.native(happening)
    page = f"{WEB}/{happening.project.name}/releases/tag/{happening.text}"
    release = body["release"] | {"html_url": page, "url": page, "author": user(happening.who)}
    return "release", "release", {"action": "published", "release": release}


_BODIES: Final = {
    "issue": _issue,
    "comment": _comment,
    "merge": _merge,
    "review": _review,
    "push": _push,
    "release": _release,
}


def _shown(happening: Post) -> Json:
    about = ticket_of(happening)
    page = f"{WEB}/{about.project.name}/issues/{about.number}"
    return github_bytes.issue(about, happening.time) | {
        "html_url": page,
        "url": page,
        "user": user(about.author),
        "pull_request": {"merged": about.merged} if about.merge else None,
    }


def user(person: Person) -> Json:
    """An account."""
    return {
        "id": number_of(person.username),
        "login": person.username,
        "full_name": person.name,
        "email": person.email,
        "html_url": f"{WEB}/{person.username}",
        "username": person.username,
    }


def repository(project: Project) -> Json:
    """A repository."""
    owner, _, name = project.name.partition("/")
    return {
        "id": number_of(project.name),
        "owner": {"id": 77, "login": owner, "username": owner, "full_name": owner},
        "name": name,
        "full_name": project.name,
        "description": f"The {project.part}",
        "private": False,
        "fork": False,
        "html_url": f"{WEB}/{project.name}",
        "clone_url": f"{WEB}/{project.name}.git",
        "default_branch": project.branch,
    }
