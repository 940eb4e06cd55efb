"""How Launchpad's things are called here, and what its words for states mean. Pure tables and small functions.

In: URL paths (`/~alice/example/+git/example`, `/bugs/2100001`) and status words. Out: projects, subjects, links,
people.
"""

from __future__ import annotations

import re
from typing import Final

from firehose.subject import escape

CLOSED: Final = frozenset({"Fix Released", "Invalid", "Won't Fix", "Opinion", "Expired", "Does Not Exist"})
"""Bug states after which nobody has to do anything."""

BUILDS: Final = {
    "Needs building": ("taskrun.queued", "queued"),
    "Currently building": ("taskrun.started", "running"),
    "Gathering build output": ("taskrun.started", "running"),
    "Uploading build": ("taskrun.started", "running"),
    "Cancelling build": ("taskrun.started", "running"),
    "Successfully built": ("taskrun.finished", "success"),
    "Failed to build": ("taskrun.finished", "failure"),
    "Failed to upload": ("taskrun.finished", "failure"),
    "Dependency wait": ("taskrun.finished", "error"),
    "Chroot problem": ("taskrun.finished", "error"),
    "Build for superseded Source": ("taskrun.finished", "skipped"),
    "Cancelled build": ("taskrun.finished", "cancel"),
}
_BUG: Final = re.compile(r"(?:/bugs|/\+bug)/([0-9]{1,12})\b")


def bug_number(path: str) -> str:
    """The number in `/bugs/2100001` or `/example/+bug/2100001/comments/1`; "" when there is none."""
    match = _BUG.search(path)
    return match.group(1) if match else ""


def person(path: str) -> str:
    """The name in `/~alice`."""
    return path.strip("/").removeprefix("~").partition("/")[0]


def project(path: str) -> str:
    """What a target or repository belongs to: `example`, `ubuntu/nova`; somebody's own code is `~alice/name`."""
    parts = path.strip("/").split("/")
    owner = parts.pop(0) if parts and parts[0].startswith("~") else ""
    home: list[str] = []
    for part in parts:
        if part in ("+source", "+oci"):
            continue
        if part.startswith("+"):
            break
        home.append(part)
    if home:
        return "/".join(home)
    return "/".join(part for part in (owner, parts[-1] if parts else "") if part)


def repository(path: str) -> str:
    """The subject of a repository or branch: its path."""
    return escape(path.strip("/"))


def proposal(path: str) -> str:
    """The subject of a merge proposal: `~alice/example/+git/example/+merge/4711`."""
    return escape(path.strip("/"))


def code_link(path: str) -> str:
    """Where people look at a repository, a proposal or a build."""
    return "https://code.launchpad.net/" + escape(path.strip("/"))


def bug_link(number: str) -> str:
    """Where people look at a bug."""
    return f"https://bugs.launchpad.net/bugs/{number}"


def original(project: str, notification: str, number: str) -> tuple[str, ...]:
    """The topic of the original Firehose, `launchpad/<project>/<notification type>/<bug>`: filled from left to right
    until something is missing."""
    levels = ["launchpad"]
    for level in (project, notification, number):
        if not level:
            break
        levels.append(escape(level))
    return ("/".join(levels),)
