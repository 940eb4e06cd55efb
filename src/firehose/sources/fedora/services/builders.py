"""Builders beside Koji: Copr, Koschei, the module build service, composes on demand, and waivers for what they made.

In: messages below `copr`, `koschei`, `mbs`, `odcs`, `waiverdb`. Out: their tables.
"""

from __future__ import annotations

from typing import Any, Final

from firehose.sources.fedora.services.rules import Body, Table, rule

_COPR_STATES: Final = {"0": "failed", "1": "success", "3": "running", "5": "skipped"}
_COPR_OUTCOMES: Final = {"0": "failure", "1": "success", "5": "skipped"}
_COPR_HOME: Final = "https://copr.fedoraproject.org"


def _copr_package(m: Body) -> str:
    name, version = m("pkg"), m("version")
    return name if not version or version in name else f"{name}-{version}"


def _copr_end(m: Body) -> str:
    state = _COPR_STATES.get(m("status"), "unknown")
    whose = f"{m('user')}'s" if m("user") else "Automated"
    return f"{whose} {m.need('copr')} copr build of {_copr_package(m)} for {m('chroot')} finished with '{state}'"


def _copr_start(m: Body) -> str:
    if who := m("user"):
        return f"{who} started a new build of the {m.need('copr')} copr"
    return f"Automated build of the {m.need('copr')} copr has been started"


def _copr_path(m: Body) -> str:
    """A group's name begins with `@` in messages, and lies below `g/` on the pages."""
    return f"{(m('owner') or m.need('user')).replace('@', 'g/', 1)}/{m.need('copr')}"


def _copr_link(m: Body) -> str:
    return f"{_COPR_HOME}/coprs/{_copr_path(m)}/build/{m.need('build')}/"


_COPR: Final[dict[str, Any]] = {
    "people": "user owner",
    "about": lambda m: f"copr/{_copr_path(m)}/build/{m.need('build')}",
    "project": _copr_path,
}


# -- Koschei: packages that are built again and again, to see whether they still can be

_KOSCHEI: Final = {
    "failing": "'s builds started to fail",
    "ok": "'s builds are back to normal",
    "ignored": " became retired or ignored",
    "unresolved": "'s dependencies failed to resolve",
}
_BUILDROOTS: Final = {"ok": "buildroot was fixed", "unresolved": "buildroot was broken"}
_KOSCHEI_HOME: Final = "https://apps.fedoraproject.org/koschei"


def _instance(m: Body) -> str:
    name = m("koji_instance")
    return "" if name in ("", "primary") else f" ({name})"


def _koschei(m: Body) -> str:
    new, where = m.need("new"), m("collection_name") or m("repo")
    words = _KOSCHEI.get(new, f"'s state changed to {new}")
    if (m("old"), new) == ("ignored", "ok"):
        words = " added to Koschei"
    return f"{m.need('name')}{words} in {where}{_instance(m)}"


def _koschei_link(m: Body) -> str:
    found = f"{_KOSCHEI_HOME}/package/{m.need('name')}"
    return f"{found}?collection={m('collection')}" if m("collection") else found


def _buildroot(m: Body) -> str:
    new = m.need("new")
    words = "added to Koschei" if (m("old"), new) == ("unknown", "ok") else _BUILDROOTS.get(new, f"is {new}")
    return f"{m.need('collection_name')} {words}{_instance(m)}"


def _odcs(m: Body) -> str:
    number = m("compose.pungi_compose_id") or m.need("compose.id")
    return f"{m.need('compose.owner')}'s compose {number} entered the {m.need('compose.state_name')} state."


_ODCS_OUTCOMES: Final = {"done": "success", "failed": "failure", "generating": "running", "wait": "queued"}
TABLE: Final[Table] = {
    "copr.build.start": rule("build.started", _copr_start, _copr_link, **_COPR, outcome="running"),
    "copr.build.end": rule(
        "build.finished", _copr_end, _copr_link, **_COPR, outcome=lambda m: _COPR_OUTCOMES.get(m("status"), "")
    ),
    "copr.chroot.start": rule(
        "build.started",
        "{user}'s {copr} copr started a new {chroot} chroot",
        lambda m: f"https://copr-be.cloud.fedoraproject.org/results/{_copr_path(m)}/{m.need('chroot')}/",
        **_COPR,
    ),
    "copr.worker.create": rule("environment.created", "a new worker was created", _COPR_HOME, project="copr"),
    "koschei.package.state.change": rule(
        "build",
        _koschei,
        _koschei_link,
        packages="name",
        project="rpms/{name}",
        outcome=lambda m: {"failing": "failure", "ok": "success", "unresolved": "error"}.get(m("new"), ""),
    ),
    "koschei.collection.state.change": rule(
        "environment.modified",
        _buildroot,
        f"{_KOSCHEI_HOME}/collection/{{collection}}",
        project="koschei",
        about="koschei/{collection}",
        outcome=lambda m: {"ok": "success", "unresolved": "failure"}.get(m("new"), ""),
    ),
    "mbs.module.state.change": rule(
        "build",
        "{owner}'s build of modules/{name} entered the {state_name} state.",
        "https://mbs.fedoraproject.org/module-build-service/1/module-builds/{id}",
        people="owner",
        about="module/{name}/{stream}",
        project="modules/{name}",
        outcome=lambda m: {"failed": "failure", "ready": "success"}.get(m("state_name"), ""),
    ),
    "mbs.component.state.change": rule(
        "build",
        "a component of the module build {module_build} changed its state: {package}",
        "https://mbs.fedoraproject.org/module-build-service/1/module-builds/{module_build}",
        packages="package",
        project="mbs",
    ),
    "odcs.#": rule(
        "pipelinerun",
        _odcs,
        "https://odcs.fedoraproject.org/api/1/composes/{compose.id}",
        people="compose.owner",
        about="odcs/{compose.id}",
        project="odcs",
        outcome=lambda m: _ODCS_OUTCOMES.get(m("compose.state_name"), ""),
    ),
    "waiverdb.#": rule(
        "change.reviewed",
        '{username} waived result {result_id|testcase} ({product_version}): "{comment}"',
        "https://waiverdb-web-waiverdb.app.os.fedoraproject.org/api/v1.0/waivers/{id}",
        people="username",
        about="waiver/{id}",
        project="waiverdb",
    ),
}
