"""GitLab's pushes, releases, wiki pages, feature flags, projects, and findings.

In: a `Hook`. Out: events of kinds `branch.*`, `tag.*`, `artifact.*`, `wikipage.*`, `featureflag.*`, `repository.*`,
and, for an audience only, `incident.*`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from firehose import subject
from firehose.errors import UnknownKind
from firehose.event import Event
from firehose.sources.gitlab.hook import MOST_REFS, ZEROS, Hook, commit, many
from firehose.wild import Wild

_SHORT: Final = re.compile(r"^refs/(?:heads|tags)/")
# What GitLab writes into the commit that a merge request leaves behind.
_MERGED: Final = re.compile(r"^See merge request ([\w./-]{1,300})!([0-9]{1,9})\s*$", re.MULTILINE)
PROJECTS: Final = {
    "project_create": ("repository.created", "was created"),
    "project_destroy": ("repository.deleted", "was deleted"),
    "project_rename": ("repository.modified", "was renamed from {old}"),
    "project_transfer": ("repository.modified", "was moved here from {old}"),
    "project_update": ("repository.modified", "was changed"),
}


def push(hook: Hook) -> Event:
    """`push` and `tag_push`."""
    body = hook.body
    ref = body["ref"].text()
    noun = "tag" if hook.name == "tag_push" else "branch"
    before, after = body["before"].text(ZEROS), body["after"].text(ZEROS)
    predicate = "deleted" if after == ZEROS else "created" if before == ZEROS else "updated"
    commits = list(body["commits"].each())
    count = body["total_commits_count"].count(len(commits))
    titles = [item["title"].text("") or item["message"].text("").partition("\n")[0] for item in commits[-100:]]
    last = f": {titles[-1]}" if titles and predicate != "deleted" else ""
    what = f"{noun} {_SHORT.sub('', ref)} of {hook.project}"
    if predicate == "updated" and count:
        summary = f"{hook.who} pushed {many(count, 'commit')} to {what}{last}"
    else:
        verb = {"updated": "moved", "created": "created", "deleted": "deleted"}[predicate]
        with_ = f" with {many(count, 'commit')}" if count and predicate == "created" and noun == "branch" else ""
        summary = f"{hook.who} {verb} {what}{with_}{last}"
    web = body.at("project", "web_url").link()
    safe = re.fullmatch(r"[0-9a-f]{40,64}", before) and re.fullmatch(r"[0-9a-f]{40,64}", after)
    return hook.event(
        f"{noun}.{predicate}",
        hook.ref(ref),
        summary,
        link=f"{web}/-/compare/{before}...{after}" if web and safe and predicate == "updated" else web,
        refs=[commit(body["after"]), *_refs(commits)],
        text=" ".join([ref, body["message"].text(""), *titles]),
        type=hook.name,
    )


def _refs(commits: list[Wild]) -> Iterator[str]:
    """The commits, newest first, and the merge requests that they say they merge."""
    for item in reversed(commits[-MOST_REFS:]):
        yield commit(item["id"])
        for project, number in _MERGED.findall(item["message"].text("")[:20_000])[:4]:
            yield f"{project}!{number}"


def release(hook: Hook) -> Event:
    """`release`."""
    kinds = {"create": "artifact.published", "update": "artifact.updated", "delete": "artifact.deleted"}
    if hook.action not in kinds:
        raise UnknownKind(hook.native)
    body = hook.body
    tag, name = body["tag"].text(), body["name"].text("")
    words = {"create": "was released", "update": "was changed", "delete": "was deleted"}[hook.action]
    title = f"{hook.project} {tag}" + (f" ({name})" if name and name != tag else "")
    return hook.event(
        kinds[hook.action],
        hook.thing("release", tag),
        f"{title} {words}" if not hook.actor else f"{hook.actor}: {title} {words}",
        time=body["released_at"].moment() or body["created_at"].moment(),
        link=body["url"].link(),
        severity="notice" if hook.action == "create" else "info",
        refs=[hook.ref(f"refs/tags/{tag}"), commit(body.at("commit", "id"))],
        text=f"{name} {body['description'].text('')}",
    )


def wiki_page(hook: Hook) -> Event:
    """`wiki_page`."""
    done = {"create": "created", "update": "updated", "delete": "deleted"}.get(hook.action)
    if done is None:
        raise UnknownKind(hook.native)
    item = hook.own
    return hook.event(
        f"wikipage.{done}",
        hook.thing("wikipage", item["slug"].text()),
        f"{hook.who} {done} the wiki page {item['title'].text('')} of {hook.project}",
        link=item["url"].link(),
        text=f"{item['message'].text('')} {item['content'].text('')}",
    )


def feature_flag(hook: Hook) -> Event:
    """`feature_flag`."""
    name, active = hook.own["name"].text(), hook.own["active"].flag()
    return hook.event(
        "featureflag.updated",
        hook.thing("featureflag", name),
        f"{hook.who} turned {'on' if active else 'off'} the feature flag {name} of {hook.project}",
        link=hook.body.at("project", "web_url").link(),
        severity="notice",
        text=hook.own["description"].text(""),
    )


def project(hook: Hook) -> Event:
    """`project_create` and its like, from group and system hooks."""
    kind, words = PROJECTS[hook.name]
    old = hook.body["old_path_with_namespace"].text("")
    return hook.event(
        kind,
        hook.home,
        f"{hook.project} {words.format(old=old or 'another path')}",
        time=hook.body["updated_at"].moment(),
        link=f"{hook.source}/{hook.project}" if hook.project.isprintable() and " " not in hook.project else "",
        severity="notice",
        refs=[subject.escape(old)],
        text=hook.body["name"].text(""),
    )


def vulnerability(hook: Hook) -> Event:
    """`vulnerability`: never called without an audience."""
    item = hook.own
    state = item["state"].text()
    stages = {"detected": "detected", "confirmed": "updated", "resolved": "resolved", "dismissed": "resolved"}
    if state not in stages:
        raise UnknownKind(f"vulnerability.{state}")
    number = item["id"].word("") or item["url"].link().rpartition("/")[2]
    level = {"critical": "error", "high": "error", "medium": "warning"}.get(item["severity"].text(""), "notice")
    return hook.event(
        f"incident.{stages[state]}",
        hook.thing("vulnerability", number),
        f"{hook.project}: vulnerability {number} {state}: {item['title'].text('')}",
        time=item["updated_at"].moment() or item["created_at"].moment(),
        link=item["url"].link(),
        severity="info" if stages[state] == "resolved" else level,
        type=f"vulnerability.{state}",
    )
