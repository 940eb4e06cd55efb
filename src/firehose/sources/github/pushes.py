"""GitHub's pushes: branches and tags that appear, move and go; merge queue groups.

In: a `Hook`. Out: events about `owner/repository@refs/heads/name`. Both `push` and `create`/`delete` report a new or
deleted ref; the setting `refs_from` says which one counts, so that nothing is told twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from firehose.errors import UnknownKind
from firehose.event import Event
from firehose.source import Ignored
from firehose.sources.github.hook import MOST_REFS, ZEROS, Details, Hook, commit, many
from firehose.wild import Wild

_HEADS: Final = "refs/heads/"
_TAGS: Final = "refs/tags/"
# The two ways GitHub itself words the commit that a merged pull request leaves behind.
_MERGED: Final = re.compile(r"^Merge pull request #([0-9]{1,9}) from |\(#([0-9]{1,9})\)$")
_QUEUED: Final = re.compile(r"/pr-([0-9]{1,9})-[0-9a-f]{7,64}$")


def push(hook: Hook) -> Event | Ignored:
    """`push`."""
    ref = hook.body["ref"].text()
    noun, name = split(ref)
    before, after = hook.body["before"].text(ZEROS), hook.body["after"].text(ZEROS)
    deleted = hook.body["deleted"].flag(after == ZEROS)
    created = hook.body["created"].flag(before == ZEROS)
    commits = list(hook.body["commits"].each())
    if hook.settings.refs_from == "create" and (deleted or (created and (noun == "tag" or not commits))):
        return Ignored("push.ref")
    predicate = "deleted" if deleted else "created" if created else "updated"
    if hook.settings.refs_from == "create":
        predicate = "updated"
    head = hook.body.at("head_commit", "message").text("")
    details: Details = {
        "time": hook.repository["pushed_at"].moment(),
        "link": hook.body["compare"].link(),
        "refs": [commit(hook.body["after"]), *_refs(hook, commits)],
        "text": " ".join([ref, *_messages(commits, head)]),
    }
    summary = _summary(hook, f"{noun} {name}", predicate, len(commits), head)
    return hook.event(_kind(noun, predicate), hook.ref(ref), summary, **details)


def split(ref: str) -> tuple[str, str]:
    """Whether a full name is a branch, a tag or something else, and its short name."""
    if ref.startswith(_HEADS):
        return "branch", ref.removeprefix(_HEADS)
    return ("tag", ref.removeprefix(_TAGS)) if ref.startswith(_TAGS) else ("ref", ref)


def _kind(noun: str, predicate: str) -> str:
    return f"{noun}.{predicate}" if noun in ("branch", "tag") else "repository.modified"


def _summary(hook: Hook, what: str, predicate: str, count: int, head: str) -> str:
    title = head.partition("\n")[0]
    tail = f": {title}" if title and predicate != "deleted" else ""
    if predicate == "updated" and count:
        verb = "force-pushed" if hook.body["forced"].flag(False) else "pushed"
        return f"{hook.who} {verb} {many(count, 'commit')} to {what} of {hook.project}{tail}"
    verb = {"updated": "moved", "created": "created", "deleted": "deleted"}[predicate]
    more = f" with {many(count, 'commit')}" if count and predicate == "created" else ""
    return f"{hook.who} {verb} {what} of {hook.project}{more}{tail}"


def _refs(hook: Hook, commits: list[Wild]) -> Iterator[str]:
    """The commits, newest first, and the pull requests that they say they merge."""
    for item in reversed(commits[-MOST_REFS:]):
        yield commit(item["id"])
        match = _MERGED.search(item["message"].text("").partition("\n")[0])
        if match:
            yield f"{hook.ref('').rpartition('@')[0]}#{match.group(1) or match.group(2)}"


def _messages(commits: list[Wild], head: str) -> list[str]:
    found = [item["message"].text("").partition("\n")[0] for item in commits[-100:]]
    return [*found, head]


def created(hook: Hook) -> Event | Ignored:
    """`create` and `delete`: a branch or tag appears or goes. Counted only with `refs_from = "create"`."""
    if hook.settings.refs_from == "push":
        return Ignored(hook.name)
    noun = hook.body["ref_type"].text()
    if noun not in ("branch", "tag"):
        raise UnknownKind(f"{hook.name}.{noun}")
    name = hook.body["ref"].full()
    predicate = "created" if hook.name == "create" else "deleted"
    return hook.event(
        f"{noun}.{predicate}",
        hook.ref((_HEADS if noun == "branch" else _TAGS) + name),
        f"{hook.who} {predicate} {noun} {name} of {hook.project}",
        time=hook.repository["pushed_at"].moment(),
        link=hook.repository["html_url"].link(),
        type=f"{hook.name}.{noun}",
    )


def merge_group(hook: Hook) -> Event:
    """`merge_group`: the merge queue puts changes together and asks for checks, or gives the group up."""
    words = {"checks_requested": "asks for checks of", "destroyed": "is done with"}
    if hook.action not in words:
        raise UnknownKind(hook.native)
    group = hook.body["merge_group"]
    ref = group["head_ref"].text()
    match = _QUEUED.search(ref)
    number = f"{hook.ref('').rpartition('@')[0]}#{match.group(1)}" if match else ""
    reason = hook.body["reason"].text("")
    return hook.event(
        "change.updated",
        number or hook.ref(ref),
        f"The merge queue {words[hook.action]} {number or ref}{f' ({reason})' if reason else ''}",
        link=hook.repository["html_url"].link(),
        refs=[commit(group["head_sha"]), hook.ref(ref)],
        text=group.at("head_commit", "message").text(""),
    )
