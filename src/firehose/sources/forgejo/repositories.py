"""Pushes, branches and tags, repositories, forks, releases, packages, wiki pages.

In: a `Hook`. Out: events of kinds `branch.*`, `tag.*`, `repository.*`, `artifact.*`, `wikipage.*`. Both `push` and
`create`/`delete` report a new ref; the setting `refs_from` says which one counts, so that nothing is told twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from firehose import subject
from firehose.errors import UnknownKind
from firehose.event import Event
from firehose.source import Ignored
from firehose.sources.forgejo.hook import MOST_REFS, ZEROS, Hook, commit, many
from firehose.wild import Wild

_HEADS: Final = "refs/heads/"
_TAGS: Final = "refs/tags/"
# "Merge pull request 'Title' (#12) from …", and the squashed "Title (#12)".
_MERGED: Final = re.compile(r"^Merge pull request .{0,400}\(#([0-9]{1,9})\) from |\(#([0-9]{1,9})\)$")


def push(hook: Hook) -> Event | Ignored:
    """`push`."""
    body = hook.body
    ref = body["ref"].text()
    noun = "tag" if ref.startswith(_TAGS) else "branch"
    deleted = not body["after"].text(ZEROS).strip("0")
    created = not body["before"].text(ZEROS).strip("0")
    commits = list(body["commits"].each())
    if hook.settings.refs_from == "create" and (deleted or noun == "tag" or (created and not commits)):
        return Ignored("push.ref")
    predicate = "deleted" if deleted else "created" if created else "updated"
    if hook.settings.refs_from == "create":
        predicate = "updated"
    titles = [item["message"].text("").partition("\n")[0] for item in commits[:100]]
    head = body.at("head_commit", "message").text("").partition("\n")[0] or next(iter(titles), "")
    count = body["total_commits"].count(len(commits))
    return hook.event(
        f"{noun}.{predicate}",
        hook.ref(ref),
        _summary(hook, f"{noun} {ref.removeprefix(_HEADS).removeprefix(_TAGS)}", predicate, count, head),
        link=body["compare_url"].link() or hook.repository["html_url"].link(),
        refs=[commit(body["after"]), *_refs(hook, commits)],
        text=" ".join([ref, *titles]),
    )


def _summary(hook: Hook, what: str, predicate: str, count: int, head: str) -> str:
    end = f": {head}" if head and predicate != "deleted" else ""
    if predicate == "updated" and count:
        return f"{hook.who} pushed {many(count, 'commit')} to {what} of {hook.project}{end}"
    verb = {"updated": "moved", "created": "created", "deleted": "deleted"}[predicate]
    return f"{hook.who} {verb} {what} of {hook.project}{end}"


def _refs(hook: Hook, commits: list[Wild]) -> Iterator[str]:
    """The commits, newest first as they come, and the pull requests that they say they merge."""
    for item in commits[:MOST_REFS]:
        yield commit(item["id"])
        match = _MERGED.search(item["message"].text("").partition("\n")[0][:600])
        if match:
            yield f"{hook.home}#{match.group(1) or match.group(2)}"


def ref_changed(hook: Hook) -> Event | Ignored:
    """`create` and `delete`. A deleted branch is reported by nothing else, so it always counts."""
    noun = hook.body["ref_type"].text()
    if noun not in ("branch", "tag"):
        raise UnknownKind(f"{hook.name}.{noun}")
    if hook.settings.refs_from == "push" and not (hook.name == "delete" and noun == "branch"):
        return Ignored(hook.name)
    name = hook.body["ref"].text()
    full = name if name.startswith("refs/") else (_HEADS if noun == "branch" else _TAGS) + name
    predicate = "created" if hook.name == "create" else "deleted"
    return hook.event(
        f"{noun}.{predicate}",
        hook.ref(full),
        f"{hook.who} {predicate} {noun} {full.removeprefix(_HEADS).removeprefix(_TAGS)} of {hook.project}",
        link=hook.repository["html_url"].link(),
        refs=[commit(hook.body["sha"])],
    )


def repository(hook: Hook) -> Event:
    """`repository`."""
    if hook.action not in ("created", "deleted"):
        raise UnknownKind(hook.native)
    return hook.event(
        f"repository.{hook.action}",
        hook.home,
        f"{hook.who} {hook.action} {hook.project}",
        time=hook.repository["updated_at"].moment() if hook.action == "created" else None,
        link=hook.repository["html_url"].link(),
        severity="notice",
        text=hook.repository["description"].text(""),
    )


def fork(hook: Hook) -> Event:
    """`fork`: `forkee` is what was forked, `repository` the new one."""
    new = hook.body["repository"]
    name = new["full_name"].text()
    return hook.event(
        "repository.forked",
        hook.home,
        f"{hook.who} forked {hook.project} as {name}",
        time=new["created_at"].moment(),
        link=new["html_url"].link(),
        refs=[subject.escape(name)],
    )


def release(hook: Hook) -> Event | Ignored:
    """`release`."""
    kinds = {
        "published": ("artifact.published", "released {}", "notice"),
        "updated": ("artifact.updated", "edited the release {}", "info"),
        "deleted": ("artifact.deleted", "deleted the release {}", "info"),
    }
    item = hook.body["release"]
    if item["draft"].flag(False):
        return Ignored("release.draft")
    if hook.action not in kinds:
        raise UnknownKind(hook.native)
    kind, words, severity = kinds[hook.action]
    tag, name = item["tag_name"].text(), item["name"].text("")
    title = f"{hook.project} {tag}" + (f" ({name})" if name and name != tag else "")
    return hook.event(
        kind,
        hook.thing("release", tag),
        f"{hook.who} {words.format(title)}",
        time=item["published_at"].moment(),
        link=item["html_url"].link(),
        severity=severity,
        refs=[hook.ref(_TAGS + tag)],
        text=f"{name} {item['body'].text('')}",
    )


def package(hook: Hook) -> Event:
    """`package`: of a repository, or of its owner alone."""
    kinds = {"created": ("artifact.published", "published"), "deleted": ("artifact.deleted", "deleted")}
    if hook.action not in kinds:
        raise UnknownKind(hook.native)
    kind, verb = kinds[hook.action]
    item = hook.body["package"]
    type_, name, version = item["type"].text(), item["name"].text(), item["version"].text("")
    owner = hook.project or item.at("owner", "login").text("") or item.at("owner", "username").text("")
    return hook.event(
        kind,
        "/".join(["package", *(subject.escape(part) for part in (owner, type_, f"{name}@{version}"))]),
        f"{hook.who} {verb} the {type_} package {name} {version} of {owner}",
        time=item["created_at"].moment() if hook.action == "created" else None,
        link=item["html_url"].link(),
        severity="notice",
    )


def wiki(hook: Hook) -> Event:
    """`wiki`."""
    kinds = {"created": "wikipage.created", "edited": "wikipage.updated", "deleted": "wikipage.deleted"}
    if hook.action not in kinds:
        raise UnknownKind(hook.native)
    page = hook.body["page"].text()
    return hook.event(
        kinds[hook.action],
        hook.thing("wikipage", page),
        f"{hook.who} {hook.action} the wiki page {page} of {hook.project}",
        link=hook.repository["html_url"].link(),
        text=hook.body["comment"].text(""),
    )
