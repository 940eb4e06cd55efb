"""Packages being built and given out: Koji (`buildsys`) and Bodhi.

In: messages below `buildsys` and `bodhi`. Out: their tables.
"""

from __future__ import annotations

from typing import Any, Final

from firehose.sources.fedora.services.phrases import mentions, package, packages, series, short
from firehose.sources.fedora.services.rules import Body, Table, rule

_STATES: Final = ("started building", "completed", "was deleted", "failed to build", "was cancelled")
_STATE_OUTCOMES: Final = ("running", "success", "", "failure", "cancel")
_TASKS: Final = {
    "FAILED": ("failed", "failure"),
    "CANCELED": ("was cancelled", "cancel"),
    "CLOSED": ("completed", "success"),
    "OPEN": ("started", "running"),
}


# -- Koji


def _koji(m: Body) -> str:
    instance = m("instance") or m("info.instance")
    side = "" if instance in ("", "primary") else f"{instance}."
    return f"http://{side}koji.{'stg.' if m.told.staging else ''}fedoraproject.org/koji"


def _where(m: Body) -> str:
    instance = m("instance")
    return "" if instance in ("", "primary") else f" ({instance})"


def _nvr(m: Body) -> str:
    return "-".join(m.need(part) for part in ("name", "version", "release"))


def _whose(m: Body) -> str:
    return f"{m('owner')}'s " if m("owner") else ""


def _state(m: Body) -> int:
    number = m.need("new")
    return int(number) if number.isdigit() and int(number) < len(_STATES) else m.at("new.state").count(-1)


def _build_kind(m: Body) -> str:
    return _STATE_OUTCOMES[_state(m)]


def _task(m: Body) -> str:
    targets = [name for name in m.names("info.request") if not name.endswith(".rpm")]
    target = f" for {series(targets)}" if targets else ""
    verb, _ = _TASKS.get(m.need("new"), ("changed", ""))
    return f"{_whose(m)}scratch build of {m.need('srpm')}{target} {verb}{_where(m)}"


def _tagged(verb: str, way: str) -> Any:
    def words(m: Body) -> str:
        by = f" by {m('user')}" if m("user") else ""
        return f"{_whose(m)}{_nvr(m)} {verb} {way} {m.need('tag')}{by}{_where(m)}"

    return words


def _taginfo(m: Body) -> str:
    return f"{_koji(m)}/taginfo?tagID={number}" if (number := m("tag_id")) else _koji(m)


def _rpm(m: Body) -> str:
    rpm = _signed(m)
    told = [m.need(f"{rpm}.{part}") for part in ("name", "version", "release", "arch")]
    key = m("sigkey") or m.need(f"{rpm}.sigkey")
    return f"Koji build {'-'.join(told[:3])}.{told[3]}.rpm signed with sigkey '{key}'"


def _signed(m: Body) -> str:
    """Where a message has the package: newer ones call it `rpm`."""
    return "info" if m.at("info").is_object() else "rpm"


_BUILD: Final[dict[str, Any]] = {
    "people": "owner user",
    "actor": lambda m: m("user") or m("owner"),
    "packages": "name",
    "about": "koji/{build_id}",
    "project": "rpms/{name}",
    "refs": "package/rpm/{name}",
}
_SIGN: Final[dict[str, Any]] = {"packages": "info.name", "about": "koji/{info.build_id}", "project": "rpms/{info.name}"}


def _repo(verb: str) -> Any:
    return lambda m: f"Repo {verb}:  {m('tag') or 'unknown'}{_where(m)}"


KOJI: Final[Table] = {
    "buildsys.build.state.change": rule(
        "build",
        lambda m: f"{_whose(m)}{_nvr(m)} {_STATES[_state(m)]}{_where(m)}",
        lambda m: f"{_koji(m)}/buildinfo?buildID={m.need('build_id')}",
        **_BUILD,
        outcome=_build_kind,
    ),
    "buildsys.task.state.change": rule(
        "taskrun",
        _task,
        lambda m: f"{_koji(m)}/taskinfo?taskID={m.need('id')}",
        people="owner",
        about="kojitask/{id}",
        project="koji",
        outcome=lambda m: _TASKS.get(m("new"), ("", ""))[1],
    ),
    "buildsys.tag": rule(
        "artifact.tagged",
        _tagged("tagged", "into"),
        _taginfo,
        **{**_BUILD, "about": "build/{name}-{version}-{release}"},
    ),
    "buildsys.untag": rule(
        "artifact.tagged",
        _tagged("untagged", "from"),
        _taginfo,
        **{**_BUILD, "about": "build/{name}-{version}-{release}"},
    ),
    "buildsys.repo.init": rule("artifact.updated", _repo("initialized"), _taginfo, about="repo/{tag}", project="koji"),
    "buildsys.repo.done": rule("artifact.updated", _repo("done"), _taginfo, about="repo/{tag}", project="koji"),
    "buildsys.rpm.sign": rule(
        "artifact.signed",
        _rpm,
        lambda m: f"{_koji(m)}/buildinfo?buildID={m('info.build_id') or m.need('rpm.build_id')}",
        **_SIGN,
    ),
    "buildsys.package.list.change": rule(
        "artifact.updated",
        lambda m: f"Package list change for {m.need('package')}:  '{m('tag')}'{_where(m)}",
        "",
        packages="package",
        project="rpms/{package}",
    ),
}


# -- Bodhi

BODHI_HOME: Final = "https://bodhi.fedoraproject.org"


def _name(m: Body, path: str) -> str:
    """An account, written as text or as an object with a name."""
    return m(path) or m(f"{path}.name")


def _title(m: Body) -> str:
    found = m("update.title")
    return (
        found
        or " ".join(one("nvr") for one in m.each("update.builds"))
        or m("comment.update_title")
        or m.need("update.alias")
    )


def _update_packages(m: Body) -> list[str]:
    builds = [package(one("nvr")) for one in m.each("update.builds")]
    return builds or packages(
        m("update.title")
        or m("comment.update_title")
        or " ".join(one("nvr") for one in m.each("comment.update.builds"))
    )


def _update_people(m: Body) -> list[str]:
    who = [
        m("agent"),
        _name(m, "update.submitter"),
        _name(m, "update.user"),
        _name(m, "comment.author"),
        _name(m, "comment.user"),
    ]
    return [*who, *mentions(m("comment.text"))]


def _update_link(m: Body) -> str:
    alias = m("update.alias") or m("comment.update.alias")
    return f"{BODHI_HOME}/updates/{alias or m('comment.update_title') or _title(m)}"


def _update_id(m: Body) -> str:
    return f"update/{m('update.alias') or m('comment.update.alias') or _title(m)}"


def _request(m: Body) -> str:
    status = m.topic[-1]
    who, title = m("agent") or _name(m, "update.user"), short(_title(m), 40)
    if status in ("unpush", "obsolete", "revoke"):
        return f"{who} {status}{'d' if status.endswith('e') else 'ed'} {title}"
    return f"{who} submitted {title} to {status}"


def _comment(m: Body) -> str:
    author = _name(m, "comment.author") or _name(m, "comment.user")
    title = m("comment.update_title") or m("comment.update.title") or " ".join(_update_packages(m))
    return f"{author} commented on bodhi update {short(title, 40)} (karma: {m('comment.karma')})"


def _complete(m: Body) -> str:
    who = _name(m, "update.submitter") or _name(m, "update.user") or m("agent")
    return f"{who}'s {short(_title(m), 40)} bodhi update completed push to {m('update.status') or m.topic[-1]}"


def _override(verb: str) -> Any:
    def words(m: Body) -> str:
        who = _name(m, "override.submitter") or m("override.submitter.name")
        return f"{who} {verb} a buildroot override for {_override_build(m)}"

    return words


def _override_build(m: Body) -> str:
    return m("override.nvr") or m("override.build") or m.need("override.build.nvr")


def _mash(m: Body) -> str:
    count = len(m.names("updates"))
    return f"{m.need('agent')} requested a mash of {count if count else 'some'} {'update' if count == 1 else 'updates'}"


def _sync(m: Body) -> str:
    product = {"fedora": "Fedora", "epel": "EPEL"}.get(m.topic[-2], m.topic[-2])
    release, modular = _release(m)
    return (
        f"New {product} {release} {m.need('repo')}{' modular' if modular else ''} content synced out "
        f"({m.need('bytes')} changed with {m.need('deleted')} files deleted)"
    )


def _release(m: Body) -> tuple[str, bool]:
    """`30m` is the modular half of 30."""
    release = m.need("release")
    return release.removesuffix("m"), release.endswith("m") and release[:-1].isdigit()


def _sync_link(m: Body) -> str:
    product, repo = m.topic[-2], m.need("repo")
    release, modular = _release(m)
    base = f"https://download.fedoraproject.org/pub/{product}/"
    if product == "fedora":
        base += "linux/" + ("atomic/" if "atomic" in repo else "updates/")
    testing = "testing/" if repo.endswith("testing") else ""
    return f"{base}{testing}{release}/{'Modular/' if modular else ''}"


_UPDATE: Final[dict[str, Any]] = {
    "people": _update_people,
    "packages": _update_packages,
    "about": _update_id,
    "project": lambda m: f"rpms/{_update_packages(m)[0]}" if _update_packages(m) else "bodhi",
}
_MASH: Final[dict[str, Any]] = {"people": "agent", "about": "repo/{repo}", "project": "bodhi"}
_OVER: Final[dict[str, Any]] = {
    "people": lambda m: [_name(m, "override.submitter")],
    "packages": lambda m: [package(_override_build(m))],
    "about": lambda m: f"build/{_override_build(m)}",
    "project": lambda m: f"rpms/{package(_override_build(m))}",
}


def _override_link(m: Body) -> str:
    return f"{BODHI_HOME}/overrides/{_override_build(m)}"


def _mashed(m: Body) -> str:
    if not m("repo"):
        return (
            "bodhi masher successfully completed mashing"
            if m.is_true("success")
            else "bodhi masher failed to complete its mashtask!"
        )
    return f"bodhi masher {'successfully mashed' if m.is_true('success') else 'failed to mash'} {m('repo')}"


def _composed(m: Body) -> str:
    how = "successfully composed" if m.is_true("success") else "failed to compose"
    return f"bodhi composer {how} {m.need('repo')}"


def _did_it(m: Body) -> str:
    return "success" if m.is_true("success") else "failure"


BODHI: Final[Table] = {
    "bodhi.update.request.*": rule("artifact.updated", _request, _update_link, **_UPDATE),
    "bodhi.update.complete.*": rule("artifact.published", _complete, _update_link, **_UPDATE),
    "bodhi.update.comment": rule(
        "comment.added",
        _comment,
        _update_link,
        **{**_UPDATE, "people": lambda m: [p for p in _update_people(m)[3:] if p] or _update_people(m)},
    ),
    "bodhi.update.edit": rule(
        "artifact.updated",
        lambda m: f"{m('agent') or _name(m, 'update.user')} edited {short(_title(m), 40)}",
        _update_link,
        **_UPDATE,
    ),
    "bodhi.update.eject": rule(
        "artifact.updated",
        lambda m: f'{_title(m)} was ejected from the mash.  Reason: "{m("reason")}"',
        _update_link,
        **_UPDATE,
    ),
    "bodhi.update.karma.threshold.reached": rule(
        "artifact.updated",
        lambda m: f"{short(_title(m), 40)} reached the {m('status')} karma threshold",
        _update_link,
        **_UPDATE,
    ),
    "bodhi.update.karma.threshold": rule(
        "artifact.updated",
        lambda m: f"{short(_title(m), 40)} reached the {m('status')} karma threshold",
        _update_link,
        **_UPDATE,
    ),
    "bodhi.update.requirements_met.*": rule(
        "artifact.updated",
        lambda m: f"{short(_title(m), 40)} reached the {m.topic[-1]} testing threshold",
        _update_link,
        **_UPDATE,
        actor="-",
    ),
    "bodhi.buildroot_override.tag": rule("artifact.updated", _override("submitted"), _override_link, **_OVER),
    "bodhi.buildroot_override.untag": rule("artifact.updated", _override("expired"), _override_link, **_OVER),
    "bodhi.stack.save": rule(
        "artifact.updated",
        '{agent} updated the "{stack.name}" stack',
        f"{BODHI_HOME}/stacks/{{stack.name}}",
        people="agent stack.users[].name",
        packages="stack.packages[].name",
        about="stack/{stack.name}",
        project="bodhi",
    ),
    "bodhi.stack.delete": rule(
        "artifact.deleted",
        '{agent} deleted the "{stack.name}" stack',
        f"{BODHI_HOME}/stacks/{{stack.name}}",
        people="agent stack.users[].name",
        packages="stack.packages[].name",
        about="stack/{stack.name}",
        project="bodhi",
    ),
    "bodhi.mashtask.start": rule("pipelinerun.started", "bodhi masher started a push", "", **_MASH),
    "bodhi.mashtask.mashing": rule("taskrun.started", "bodhi masher started mashing {repo}", "", **_MASH),
    "bodhi.mashtask.sync.wait": rule(
        "taskrun.queued", "bodhi masher is waiting for {repo} to hit the master mirror", "", **_MASH
    ),
    "bodhi.mashtask.sync.done": rule(
        "taskrun.finished", "bodhi masher finished waiting for {repo} to hit the master mirror", "", **_MASH
    ),
    "bodhi.mashtask.complete": rule("pipelinerun.finished", _mashed, "", **_MASH, outcome=_did_it),
    "bodhi.masher.start": rule(
        "pipelinerun.queued",
        _mash,
        BODHI_HOME,
        people="agent",
        project="bodhi",
        packages=lambda m: [name for title in m.names("updates") for name in packages(title)],
    ),
    "bodhi.composer.start": rule("pipelinerun.queued", _mash, BODHI_HOME, people="agent", project="bodhi"),
    "bodhi.compose.start": rule("pipelinerun.started", "bodhi composer started a push", "", **_MASH),
    "bodhi.compose.composing": rule("taskrun.started", "bodhi {ctype} compose of repo {repo} started", "", **_MASH),
    "bodhi.compose.complete": rule("pipelinerun.finished", _composed, "", **_MASH, outcome=_did_it),
    "bodhi.compose.sync.wait": rule(
        "taskrun.queued", "bodhi composer is waiting for {repo} to hit the master mirror", "", **_MASH
    ),
    "bodhi.compose.sync.done": rule(
        "taskrun.finished", "bodhi composer finished waiting for {repo} to hit the master mirror", "", **_MASH
    ),
    "bodhi.repo.done": rule("artifact.published", "bodhi repo {repo} created", BODHI_HOME, **_MASH),
    "bodhi.updates.*.sync": rule(
        "artifact.published",
        _sync,
        _sync_link,
        about=lambda m: f"repo/{m.topic[-2]}/{m('repo')}/{m('release')}",
        project="bodhi",
    ),
}
TABLE: Final[Table] = {**KOJI, **BODHI}
