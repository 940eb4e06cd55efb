"""The distribution being put together and given to the world: composes, images, mirrors.

In: messages below `compose`, `pungi`, `pdc`, `releng`, `fedimg`, `autocloud`, `mdapi`, `mirrormanager`. Out: their
tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from firehose.sources.fedora.services.phrases import series
from firehose.sources.fedora.services.rules import Body, Table, rule

KOJIPKGS: Final = "https://kojipkgs.fedoraproject.org/compose/"
_RESPIN: Final = {
    "make-updates": "",
    "cloudimg-build": " building images for",
    "mash-atomic": " Atomic updates mash for",
    "atomic-lorax": " Atomic lorax run for",
    "cloudimg-checksum": " image checksum generation for",
    "cloudimg-staging": " master mirror publication for",
}
"""Steps of the composes after a release, which nobody but these topics names."""
_STEPS: Final = {
    "mash": " mashing",
    "pungify": " building boot.iso for",
    "image": " building other images for",
    "rsync": " master mirror publication for",
}
_ENDS: Final = {"start": "Started", "complete": "Completed", "done": "Completed", "stop": "Completed"}


def _release(m: Body) -> str:
    if found := m("branch"):
        return found.rpartition("Modular-")[2].capitalize()
    for word in m.topic:
        if word == "rawhide":
            return "Rawhide"
        if word == "epelbeta":
            return "EPEL Beta"
        if len(word) == 2 and word.isdigit():
            return word
    return "(unknown release)"


def _dist(m: Body, respin: bool) -> str:
    """`Fedora`, `Fedora-Cloud`, …: older messages do not say which of these a numbered release was."""
    if found := m("short"):
        return found
    if "modular" in m("branch").lower():
        return "Fedora-Modular"
    known = respin or any(step in m.topic for step in ("mash", "pungify", "image"))
    if _release(m).isdigit() and not known and not m("compose_id") and not m("arch") and "branched" not in m.topic:
        return "Fedora, Fedora-Atomic, Fedora-Cloud or Fedora-Docker"
    return "Fedora"


def _compose(m: Body) -> str:
    step = next((word for word in m.topic if word in _RESPIN or word in _STEPS), "")
    action = _ENDS.get(m.topic[-1], "Did something to do with")
    words = _RESPIN.get(step, _STEPS.get(step, ""))
    arch = f" ({m('arch')})" if m("arch") else ""
    kind = "post-release Cloud/Atomic/Docker respin compose" if step in _RESPIN else "compose"
    number = f" {m('compose_id')}" if m("compose_id") else ""
    return f"{action}{words} {_dist(m, step in _RESPIN)} {_release(m)}{arch} {kind}{number}"


def _compose_outcome(m: Body) -> str:
    return "success" if m.topic[-1] in ("complete", "done") and len(m.topic) == 3 else ""


_COMPOSE: Final[dict[str, Any]] = {
    "about": lambda m: f"compose/{m('compose_id') or m.topic[1]}",
    "project": "compose",
    "outcome": _compose_outcome,
}


def _location(m: Body) -> str:
    return m("location") or KOJIPKGS


_PUNGI_STATES: Final = {
    "STARTED": ("started", "running"),
    "FINISHED": ("just finished", "success"),
    "FINISHED_INCOMPLETE": ("just finished, but incomplete", "success"),
    "DOOMED": ("failed in a horrible fire", "failure"),
    "TERMINATED": ("was terminated", "cancel"),
}
_PUNGI: Final[dict[str, Any]] = {"about": "compose/{compose_id}", "project": "pungi"}


def _pungi_link(m: Body) -> str:
    return m("location").rstrip("/").removesuffix("/compose")


def _pungi_status(m: Body) -> str:
    state = m.need("status")
    return f"pungi-koji compose of {m.need('compose_id')} {_PUNGI_STATES.get(state, (state, ''))[0]}"


def _image(words: str) -> Callable[[Body], str]:
    return lambda m: words.format(m.need("file").rpartition("compose/")[2])


def _targets(m: Body) -> str:
    return f"pungi-koji assigned {len(m.names('deliverables')) or len(m.each('deliverables'))} createiso targets"


PUNGI: Final[Table] = {
    "pungi.compose.status.change": rule(
        "pipelinerun",
        _pungi_status,
        _pungi_link,
        **_PUNGI,
        outcome=lambda m: _PUNGI_STATES.get(m("status"), ("", ""))[1],
    ),
    "pungi.compose.phase.start": rule(
        "taskrun.started",
        "pungi-koji started the {phase_name} phase of the {compose_id} compose",
        _pungi_link,
        **_PUNGI,
    ),
    "pungi.compose.phase.stop": rule(
        "taskrun.finished",
        "pungi-koji finished the {phase_name} phase of the {compose_id} compose",
        _pungi_link,
        **_PUNGI,
    ),
    "pungi.compose.createiso.imagedone": rule(
        "taskrun.finished", _image("pungi-koji finished createiso for {}"), _pungi_link, **_PUNGI, outcome="success"
    ),
    "pungi.compose.createiso.imagefail": rule(
        "taskrun.finished", _image("pungi-koji createiso for {} failed!"), _pungi_link, **_PUNGI, outcome="failure"
    ),
    "pungi.compose.createiso.targets": rule("taskrun.queued", _targets, _pungi_link, **_PUNGI),
    "pungi.compose.ostree": rule(
        "artifact.published",
        "pungi-koji ostree compose {compose_id} produced ostree commit {commitid} for {arch} {ref}",
        _pungi_link,
        **_PUNGI,
    ),
    "pungi.compose.fail.to.start": rule(
        "pipelinerun.finished",
        'failed to compose from {config}: "{detail}"',
        _pungi_link,
        project="pungi",
        about="pungi/{config}",
        outcome="failure",
    ),
}
_IMAGE_STATES: Final = {
    "started": "running",
    "completed": "success",
    "failed": "failure",
    "success": "success",
    "aborted": "cancel",
    "queued": "queued",
    "running": "running",
}


def _ami(m: Body) -> str:
    return f"({m('extra.id') or 'None'}, {m('extra.virt_type') or 'None'}, {m('extra.vol_type') or 'None'})"


def _upload(m: Body) -> str:
    name, to = m.need("image_name"), m.need("destination")
    match m.need("status"):
        case "completed":
            return f"{name} finished uploading to {to} {_ami(m)}"
        case "failed":
            return f"{name} failed to upload to {to}"
        case _:
            return f"{name} started uploading to {to}"


def _tested(m: Body) -> str:
    verb = {"completed": "finished", "failed": "failed"}.get(m.need("status"), "started")
    return f"{m.need('image_name')} {verb} testing on {m.need('destination')} {_ami(m)}"


def _published(m: Body) -> str:
    return f"{m.need('image_name')} published in region, {m.need('destination')} {_ami(m)}"


def _copied(m: Body) -> str:
    source = m("extra.source_image_id") or "None"
    return f"{m.need('image_name')} copied to {m.need('destination')} using source image, {source} {_ami(m)}"


_FEDIMG: Final[dict[str, Any]] = {
    "about": "image/{image_name}",
    "project": "fedimg",
    "outcome": lambda m: _IMAGE_STATES.get(m("status"), ""),
}


def _cloud_image(m: Body) -> str:
    name = f"{m.need('image_name')} ({m('release')})" if m("release") else m.need("image_name")
    name += f"({m('compose_id')})" if m("compose_id") else ""
    return {
        "queued": f"{name} is queued for testing",
        "running": f"The tests for the {name} have started running",
        "aborted": f"The tests for the {name} have been aborted",
        "failed": f"The tests for the {name} failed",
        "success": f"The tests for {name} were a success",
    }.get(m.need("status"), f"The tests for the {name} are {m('status')}")


def _cloud_compose(m: Body) -> str:
    name, status = m("id") or m("compose_id") or "A compose", m.need("status")
    return {
        "queued": f"{name} is queued for testing",
        "running": f"{name} tests have started running",
    }.get(status, f"{name} tests have {status}")


def _cloud_link(m: Body) -> str:
    home = "https://apps.fedoraproject.org/autocloud"
    if job := m("job_id"):
        return f"{home}/jobs/{job}/output"
    return m("image_url") if "image" in m.topic else f"{home}/jobs/{m.need('compose_job_id')}"


_CLOUD_COMPOSE: Final[dict[str, Any]] = {
    "about": "compose/{id|compose_id}",
    "project": "autocloud",
    "outcome": lambda m: (
        ("failure" if m("results.failed") not in ("", "0") else "success") if m("status") == "completed" else ""
    ),
}


def _repo_update(m: Body) -> str:
    return f"mdapi noticed a {m.need('name')} repomd change: {series(m.names('packages'))}"


def _crawled(m: Body) -> str:
    codes = [one("rc") for one in m.each("results")]
    good = codes.count("0")
    return (
        f"mirrormanager's crawler finished a crawl of {len(codes)} mirrors "
        f"({good} succeeded, {len(codes) - good} failed)"
    )


def _netblocks(m: Body) -> str:
    how = "successfully updated" if m.is_true("success") else "failed to update"
    return f"mirrormanager's backend {how} its {m.need('type')} netblocks file"


def _atomic(words: str) -> Callable[[Body], str]:
    def line(m: Body) -> str:
        return words.replace("[release]", m("x86_64.atomic_raw.release") or m("atomic_raw.release"))

    return line


_MIRRORS: Final = "https://mirrors.fedoraproject.org"
_ATOMIC_LINK: Final = "https://download.fedoraproject.org/pub/alt/atomic/stable/"
TABLE: Final[Table] = {
    "compose.#": rule("pipelinerun", _compose, _location, **_COMPOSE),
    "compose.*.start": rule("pipelinerun.started", _compose, _location, **_COMPOSE),
    "compose.*.complete": rule("pipelinerun.finished", _compose, _location, **_COMPOSE),
    "compose.*.*.start": rule("taskrun.started", _compose, _location, **_COMPOSE),
    "compose.*.*.complete": rule("taskrun.finished", _compose, _location, **_COMPOSE),
    "compose.*.*.done": rule("taskrun.finished", _compose, _location, **_COMPOSE),
    **PUNGI,
    "pdc.images": rule(
        "artifact.updated",
        "PDC imported metadata for {count} images for the {compose_id} {compose_type} compose",
        "https://pdc.fedoraproject.org/rest_api/v1/composes/{compose_id}/",
        about="compose/{compose_id}",
        project="pdc",
    ),
    "fedimg.image.upload": rule("artifact.updated", _upload, **_FEDIMG),
    "fedimg.image.test": rule("testsuiterun", _tested, **_FEDIMG),
    "fedimg.image.publish": rule("artifact.published", _published, **_FEDIMG),
    "fedimg.image.copy": rule("artifact.published", _copied, **_FEDIMG),
    "autocloud.image.*": rule("testsuiterun", _cloud_image, _cloud_link, **_FEDIMG),
    "autocloud.compose.*": rule("testsuiterun", _cloud_compose, _cloud_link, **_CLOUD_COMPOSE),
    "mdapi.repo.update": rule(
        "artifact.updated",
        _repo_update,
        "https://download.fedoraproject.org/pub/{url}",
        packages="packages[]",
        about="repo/{name}",
        project="mdapi",
    ),
    "mirrormanager.crawler.start": rule(
        "taskrun.started",
        lambda m: f"mirrormanager's crawler started a crawl of {len(m.each('hosts'))} mirrors",
        _MIRRORS,
        project="mirrormanager",
    ),
    "mirrormanager.crawler.complete": rule("taskrun.finished", _crawled, _MIRRORS, project="mirrormanager"),
    "mirrormanager.netblocks.get": rule(
        "taskrun.finished",
        _netblocks,
        _MIRRORS,
        project="mirrormanager",
        outcome=lambda m: "success" if m.is_true("success") else "failure",
    ),
    "releng.atomic.twoweek.begin": rule(
        "pipelinerun.started",
        _atomic(
            "Release engineering scripts started evaluating a new set of builds for a Fedora [release] "
            "Atomic Host release"
        ),
        _ATOMIC_LINK,
        project="releng",
        about="releng/atomic",
    ),
    "releng.atomic.twoweek.complete": rule(
        "artifact.published",
        _atomic("A new release of Fedora [release] Atomic Host is ready"),
        _ATOMIC_LINK,
        project="releng",
        about="releng/atomic",
    ),
}
