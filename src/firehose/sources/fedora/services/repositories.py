"""Git repositories and trackers beside the forges: package sources, infrastructure's own, Fedora Hosted, Bugzilla.

In: messages below `git`, `infragit`, `summershum`, `trac`, `bugzilla`. Out: their tables.
"""

from __future__ import annotations

from typing import Any, Final

from firehose.sources.fedora.services.phrases import headline, listing, short
from firehose.sources.fedora.services.rules import Body, Table, rule

SRC: Final = "https://src.fedoraproject.org"


def _commit_people(m: Body) -> list[str]:
    return [
        name for name in [m("commit.agent") or m("commit.username") or m.account(m("commit.email"))] if "@" not in name
    ]


def _committer(m: Body) -> str:
    return m("commit.agent") or m("commit.username") or m.account(m.need("commit.email"))


def _git_receive(m: Body) -> str:
    repo = "/".join(part for part in (m("commit.namespace"), _repo(m)) if part)
    told = headline(m("commit.summary"), m("commit.message"))
    return f'{_committer(m)} pushed to {repo} ({m.need("commit.branch")}).  "{told}"'


def _git_namespace(m: Body) -> str:
    return f"{m('commit.namespace') or 'rpms'}/{_repo(m)}"


def _repo(m: Body) -> str:
    """Older messages have it in the topic alone."""
    return m("commit.repo") or ".".join(m.topic[2:-1])


_RECEIVE: Final = rule(
    "branch.updated",
    _git_receive,
    lambda m: f"{SRC}/{_git_namespace(m)}/c/{m.need('commit.rev')}?branch={m.need('commit.branch')}",
    people=_commit_people,
    packages=lambda m: [_repo(m)] if m("commit.namespace") in ("", "rpms", "rpms-checks") else [],
    about="commit/{commit.rev}",
    project=_git_namespace,
)


def _branched(m: Body) -> tuple[str, str]:
    """Package and branch, as the body has them, or older messages' topics."""
    if m("name"):
        return m("name"), m("branch")
    rest = m.topic[2:]
    return ".".join(rest[:-1]), rest[-1]


def _branch_path(m: Body) -> str:
    return f"{m('namespace') or 'rpms'}/{_branched(m)[0]}"


def _branch_words(m: Body) -> str:
    name, made = _branched(m)
    space = f"{m('namespace')}/" if m("namespace") else ""
    return f"{m.need('agent')} created branch '{made}' for the '{space}{name}' package"


_BRANCH: Final = rule(
    "branch.created",
    _branch_words,
    lambda m: f"{SRC}/{_branch_path(m)}/commits/{_branched(m)[1]}",
    people="agent",
    packages=lambda m: [_branched(m)[0]] if m("namespace") in ("", "rpms", "rpms-checks") else [],
    about=lambda m: f"{_branch_path(m)}@refs/heads/{_branched(m)[1]}",
    project=lambda m: _branch_path(m),
)


def _unbranched(m: Body) -> str:
    count = len(m.names("unbranchedPackages"))
    errors = f" with {count} error{'' if count == 1 else 's'}" if count else ""
    return f"run of pkgdb2branch started by {m.need('agent')} completed{errors}"


def _lookaside(m: Body) -> str:
    path = m("path") or f"{m.need('name')}/{m.need('filename')}/{m.need('md5sum')}"
    return f"{SRC}/lookaside/pkgs/{path}" + (f"/{m('filename')}" if not m("path") else "")


def _infra(m: Body) -> str:
    return m("commit.repo") or m.need("commit.path").rstrip("/").rpartition("/")[2].removesuffix(".git")


def _infra_words(m: Body) -> str:
    told = headline(m("commit.summary"), m("commit.message"))
    return (
        f'{_committer(m)} pushed a commit to the fedora-infra {_infra(m)} repo ({m.need("commit.branch")}):  "{told}"'
    )


def _infra_link(m: Body) -> str:
    return f"https://infrastructure.fedoraproject.org/cgit/{_infra(m)}.git/commit/?h={m.need('commit.branch')}&id={m.need('commit.rev')}"


_LOOKASIDE: Final[dict[str, Any]] = {
    "people": "original.agent",
    "packages": "original.name",
    "project": "rpms/{original.name}",
}
_OLD_LOOKASIDE: Final = "http://pkgs.fedoraproject.org/lookaside/pkgs/{original.name}/{original.filename}/{original.md5sum}/{original.filename}"

GIT: Final[Table] = {
    "git.receive": _RECEIVE,
    "git.receive.#": _RECEIVE,
    "git.branch": _BRANCH,
    "git.branch.#": _BRANCH,
    "git.mass_branch.start": rule(
        "pipelinerun.started", "{agent} started a mass branch", people="agent", project="git"
    ),
    "git.mass_branch.complete": rule(
        "pipelinerun.finished", "mass branch started by {agent} completed", people="agent", project="git"
    ),
    "git.pkgdb2branch.start": rule(
        "pipelinerun.started", "{agent} started a run of pkgdb2branch", people="agent", project="git"
    ),
    "git.pkgdb2branch.complete": rule(
        "pipelinerun.finished",
        _unbranched,
        people="agent",
        packages="unbranchedPackages[] branchedPackages[]",
        project="git",
        outcome=lambda m: "failure" if m.is_true("unbranchedPackages") else "success",
    ),
    "git.lookaside.new": rule(
        "artifact.published",
        "{agent} uploaded {filename} for {name}",
        _lookaside,
        people="agent",
        packages="name",
        project="rpms/{name}",
    ),
    "infragit.receive": rule(
        "branch.updated",
        _infra_words,
        _infra_link,
        people=_commit_people,
        about="commit/{commit.rev}",
        project=lambda m: f"fedora-infra/{_infra(m)}",
    ),
    "summershum.ingest.start": rule(
        "taskrun.started",
        "summershum started ingesting {original.filename} for {original.name}",
        _OLD_LOOKASIDE,
        **_LOOKASIDE,
    ),
    "summershum.ingest.complete": rule(
        "taskrun.finished",
        "summershum ingested {original.filename} for {original.name}",
        _OLD_LOOKASIDE,
        **_LOOKASIDE,
        outcome="success",
    ),
    "summershum.ingest.fail": rule(
        "taskrun.finished",
        "yikes!  summershum failed to process {original.filename} for {original.name}",
        _OLD_LOOKASIDE,
        **_LOOKASIDE,
        outcome="failure",
    ),
}


def _trac_ticket(m: Body) -> str:
    where = f"a ticket on the {m.need('instance.project_name')} trac instance"
    if m("ticket.status") == "closed" and m.at("old_values.status").present:
        return f"{m.need('agent')} closed {where} as '{m('ticket.resolution')}'"
    if m("ticket.status") == "reopened" and m.at("old_values.status").present:
        return f"{m.need('agent')} reopened {where}"
    return f"{m.need('agent')} updated {where}"


def _hosted(m: Body) -> str:
    path = m.need("commit.path").removesuffix(".git").rstrip("/")
    return path.removeprefix("/srv/git/").removeprefix("/git/")


_T: Final[dict[str, Any]] = {"people": lambda m: _trac_people(m), "project": "trac/{instance.project_name}"}
_TICKET: Final = {**_T, "about": "trac/{instance.project_name}#{ticket.id}"}
_WIKI: Final = {**_T, "about": "trac/{instance.project_name}/wiki/{page.name}"}
_TICKET_LINK: Final = "{instance.base_url}ticket/{ticket.id}"


def _wiki_link(m: Body) -> str:
    """The page, and what changed on it when it has a version."""
    where = f"{m.need('instance.base_url').rstrip('/')}/wiki/{m.need('page.name')}"
    version = m("page.version")
    changed = version not in ("", "0") and m.topic[-1] not in ("rename", "new")
    return f"{where}?action=diff&version={version}" if changed else where


def _trac_people(m: Body) -> list[str]:
    found = [m(path).strip() for path in ("agent", "page.author", "ticket.owner", "ticket.reporter")]
    return [*found, *(name.strip() for name in m("ticket.cc").split(","))]


TRAC: Final[Table] = {
    "trac.ticket.new": rule(
        "ticket.created",
        "{agent} opened a new ticket on the {instance.project_name} trac instance",
        _TICKET_LINK,
        **_TICKET,
    ),
    "trac.ticket.update": rule("ticket.updated", _trac_ticket, _TICKET_LINK, **_TICKET),
    "trac.ticket.delete": rule(
        "ticket.deleted",
        "{agent} straight-up deleted a ticket on the {instance.project_name} trac instance",
        _TICKET_LINK,
        **_TICKET,
    ),
    "trac.wiki.page.new": rule(
        "wikipage.created",
        "{agent} created a new '{page.name}' wiki page on the {instance.project_name} trac instance",
        _wiki_link,
        **_WIKI,
    ),
    "trac.wiki.page.update": rule(
        "wikipage.updated",
        "{agent} updated the '{page.name}' wiki page on the {instance.project_name} trac instance",
        _wiki_link,
        **_WIKI,
    ),
    "trac.wiki.page.delete": rule(
        "wikipage.deleted",
        "{agent} straight-up deleted the '{page.name}' wiki page on the {instance.project_name} trac instance",
        _wiki_link,
        **_WIKI,
    ),
    "trac.wiki.page.version.delete": rule(
        "wikipage.updated",
        "{agent} deleted a version of the '{page.name}' wiki page on the {instance.project_name} trac instance",
        _wiki_link,
        **_WIKI,
    ),
    "trac.wiki.page.rename": rule(
        "wikipage.updated",
        "{agent} renamed the wiki page '{old_name}' to '{page.name}' on the {instance.project_name} trac instance",
        _wiki_link,
        **_WIKI,
    ),
    "trac.git.receive": rule(
        "branch.updated",
        lambda m: f"{_committer(m)} pushed some commits to the '{_hosted(m)}' fedorahosted git repository",
        lambda m: f"https://git.fedorahosted.org/cgit/{_hosted(m)}.git/commit/?id={m.need('commit.rev')}",
        people=_commit_people,
        about="commit/{commit.rev}",
        project=_hosted,
    ),
}


# -- Bugzilla


def _who(m: Body) -> str:
    return m.account(m("event.who") or m("event.user.login") or m.need("bug.creator"))


def _bug_people(m: Body) -> list[str]:
    paths = (
        "comment.author",
        "event.who",
        "bug.creator",
        "bug.assigned_to",
        "event.user.login",
        "bug.assigned_to.login",
    )
    addresses = [m(path) for path in paths] + m.names("bug.cc")
    return [name for address in addresses if (name := m.account(address)) and "@" not in name]


def _component(m: Body) -> list[str]:
    return [name for name in _components(m) if name != "Package Review"]


def _components(m: Body) -> list[str]:
    found = m.at("bug.component")
    if found.is_object():
        return [m("bug.component.name")]
    return m.names("bug.component")[:1] or m.names("bug.components")[:1]


def _changed(m: Body) -> str:
    fields = [one("field_name") or one("field") for one in m.each("event.changes")] or m.keys("event.changes")
    return (
        listing([f"'{name}'" for name in fields if name])
        if fields
        else "nothing? (likely bugzilla sent us a buggy message)"
    )


def _bug_words(m: Body) -> str:
    what = f"RHBZ#{m.need('bug.id')} '{short(m('bug.summary'), 40)}'"
    if not m.at("comment").is_object() and not m.at("event").is_object():
        return f"{_who(m)} updated {what}"
    if m.at("comment").is_object():
        return f"{m.account(m('comment.author')) or _who(m)} commented on {what}"
    return f"{_who(m)} updated {_changed(m)} on {what}"


_BUG: Final[dict[str, Any]] = {
    "people": _bug_people,
    "packages": _component,
    "about": "rhbz/{bug.id}",
    "project": lambda m: f"rpms/{_component(m)[0]}" if _component(m) else "bugzilla",
}
_BUG_LINK: Final = "https://bugzilla.redhat.com/show_bug.cgi?id={bug.id}"

BUGZILLA: Final[Table] = {
    "bugzilla.bug.new": rule(
        "ticket.created",
        lambda m: f"{_who(m)} filed a new bug RHBZ#{m.need('bug.id')} '{short(m('bug.summary'), 40)}'",
        _BUG_LINK,
        **_BUG,
    ),
    "bugzilla.bug.update": rule("ticket.updated", _bug_words, _BUG_LINK, **_BUG),
}
TABLE: Final[Table] = {**GIT, **TRAC, **BUGZILLA}
