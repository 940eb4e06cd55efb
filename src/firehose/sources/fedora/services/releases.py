"""New versions upstream, and what follows from them: Anitya (release-monitoring.org) and the-new-hotness.

In: messages below `anitya` and `hotness`. Out: their table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from firehose.sources.fedora.services.phrases import series
from firehose.sources.fedora.services.rules import Body, Table, fill, rule

HOME: Final = "https://release-monitoring.org"
PROJECT: Final = f"{HOME}/project/{{project.id}}/"
DISTROS: Final = f"{HOME}/distros"


def _agent(m: Body) -> str:
    return m.account(m("message.agent") or m("@sender") or "anitya")


def _people(m: Body) -> list[str]:
    return [name for name in [_agent(m)] if "@" not in name]


def _did(words: str) -> Callable[[Body], str]:
    """A line that begins with who did it."""
    return lambda m: f"{_agent(m)} {fill(words, m)}"


def _fedora(m: Body, path: str) -> list[str]:
    return [one("package_name") for one in m.each(path) if one("distro").lower() == "fedora"]


def _mapped(m: Body) -> list[str]:
    return [m("message.new"), m("message.prev")] if m("distro.name").lower() == "fedora" else []


def _version_packages(m: Body) -> list[str]:
    return _fedora(m, "message.packages" if m.is_true("message") else "packages")


def _version(m: Body) -> str:
    told = "message." if m.is_true("message") else ""
    new, old = m.need(f"{told}upstream_version"), m(f"{told}old_version")
    newer = f' newer than "{old}"' if old and not m.is_true(f"{told}odd_change") else ""
    packed = _version_packages(m)
    packaged = f', packaged as "{series(packed)}"' if packed else ""
    return f'A new version of "{m.need("project.name")}" has been detected:  "{new}"{newer}{packaged}'


def _fields(m: Body) -> str:
    return (
        f'{_agent(m)} edited the following fields of the "{m.need("project.name")}" project: '
        f"{', '.join(m.names('message.fields'))}"
    )


_ABOUT: Final[dict[str, Any]] = {"people": _people, "about": "upstream/{project.name}", "project": "anitya"}
_DISTRO: Final[dict[str, Any]] = {"people": _people, "about": "distro/{distro.name}", "project": "anitya"}

ANITYA: Final[Table] = {
    "anitya.distro.add": rule(
        "distro.created", _did('added the distro named "{distro.name}" to anitya'), DISTROS, **_DISTRO
    ),
    "anitya.distro.edit": rule(
        "distro.updated", _did('changed a distro name from "{message.old}" to "{message.new}"'), DISTROS, **_DISTRO
    ),
    "anitya.distro.remove": rule("distro.deleted", _did('deleted the distro "{distro.name}"'), DISTROS, **_DISTRO),
    "anitya.project.add": rule(
        "project.created", _did('added the project "{project.name}" to anitya'), PROJECT, **_ABOUT
    ),
    "anitya.project.add.tried": rule(
        "project.refused",
        _did('tried to add the project "{project.name}" to anitya (but it already exists there)'),
        PROJECT,
        **_ABOUT,
    ),
    "anitya.project.edit": rule("project.updated", _fields, PROJECT, **_ABOUT),
    "anitya.project.remove": rule("project.deleted", _did('deleted the "{project.name}" project'), PROJECT, **_ABOUT),
    "anitya.project.flag": rule(
        "project.flagged",
        _did('flagged the project "{project.name}"'),
        PROJECT,
        **_ABOUT,
        packages=lambda m: _fedora(m, "packages"),
    ),
    "anitya.project.flag.set": rule(
        "project.flagged",
        _did('set the flag on the project "{message.project|project.name}" to {message.state}'),
        PROJECT,
        **_ABOUT,
    ),
    "anitya.project.map.new": rule(
        "project.updated",
        _did('mapped the name of "{project.name}" in {distro.name} to "{message.new}"'),
        PROJECT,
        **_ABOUT,
        packages=_mapped,
    ),
    "anitya.project.map.update": rule(
        "project.updated",
        _did('updated the name of "{project.name}" in "{distro.name}" from "{message.prev}" to "{message.new}"'),
        PROJECT,
        **_ABOUT,
        packages=_mapped,
    ),
    "anitya.project.map.remove": rule(
        "project.updated",
        _did('deleted the mapping of "{project.name}" project on "{message.distro}"'),
        PROJECT,
        **_ABOUT,
    ),
    "anitya.project.version.update": rule(
        "artifact.published", _version, PROJECT, **_ABOUT, packages=_version_packages
    ),
    "anitya.project.version.update.v2": rule(
        "artifact.published", _version, PROJECT, **_ABOUT, packages=_version_packages
    ),
    "anitya.project.version.remove": rule(
        "artifact.deleted", _did('deleted the version {message.version} of "{project.name}"'), PROJECT, **_ABOUT
    ),
}

_TASKS: Final = {
    "FAILED": "failed",
    "FREE": "submitted",
    "ASSIGNED": "assigned",
    "CANCELED": "cancelled",
    "CANCELLED": "cancelled",
    "CLOSED": "completed",
    "OPEN": "started",
}
_BUILDS: Final = ("started", "completed", "deleted", "cancelled", "failed")
_REASONS: Final = {
    "anitya": "release-monitoring.org doesn't know what that project is called in Fedora land",
    "bugzilla": "a bugzilla ticket had already been filed",
    "pkgdb": "pkgdb says the maintainers are not interested in bugs being filed",
    "rawhide": "no rawhide version of the package could be found yet",
}
_T: Final = "trigger.msg."


def _hot(m: Body) -> list[str]:
    """The packages that what set hotness off was about."""
    if m("trigger.topic").endswith(".project.map.new"):
        return [m(f"{_T}message.new")]
    if "anitya" in m("trigger.topic"):
        return _fedora(m, f"{_T}message.packages") or _fedora(m, f"{_T}packages")
    named = m(f"{_T}package_listing.package.name")
    if named or "buildsys.build" in m("trigger.topic"):
        return [named or m(f"{_T}name")]
    return [m(f"{_T}package.name")]


def _owner(m: Body) -> list[str]:
    return [m(f"{_T}owner")] if "buildsys.build" in m("trigger.topic") else []


def _bug(m: Body) -> str:
    if number := m("bug.bug_id"):
        return f"https://{'partner-' if m.told.staging else ''}bugzilla.redhat.com/show_bug.cgi?id={number}"
    if number := m(f"{_T}project.id") or m("project.id"):
        return f"{HOME}/project/{number}/"
    return m(f"{_T}package_listing.package.review_url") or m(f"{_T}package.upstream_url")


def _followup(m: Body) -> str:
    number = m.need("bug.bug_id")
    if srpm := m(f"{_T}srpm"):
        return f"scratch build of {srpm} for RHBZ#{number} {_TASKS.get(m(f'{_T}new'), 'unknown')}"
    build = "-".join(m.need(f"{_T}{part}") for part in ("name", "version", "release"))
    state = m(f"{_T}new")
    status = _BUILDS[int(state)] if state.isdigit() and int(state) < len(_BUILDS) else "unknown"
    return f"{m(f'{_T}owner') or 'somebody'}'s real build of {build} for RHBZ#{number} {status}"


def _drop(m: Body) -> str:
    thing = next(iter(sorted(_hot(m))), "") or m.need(f"{_T}project.name")
    return f"the-new-hotness saw an update for {thing}, but {_REASONS.get(m('reason'), '.... I dunno.  Whatever.')}"


def _mapping(m: Body) -> str:
    name = m(f"{_T}package_listing.package.name") or m.need(f"{_T}package.name")
    if reason := m("reason"):
        return f'hotness tried to map {name} to an upstream project, but failed:  "{reason}"'
    if total := m("total"):
        return (
            f"hotness tried to map {name} to an upstream project, but failed due to ambiguity.  {total} other projects "
            "share the same homepage"
        )
    known = m("project.name")
    thing = f"the pre-existing upstream project {known}" if known else "a brand-new upstream project"
    if m.is_true("success"):
        return f"hotness mapped {name} to {thing}"
    return f"hotness tried to map {name} to {thing}, but failed for unknown reasons"


_HOT: Final[dict[str, Any]] = {"people": _owner, "packages": _hot, "project": "hotness"}
HOTNESS: Final[Table] = {
    "hotness.update.bug.file": rule(
        "ticket.created",
        lambda m: f"the-new-hotness filed a bug on {', '.join(_hot(m))}",
        _bug,
        **_HOT,
        about="rhbz/{bug.bug_id}",
    ),
    "hotness.update.bug.followup": rule("comment.added", _followup, _bug, **_HOT, about="rhbz/{bug.bug_id}"),
    "hotness.update.drop": rule("message.published", _drop, _bug, **_HOT),
    "hotness.project.map": rule("project.updated", _mapping, _bug, **_HOT),
}
TABLE: Final[Table] = {**ANITYA, **HOTNESS}
