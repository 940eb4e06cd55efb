"""GitHub's repositories themselves: life, rules, releases, packages, wiki, forks, advisories, and the webhook's end.

In: a `Hook`. Out: events of kinds `repository.*`, `artifact.*`, `wikipage.*`, `incident.*`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from firehose.errors import UnknownKind
from firehose.event import Event
from firehose.source import Ignored
from firehose.sources.github.hook import Details, Hook, commit

REPOSITORY: Final = {
    "created": ("repository.created", "created {it}"),
    "deleted": ("repository.deleted", "deleted {it}"),
    "archived": ("repository.modified", "archived {it}"),
    "unarchived": ("repository.modified", "unarchived {it}"),
    "edited": ("repository.modified", "edited the settings of {it}"),
    "renamed": ("repository.modified", "renamed {old} to {it}"),
    "transferred": ("repository.modified", "transferred {it} to a new owner"),
    "privatized": ("repository.modified", "made {it} private"),
}
RELEASE: Final = {
    "published": ("artifact.published", "released {it}"),
    "edited": ("artifact.updated", "edited the release {it}"),
    "prereleased": ("artifact.updated", "marked {it} as a pre-release"),
    "released": ("artifact.updated", "marked {it} as a full release"),
    "unpublished": ("artifact.deleted", "withdrew the release {it}"),
    "deleted": ("artifact.deleted", "deleted the release {it}"),
}
RULES: Final = {
    "branch_protection_rule": "branch protection rule",
    "branch_protection_configuration": "branch protection",
    "repository_ruleset": "ruleset",
    "label": "label",
}
_DONE: Final = {"created", "edited", "deleted", "enabled", "disabled"}


def repository(hook: Hook) -> Event | Ignored:
    """`repository`."""
    if hook.action == "publicized":
        return Ignored("repository.publicized")
    if hook.action not in REPOSITORY:
        raise UnknownKind(hook.native)
    kind, words = REPOSITORY[hook.action]
    old = _before(hook)
    return _about(hook, kind, words.format(it=hook.project, old=old or "a repository"), old)


def _before(hook: Hook) -> str:
    """What the repository was called before it was renamed or transferred."""
    owner, _, name = hook.project.partition("/")
    came = hook.body.at("changes", "owner", "from")
    was = came.at("organization", "login").text("") or came.at("user", "login").text("")
    called = hook.body.at("changes", "repository", "name", "from").text("")
    return f"{was or owner}/{called or name}" if was or called else ""


def _about(hook: Hook, kind: str, said: str, *refs: str) -> Event:
    return hook.event(
        kind,
        hook.home,
        f"{hook.who} {said}",
        time=hook.repository["updated_at"].moment(),
        link=hook.repository["html_url"].link(),
        severity="notice",
        refs=[ref.replace(" ", "%20") for ref in refs],
        text=hook.repository["description"].text(""),
    )


def public(hook: Hook) -> Event:
    """`public`: the repository can be read by everybody from now on."""
    return _about(hook, "repository.modified", f"made {hook.project} public")


def rule(hook: Hook) -> Event:
    """What changes how a repository is used: protection, rulesets, labels."""
    if hook.action not in _DONE:
        raise UnknownKind(hook.native)
    item = hook.body[{"branch_protection_rule": "rule"}.get(hook.name, hook.name)]
    name = item["name"].text("") if item.is_object() else ""
    return _about(
        hook,
        "repository.modified",
        f"{hook.action} the {RULES[hook.name]}{f' {name}' if name else ''} of {hook.project}",
    )


def repository_import(hook: Hook) -> Event:
    """`repository_import`: a repository was brought over from elsewhere."""
    outcome = {"success": "success", "cancelled": "cancel", "failure": "failure"}.get(
        hook.body["status"].text(""), "error"
    )
    return hook.event(
        "repository.modified",
        hook.home,
        f"The import of {hook.project} ended: {outcome}",
        link=hook.repository["html_url"].link(),
        outcome=outcome,
        severity="info" if outcome == "success" else "warning",
    )


def fork(hook: Hook) -> Event:
    """`fork`."""
    forkee = hook.body["forkee"]
    name = forkee["full_name"].text()
    return hook.event(
        "repository.forked",
        hook.home,
        f"{hook.who} forked {hook.project} as {name}",
        time=forkee["created_at"].moment(),
        link=forkee["html_url"].link(),
        refs=[name.replace(" ", "%20")],
    )


def release(hook: Hook) -> Event | Ignored:
    """`release`. Drafts are nobody's business yet; `created` is a draft, or comes together with `published`."""
    item = hook.body["release"]
    if item["draft"].flag(False):
        return Ignored("release.draft")
    if hook.action == "created":
        return Ignored("release.created")
    if hook.action not in RELEASE:
        raise UnknownKind(hook.native)
    kind, words = RELEASE[hook.action]
    tag = item["tag_name"].text()
    name = item["name"].text("")
    times = "published_at" if hook.action == "published" else "updated_at published_at created_at"
    details: Details = {
        "time": next(filter(None, (item[key].moment() for key in times.split())), None),
        "link": item["html_url"].link(),
        "severity": "notice" if kind == "artifact.published" else "info",
        "refs": [hook.ref(f"refs/tags/{tag}")],
        "text": f"{name} {item['body'].text('')}",
    }
    title = f"{hook.project} {tag}" + (f" ({name})" if name and name != tag else "")
    return hook.event(kind, hook.thing("release", tag), f"{hook.who} {words.format(it=title)}", **details)


def package(hook: Hook) -> Event:
    """`package`."""
    kinds = {"published": "artifact.published", "updated": "artifact.updated"}
    if hook.action not in kinds:
        raise UnknownKind(hook.native)
    item = hook.body["package"]
    version = item["package_version"]
    name, number = item["name"].text(), version["version"].text("") or version["name"].text("")
    ecosystem = item["package_type"].text("") or item["ecosystem"].text("")
    title = f"{name} {number}".strip()
    return hook.event(
        kinds[hook.action],
        hook.thing("package", ecosystem.lower() or "package", f"{name}@{number}" if number else name),
        f"{hook.who} {hook.action} the {ecosystem.lower()} package {title} of {hook.project}".replace("  ", " "),
        time=item["updated_at"].moment(),
        link=version["html_url"].link() or item["html_url"].link(),
        severity="notice",
        refs=[commit(version["target_oid"]), *_tag(hook, version["tag_name"].text(""))],
        text=item["description"].text(""),
    )


def _tag(hook: Hook, name: str) -> list[str]:
    return [hook.ref(f"refs/tags/{name}")] if name else []


def gollum(hook: Hook) -> list[Event]:
    """`gollum`: pages of the wiki, an event for each."""
    return list(_pages(hook))


def _pages(hook: Hook) -> Iterator[Event]:
    kinds = {"created": "wikipage.created", "edited": "wikipage.updated", "deleted": "wikipage.deleted"}
    for number, page in enumerate(hook.body["pages"].each()):
        done = page["action"].text()
        if done not in kinds:
            raise UnknownKind(f"gollum.{done}")
        name = page["page_name"].text()
        yield hook.event(
            kinds[done],
            hook.thing("wikipage", name),
            f"{hook.who} {done} the wiki page {page['title'].text(name)} of {hook.project}",
            link=page["html_url"].link(),
            text=page["summary"].text(""),
            part=str(number + 1) if number else "",
        )


def advisory(hook: Hook) -> Event:
    """`repository_advisory.published`: a vulnerability that is public from now on."""
    if hook.action != "published":
        raise UnknownKind(hook.native)
    item = hook.body["repository_advisory"]
    return hook.event(
        "incident.reported",
        hook.thing("advisory", item["ghsa_id"].text()),
        f"{hook.project} published {item['ghsa_id'].text()}: {item['summary'].text('')}",
        time=item["published_at"].moment(),
        link=item["html_url"].link(),
        severity={"critical": "error", "high": "error", "medium": "warning"}.get(item["severity"].text(""), "notice"),
        refs=[item["cve_id"].text("").replace(" ", "")],
        text=item["description"].text(""),
    )


def meta(hook: Hook) -> Event:
    """`meta`: the webhook that brought this was deleted, so nothing more will come."""
    if hook.action != "deleted":
        raise UnknownKind(hook.native)
    number = hook.body["hook_id"].word()
    return hook.event(
        "incident.detected",
        hook.thing("webhook", number),
        f"{hook.who} deleted the webhook {number}{f' of {hook.project}' if hook.project else ''}: GitHub is silent now",
        severity="warning",
        link=hook.repository["html_url"].link(),
    )
