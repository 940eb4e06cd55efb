"""Zuul: an event enqueues, dequeues or promotes a change or a branch, by Zuul's REST API (`zuul/web`, Zuul 4 to 14).

In: one event. Out: the request as bytes: its address and its JSON. Which change an event is about is found in the
payloads of the services that Zuul itself listens to, or read by the operator's own templates (`words.py`). Tokens,
pace and memory are `transport.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal
from urllib.parse import quote

import msgspec

from firehose import urls
from firehose.errors import GiveUp
from firehose.event import Recorded, identity
from firehose.sink import Message, Outlet, Settings, SinkKind
from firehose.sinks.zuul import words
from firehose.sinks.zuul.transport import connect
from firehose.wild import Wild

CHANGES: Final = (
    ("change.number", "patchSet.number"),
    ("pull_request.number", "pull_request.head.sha"),
    ("object_attributes.iid", "object_attributes.last_commit.id"),
    ("merge_request.iid", "merge_request.last_commit.id"),
    ("change", "patchset"),
)
"""Where payloads name a change and its newest patch set: Gerrit, GitHub, GitLab (twice), Zuul's own reports."""
REFS: Final = (
    ("refUpdate.refName", "refUpdate.oldRev", "refUpdate.newRev"),
    ("ref", "before", "after"),
    ("ref", "oldrev", "newrev"),
)
"""Where payloads name what moved: Gerrit, GitHub and GitLab, Zuul's own reports."""
_BRANCHES: Final = ("refs/heads/", "refs/tags/")


class ZuulSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """url: Zuul's web address, without `/api`. tenant, pipeline: where. action: what is asked for.

    project, change, ref, oldrev, newrev, parameters: templates such as `{data.change.number},{data.patchSet.number}`;
    without them the event's own project and change, or for pushes its ref, are taken. parameters: for enqueued
    branches and tags. auth: how requests prove who asks: `HS256` (secret: the shared secret of Zuul's `[auth …]`),
    `RS256` (secret: a private key, PEM) or `token` (secret: a token of `zuul-admin create-auth-token`).
    issuer, audience: `issuer_id` and `client_id` of Zuul's `[auth …]`. user: who asks, the token's `sub`.
    key_id: the token's `kid`. claims: more claims, for Zuul's authorization rules. admin: claim to be the tenant's
    admin (`zuul.admin`), which Zuul honours with `allow_authz_override`. valid: seconds that a token lives; one is
    made for each request. per_minute: most requests in any minute; more wait. timeout: seconds.
    dry_run: ask nothing, only say what would be asked.
    """

    url: str
    tenant: str
    pipeline: str
    action: Literal["enqueue", "dequeue", "promote"] = "enqueue"
    project: str = ""
    change: str = ""
    ref: str = ""
    oldrev: str = ""
    newrev: str = ""
    parameters: dict[str, str] = msgspec.field(default_factory=dict)
    auth: Literal["HS256", "RS256", "token"] = "HS256"
    secret_file: str = ""
    secret_env: str = ""
    issuer: str = ""
    audience: str = ""
    user: str = "firehose"
    key_id: str = ""
    claims: dict[str, str | list[str]] = msgspec.field(default_factory=dict)
    admin: bool = False
    valid: int = 60
    per_minute: int = 30
    timeout: float = 20.0
    dry_run: bool = False


def render(events: Sequence[Recorded], lane: str, outlet: Outlet) -> Message:
    """The request; `GiveUp` says what of it the event does not name."""
    event, settings = events[0], outlet.settings
    body: dict[str, Any] = {"pipeline": settings.pipeline}
    data = words.data(event)
    change = words.fill(settings.change, event, data) if settings.change else "" if settings.ref else _change(data)
    if settings.action == "promote":
        if not change:
            raise GiveUp("the event names no change to promote; narrow the query, or set change to a template")
        body["changes"] = [change]
    elif change:
        body["change"] = change
    else:
        body |= _ref(event, data, settings)
    if settings.action == "enqueue" and settings.parameters and body.get("ref", "").startswith(_BRANCHES):
        body["parameters"] = {name: words.fill(text, event, data) for name, text in settings.parameters.items()}
    return Message(
        id=identity(event.envelope.source, event.envelope.id),
        to=_address(settings, words.fill(settings.project or "{project}", event, data)),
        body=msgspec.json.encode(body),
        headers={"content-type": "application/json"},
    )


def _change(data: Wild) -> str:
    """A change as Zuul writes it, `number,patch set`; "" when the payload names none."""
    for number, patch in CHANGES:
        found = words.at(data, number), words.at(data, patch)
        if all(found):
            return ",".join(found)
    return ""


def _ref(event: Recorded, data: Wild, settings: ZuulSettings) -> dict[str, str]:
    """The ref to enqueue or dequeue, and for the first from where to where it moved, if that is known."""
    given = (settings.ref, settings.oldrev, settings.newrev)
    if settings.ref:
        ref, old, new = (words.fill(text, event, data) if text else "" for text in given)
    else:
        places = [tuple(words.at(data, place) for place in three) for three in REFS]
        ref, old, new = next((three for three in places if three[0]), ("", "", ""))
    if not ref:
        raise GiveUp("the event names no change and no ref; narrow the query, or set change or ref to a template")
    body = {"ref": ref if ref.startswith("refs/") else f"refs/heads/{ref}"}
    if settings.action == "enqueue":
        body |= {name: text for name, text in (("oldrev", old), ("newrev", new)) if text}
    return body


def _address(settings: ZuulSettings, project: str) -> str:
    base = f"{settings.url.rstrip('/')}/api/tenant/{quote(settings.tenant, safe='')}"
    if settings.action == "promote":
        return f"{base}/promote"
    # A project's name comes from outside and must not lead to another door of the API.
    if any(part in ("", ".", "..") for part in project.split("/")):
        raise GiveUp(f"{project!r} is not the name of a project")
    return f"{base}/project/{quote(project, safe='/')}/{settings.action}"


def check(settings: ZuulSettings) -> str:
    """Why the settings cannot work; "" when they can."""
    if problem := urls.problem(settings.url, ("https", "http")):
        return f"url must be Zuul's address, such as https://zuul.example.org: {problem}"
    if not settings.tenant or not settings.pipeline:
        return "tenant and pipeline must not be empty"
    if settings.auth != "token" and not (settings.issuer and settings.audience):
        return f"auth = {settings.auth!r} needs issuer and audience: issuer_id and client_id of Zuul's [auth …] section"
    if not 1 <= settings.valid <= 3_600:
        return "valid must be 1 to 3600 seconds"
    if not settings.timeout > 0:
        return "timeout must be more than 0 seconds"
    if settings.per_minute < 1:
        return "per_minute must be at least 1"
    if settings.change and settings.ref:
        return "set change or ref, not both"
    templates = (settings.project, settings.change, settings.ref, settings.oldrev, settings.newrev)
    return next(filter(None, map(words.problem, (*templates, *settings.parameters.values()))), "")


SINK = SinkKind(
    name="zuul",
    title="Zuul",
    family="ci",
    settings=ZuulSettings,
    render=render,
    connect=connect,
    check=check,
    to=lambda settings: f"{settings.action} into {settings.pipeline} of {settings.tenant}, {settings.url}",
    formats=("enqueue, dequeue and promote of Zuul's REST API, with a JWT for each request",),
)
