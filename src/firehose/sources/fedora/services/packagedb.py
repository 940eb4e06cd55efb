"""Fedora's package database: who may do what with which package on which branch.

In: messages below `pkgdb`. Out: their table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from firehose.sources.fedora.services.rules import Body, Table, Words, fill, rule

_PLACES: Final = ("package_listing.package", "package", "acl.packagelist.package", "action.package")


def _name(m: Body) -> str:
    for path in _PLACES:
        if name := m(f"{path}.name"):
            return name
    listed = next((one("package.name") for one in m.each("package_listings")), "")
    return listed or m("action.info.pkg_name") or m("info.pkg_name") or m("package_name") or m("package")


def _path(m: Body) -> str:
    spaces = (m(f"{path}.namespace") for path in _PLACES)
    return f"{next((space for space in spaces if space), '') or m('namespace') or 'rpms'}/{_name(m)}"


def _agent(m: Body) -> str:
    return m("agent") or next(iter(m.names("agent")), "")


def _owner(m: Body) -> str:
    return m("package_listing.point_of_contact") or m("package_listing.owner")


def _people(m: Body) -> list[str]:
    """The agent, and for the database's first years whose rights changed."""
    found = [_agent(m), m("username"), m("acl.fas_name")]
    return [name for name in found if name and name != "orphan"]


def _says(words: str) -> Callable[[Body], str]:
    """`[p]` is the package with its namespace, `[b]` its branch, `[who]` the agent."""

    def line(m: Body) -> str:
        branch = m("package_listing.collection.branchname") or m("collection.branchname")
        made = words.replace("[p]", _path(m)).replace("[b]", branch).replace("[who]", _agent(m))
        return fill(made, m)

    return line


def _status(m: Body) -> str:
    old, new = m("prev_status"), m("status")
    verb = "made some updates to"
    for state, (left, entered) in {"Orphaned": ("unorphaned", "orphaned"), "Retired": ("unretired", "retired")}.items():
        if old == state != new:
            verb = left
        elif old != state == new:
            verb = entered
    branch = m("package_listing.collection.branchname")
    return f"{_agent(m)} {verb} {_path(m)}{f' in {branch}' if branch else ''}"


def _update(m: Body) -> str:
    if fields := m.names("fields"):
        return f"{_agent(m)} updated: {', '.join(fields)} of {_path(m)}"
    return f"{_agent(m)} made some updates to {_path(m)}"


def _collection(m: Body) -> str:
    what = f"{m.need('collection.name')} {m.need('collection.version')} collection"
    return f"{_agent(m)} updated the following fields of the {what}: {', '.join(m.names('fields'))}"


def _critpath(m: Body) -> str:
    verb = "set" if m.is_true("critpath") else "unset"
    return f"{_agent(m)} {verb} the critpath flag on the {_path(m)} package ({', '.join(m.names('branches'))})"


def _monitor(m: Body) -> str:
    flag = "koschei monitoring" if "koschei" in m.topic else "monitor"
    status = m.need("status")
    return (
        f"{_agent(m)} set the {flag} flag of {_path(m)} to {status.title() if status in ('true', 'false') else status}"
    )


def _removed(m: Body) -> str:
    branches = ", ".join(one("collection.branchname") for one in m.each("package_listings"))
    return f"{_agent(m)} removed {m.need('username')} from {_path(m)} ({branches})"


_ACTIONS: Final = {
    "request.package": "package request",
    "request.branch": "branch request",
}


def _action(m: Body) -> str:
    action = _ACTIONS.get(m.need("action.action"), m("action.action"))
    return (
        f"{_agent(m)} changed {m.need('action.user')}'s {action} for {_path(m)} "
        f"in {m.need('action.collection.branchname')} from {m('old_status')} to {m('new_status')}"
        + (f" with message: {m('action.message')}" if m("action.message") else "")
    )


def _link(m: Body) -> str:
    return f"https://admin.fedoraproject.org/pkgdb/package/{_path(m)}/"


def _packages(m: Body) -> list[str]:
    return [_name(m)] if _path(m).startswith("rpms/") else []


_PKG: Final[dict[str, Any]] = {
    "people": _people,
    "packages": _packages,
    "project": _path,
    "about": lambda m: f"package/rpm/{_name(m)}" if _name(m) else "pkgdb",
}
_DB: Final[dict[str, Any]] = {"people": _people, "project": "pkgdb"}


def _row(kind: str, words: Words, link: Words = "") -> Any:
    return rule(kind, _says(words) if isinstance(words, str) else words, link, **_PKG)


def _base(kind: str, words: Words) -> Any:
    return rule(kind, _says(words) if isinstance(words, str) else words, **_DB)


TABLE: Final[Table] = {
    "pkgdb.acl.update": _row(
        "package.updated", "[who] changed {username}'s '{acl}' permission on [p] ([b]) to '{status}'", _link
    ),
    "pkgdb.acl.request.toggle": _row("package.updated", "[who] has {acl_action} '{acl}' on [p] ([b])", _link),
    "pkgdb.acl.user.remove": _row("package.updated", _removed, _link),
    "pkgdb.acl.delete": _row(
        "package.updated",
        "[who] deleted {acl.fas_name}'s {acl.acl} rights from [p] ({acl.packagelist.collection.branchname})",
    ),
    "pkgdb.owner.update": _row(
        "package.updated", lambda m: _says("[who] changed owner of [p] ([b]) to ")(m) + f"'{_owner(m)}'", _link
    ),
    "pkgdb.package.new": _row("package.created", "[who] added a new package '[p]' ([b])", _link),
    "pkgdb.package.update": _row("package.updated", _update, _link),
    "pkgdb.package.update.status": _row("package.updated", _status, _link),
    "pkgdb.package.retire": _row("package.updated", "[who] {retirement} [p] ([b])!", _link),
    "pkgdb.package.delete": _row("package.deleted", "[who] deleted the '[p]' package from the pkgdb"),
    "pkgdb.package.critpath.update": _row("package.updated", _critpath),
    "pkgdb.package.monitor.update": _row("package.updated", _monitor),
    "pkgdb.package.koschei.update": _row("package.updated", _monitor),
    "pkgdb.package.branch.new": _row("branch.created", "[who] created the branch '[b]' for the package '[p]'", _link),
    "pkgdb.package.branch.delete": _row("branch.deleted", "[who] deleted the [b] branch of the '[p]' package"),
    "pkgdb.package.branch.request": _row(
        "branch.requested", "[who] requested branch {collection_to.branchname} for package [p]", _link
    ),
    "pkgdb.package.new.request": _row("package.requested", "[who] requested package [p] on branch [b]", _link),
    "pkgdb.package.unretire.request": _row("package.requested", "[who] asks that [p] be unretired on [b]"),
    "pkgdb.admin.action.status.update": _row("package.updated", _action, _link),
    "pkgdb.branch.clone": _row("branch.created", "[who] branched [p] {branch} from {master}", _link),
    "pkgdb.branch.start": _base(
        "pipelinerun.started", "[who] started a branch of {collection_to.branchname} from {collection_from.branchname}"
    ),
    "pkgdb.branch.complete": _base(
        "pipelinerun.finished",
        "[who]'s branch of {collection_to.branchname} from {collection_from.branchname} completed",
    ),
    "pkgdb.collection.new": _base(
        "project.created", "[who] created a new collection for {collection.name} {collection.version}"
    ),
    "pkgdb.collection.update": _base("project.updated", _collection),
    "pkgdb.critpath.update": _base("package.updated", "[who] altered the critpath status for some packages"),
}
