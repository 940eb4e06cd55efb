"""Happenings on GitLab as its project hooks send them: event name and body.

In: `Post`. Out: `X-Gitlab-Event` and the payload (`object_kind`, `object_attributes`, …).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from firehose.simulator.cast import Person, Project
from firehose.simulator.github_bytes import number_of, ticket_of
from firehose.simulator.happening import Post
from firehose.simulator.state import Ticket

WEB: Final = "https://gitlab.lumen.example"
Json = dict[str, Any]
_STATES: Final = {"opened": "open", "closed": "close", "updated": "update", "merged": "merge"}


def native(happening: Post) -> tuple[str, Json]:
    """Event name and payload."""
    name, body = _BODIES[happening.what](happening)
    own = {"project": project(happening.project), "repository": repository(happening.project)}
    return name, body | own


def _issue(happening: Post) -> tuple[str, Json]:
    about = ticket_of(happening)
    attributes = _attributes(about, happening.time) | {"action": _STATES[happening.action]}
    return "Issue Hook", {
        "object_kind": "issue",
        "event_type": "issue",
        "user": user(happening.who),
        "object_attributes": attributes,
        "labels": [],
        "changes": {},
    }


def _comment(happening: Post) -> tuple[str, Json]:
    about = ticket_of(happening)
    place = "merge_request" if about.merge else "issue"
    return "Note Hook", {
        "object_kind": "note",
        "event_type": "note",
        "user": user(happening.who),
        "project_id": number_of(about.project.name),
        "object_attributes": {
            "id": happening.number,
            "note": happening.text,
            "noteable_type": "MergeRequest" if about.merge else "Issue",
            "author_id": number_of(happening.who.username),
            "created_at": stamp(happening.time),
            "updated_at": stamp(happening.time),
            "project_id": number_of(about.project.name),
            "system": False,
            "action": "create",
            "url": f"{address(about)}#note_{happening.number}",
        },
        place: _attributes(about, happening.time),
    }


def _merge(happening: Post) -> tuple[str, Json]:
    about = ticket_of(happening)
    action = "approved" if happening.what == "review" else _STATES[happening.action]
    attributes = _attributes(about, happening.time) | {
        "action": action,
        "target_branch": about.project.branch,
        "source_branch": about.branch,
        "merge_status": "can_be_merged",
        "last_commit": {"id": about.sha, "message": about.title, "timestamp": stamp(about.created)},
        "state": "merged" if about.merged else "closed" if about.state == "closed" else "opened",
    }
    if happening.old:
        attributes["oldrev"] = happening.old
    return "Merge Request Hook", {
        "object_kind": "merge_request",
        "event_type": "merge_request",
        "user": user(happening.who),
        "object_attributes": attributes,
        "labels": [],
        "changes": {},
    }


def _push(happening: Post) -> tuple[str, Json]:
    commit = {
        "id": happening.sha,
        "message": happening.text,
        "title": happening.text,
        "timestamp": stamp(happening.time),
        "url": f"{WEB}/{happening.project.name}/-/commit/{happening.sha}",
        "author": {"name": happening.who.name, "email": happening.who.email},
        "added": [],
        "modified": ["index.md"],
        "removed": [],
    }
    return "Push Hook", {
        "object_kind": "push",
        "event_name": "push",
        "before": happening.old,
        "after": happening.sha,
        "ref": f"refs/heads/{happening.project.branch}",
        "checkout_sha": happening.sha,
        "user_id": number_of(happening.who.username),
        "user_name": happening.who.name,
        "user_username": happening.who.username,
        "user_email": happening.who.email,
        "project_id": number_of(happening.project.name),
        "commits": [commit],
        "total_commits_count": 1,
    }


def _run(happening: Post) -> tuple[str, Json]:
    about = ticket_of(happening)
    done = happening.action == "completed"
    status = {"success": "success", "failure": "failed"}[happening.text] if done else "pending"
    return "Pipeline Hook", {
        "object_kind": "pipeline",
        "object_attributes": {
            "id": happening.number,
            "iid": happening.number % 1_000,
            "ref": about.branch,
            "tag": False,
            "sha": happening.sha,
            "source": "merge_request_event",
            "status": status,
            "detailed_status": "passed" if status == "success" else status,
            "stages": ["test"],
            "created_at": spaced(happening.time),
            "finished_at": spaced(happening.time) if done else None,
            "duration": 240 if done else None,
            "url": f"{WEB}/{about.project.name}/-/pipelines/{happening.number}",
        },
        "merge_request": {"id": about.id, "iid": about.number, "title": about.title, "url": address(about)},
        "user": user(happening.who),
        "commit": {"id": happening.sha, "message": about.title, "timestamp": stamp(about.created)},
        "builds": [],
    }


def _release(happening: Post) -> tuple[str, Json]:
    return "Release Hook", {
        "object_kind": "release",
        "id": happening.number,
        "created_at": spaced(happening.time),
        "released_at": spaced(happening.time),
        "description": "See the change log.",
        "name": happening.text,
        "tag": happening.text,
        "action": "create",
        "url": f"{WEB}/{happening.project.name}/-/releases/{happening.text}",
        "commit": {"id": happening.sha, "message": "release", "timestamp": stamp(happening.time)},
        "assets": {"count": 0, "links": [], "sources": []},
    }


_BODIES: Final = {
    "issue": _issue,
    "comment": _comment,
    "merge": _merge,
    "review": _merge,
    "push": _push,
    "run": _run,
    "release": _release,
}


def _attributes(about: Ticket, time: float) -> Json:
    return {
        "id": about.id,
        "iid": about.number,
        "title": about.title,
        "description": "",
        "author_id": number_of(about.author.username),
        "project_id": number_of(about.project.name),
        "created_at": stamp(about.created),
        "updated_at": stamp(time),
        "state": "opened" if about.state == "open" else "closed",
        "confidential": False,
        "url": address(about),
    }


def address(about: Ticket) -> str:
    """The page of an issue or merge request."""
    return f"{WEB}/{about.project.name}/-/{'merge_requests' if about.merge else 'issues'}/{about.number}"


def user(person: Person) -> Json:
    """An account."""
    return {
        "id": number_of(person.username),
        "name": person.name,
        "username": person.username,
        "avatar_url": f"{WEB}/avatars/{person.username}.png",
        "email": person.email,
    }


def project(about: Project) -> Json:
    """A project."""
    return {
        "id": number_of(about.name),
        "name": about.name.rpartition("/")[2],
        "description": f"The {about.part}",
        "web_url": f"{WEB}/{about.name}",
        "namespace": about.name.partition("/")[0],
        "visibility_level": 20,
        "path_with_namespace": about.name,
        "default_branch": about.branch,
    }


def repository(about: Project) -> Json:
    """The short form of a project."""
    return {"name": about.name.rpartition("/")[2], "homepage": f"{WEB}/{about.name}", "visibility_level": 20}


def stamp(time: float) -> str:
    """As GitLab's newer hooks write it."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def spaced(time: float) -> str:
    """As GitLab's older hooks write it."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
