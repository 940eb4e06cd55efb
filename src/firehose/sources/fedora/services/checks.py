"""What tests say: CentOS' pipelines, Jenkins, openQA, Taskotron, Greenwave, and who asked for a run.

In: messages below `ci`, `allpackages`, `container`, `jenkins`, `openqa`, `taskotron`, `greenwave`, `rats`. Out: their
tables.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote

from firehose.sources.fedora.services.phrases import package, short
from firehose.sources.fedora.services.rules import Body, Table, rule

# -- CentOS' pipelines: the topic says where in the pipeline something is, the revision what it is about.

_VERBS: Final = {"success": "passed", "aborted": "was aborted on", "unstable": "errored"}
_OUTCOMES: Final = {"success": "success", "aborted": "cancel", "unstable": "failure"}
_STEPS: Final = {
    "package.complete": "{status} building in",
    "package.queued": "is queued to be built in",
    "package.running": "is being built in",
    "package.test.functional.complete": "{status} its functional tests in",
    "package.test.functional.queued": "is queued for functional testing in",
    "package.test.functional.running": "is running its functional tests in",
    "container.test.functional.complete": "{status} its functional tests in",
    "container.test.functional.queued": "is queued for functional testing in",
    "container.test.functional.running": "is running its functional tests in",
    "compose.complete": "{status} a compose in",
    "compose.queued": "is queued for a compose in",
    "compose.running": "is being part of a compose in",
    "compose.test.integration.complete": "{status} its tests as part of a compose in",
    "compose.test.integration.queued": "is queued for tests as part of a compose in",
    "compose.test.integration.running": "is being tested as part of a compose in",
    "image.complete": "{status} being built in an image in",
    "image.queued": "is queued to be built in an image in",
    "image.running": "is being built in an image in",
    "image.test.smoke.complete": "{status} its tests in an image in",
    "image.test.smoke.queued": "is queued to be tested in an image in",
    "image.test.smoke.running": "is being tested in an image in",
}
_PIPELINE: Final = re.compile(
    r"^(?:ci\.)?(?:pipeline\.)?(?:(?P<which>allpackages|container)(?P<what>-pr|-build)?\.)?(?:pipeline\.)?(?P<step>.+)$"
)
_SUFFIXES: Final = {"-pr": " (PR)", "-build": " (Build)"}


def _where(m: Body) -> tuple[str, str, str]:
    """Which pipeline, how people call it, which step."""
    found = _PIPELINE.match(m.told.service)
    which, what, step = (found["which"] or "", found["what"] or "", found["step"]) if found else ("", "", "")
    name = {"allpackages": f"All Packages{_SUFFIXES.get(what, '')} CI", "container": "Container CI"}.get(
        which, "Atomic CI"
    )
    return which, name, step


def _revision(m: Body) -> tuple[str, str]:
    rev = m.need("rev")
    if rev.startswith("PR-"):
        return "Pull request", rev.removeprefix("PR-")
    if rev.startswith("kojitask-"):
        return "Koji task", rev.removeprefix("kojitask-")
    return "Commit", rev[:8]


def _pipeline(m: Body) -> str:
    which, name, step = _where(m)
    noun, number = _revision(m)
    thing = "container" if which == "container" or step.startswith("container.") else "package"
    what = f"of {thing} {m('namespace')}/{m.need('repo')}"
    status = _VERBS.get(m("status").lower(), "failed")
    end = f"the {name} pipeline on branch {m.need('branch')}"
    if step == "complete":
        return f'{noun} "{number}" {what} {status} {end}'
    if step.startswith("package.ignore"):
        return f'{noun} "{number}" {what} is being ignored by {end}'
    if step not in _STEPS:
        return f"{noun} {number} {what}: {step} in {end}"
    return f"{noun} {number} {what} {_STEPS[step].format(status=status)} {end}"


def _pipeline_outcome(m: Body) -> str:
    last = m.topic[-1]
    if last == "complete":
        return _OUTCOMES.get(m("status").lower(), "failure")
    return {"queued": "queued", "running": "running", "ignored": "skipped"}.get(last, "")


def _pipeline_about(m: Body) -> str:
    noun, number = _revision(m)
    project = f"{m('namespace')}/{m.need('repo')}"
    return {"Pull request": f"{project}#{number}", "Koji task": f"kojitask/{number}"}.get(noun, f"commit/{m('rev')}")


_CI: Final = rule(
    "taskrun",
    _pipeline,
    "{build_url}",
    people="username",
    about=_pipeline_about,
    project="{namespace}/{repo}",
    outcome=_pipeline_outcome,
)
PIPELINES: Final[Table] = {
    "ci.#": _CI,
    "allpackages.#": _CI,
    "container.#": _CI,
}


# -- Jenkins

_JENKINS: Final = {
    "passed": ("built successfully", "success"),
    "failed": ("failed to build", "failure"),
    "unstable": ("built with warnings", "failure"),
    "aborted": ("build aborted", "cancel"),
    "unknown": ("entered an unknown state", ""),
    "notbuilt": ("did not build", "skipped"),
    "start": ("started building", "running"),
}


def _jenkins(m: Body) -> str:
    return f"Jenkins project '{m.need('project')}' {_JENKINS.get(m.topic[-1], (m.topic[-1], ''))[0]}"


# -- openQA


def _qa_job(m: Body) -> str:
    line = f"{'staging ' if m.told.staging else ''}job {m('id')} "
    if test := m("TEST"):
        medium = f" for iso {m('ISO')}" if m("ISO") else f" for disk {m('HDD_1')}" if m("HDD_1") else ""
        line += f"(test {test} on {m('MACHINE')}{medium}) "
    build = m("BUILD") or m("build")
    match m.topic[-1]:
        case "duplicate":
            how = {"0": "manually ", "1": "automatically "}.get(m("auto"), m("auto"))
            return f"{line}{how}duplicated as {m('result')} for {build}"
        case "restart":
            return f"{line}restarted as {m('result')} for {build}"
        case "done":
            return f"{line}completed for {build}, {m('remaining')} remaining jobs"
        case last:
            return f"{line}{last} for {build}"


def _qa_home(m: Body) -> str:
    return f"https://openqa.{'stg.' if m.told.staging else ''}fedoraproject.org"


def _qa_comment(m: Body) -> str:
    verb = {"create": "created", "update": "updated", "delete": "deleted"}.get(m.topic[-1], "did something to")
    line = f"{m('user') or 'someone'} {verb} comment #{m('id')} on openQA"
    line += f" job {m('job_id')}" if m("job_id") else f" group {m('group_id')}" if m("group_id") else ""
    return f"{line}, text: {short(m('text'), 30)}" if m("text") else line


def _qa_comment_link(m: Body) -> str:
    if job := m("job_id"):
        return f"{_qa_home(m)}/tests/{job}#comments"
    return f"{_qa_home(m)}/group_overview/{m('group_id')}" if m("group_id") else _qa_home(m)


_QA_STATES: Final = {"passed": "success", "softfailed": "success", "failed": "failure", "incomplete": "error"}
_QA: Final[dict[str, Any]] = {"about": "openqa/{id}", "project": "openqa", "refs": "compose/{BUILD|build}"}
_QA_COMMENT: Final[dict[str, Any]] = {"people": "user", "about": "openqa/{job_id|group_id}", "project": "openqa"}


def _qa_link(m: Body) -> str:
    return f"{_qa_home(m)}/tests/{m('id')}"


# -- Gates


def _subjects(m: Body) -> list[str]:
    """What a decision is about: an item each, written in one of two ways."""
    found = [one("item") or one("nvr") or one("original_spec_nvr") for one in m.each("subject")]
    return [name for name in found if name] or [name for name in [m("subject_identifier")] if name]


def _decision(m: Body) -> str:
    go = m.is_true("policies_satisfied") or m.is_true("policies_satisified")
    about = ", ".join(_subjects(m))
    return f'greenwave is a {"GO" if go else "NO-GO"} on {about} for "{m("decision_context")}" ({m("product_version")})'


def _decided(m: Body) -> str:
    return "success" if m.is_true("policies_satisfied") or m.is_true("policies_satisified") else "failure"


def _decision_link(m: Body) -> str:
    first = next(iter(m.each("subject")), None)
    item, kind = (first("item"), first("type")) if first else (m("subject_identifier"), m("subject_type"))
    return f"https://taskotron.fedoraproject.org/resultsdb/results?item={quote(item, safe='')}&type={kind}"


def _rats(m: Body) -> str:
    service = m.topic[-1]
    if m.at("pull_request").is_object():
        project = "/".join(p for p in (m("pull_request.project.namespace"), m("pull_request.project.name")) if p)
        return f'{m.need("agent")} requested a run of {service} on "{project}/pull-request/{m("pull_request.id")}"'
    return f'{m.need("agent")} requested a run of {service}\'s {m.need("test")} on "{m.need("identifier")}"'


_TASK_STATES: Final = {"PASSED": "success", "INFO": "success", "FAILED": "failure", "NEEDS_INSPECTION": "failure"}
TABLE: Final[Table] = {
    **PIPELINES,
    "jenkins.build.*": rule(
        "taskrun.finished",
        _jenkins,
        "http://jenkins.cloud.fedoraproject.org/job/{project}/{build}/",
        about="jenkins/{project}/{build}",
        project="{project}",
        outcome=lambda m: _JENKINS.get(m.topic[-1], ("", ""))[1],
    ),
    "openqa.job.done": rule(
        "testsuiterun.finished", _qa_job, _qa_link, **_QA, outcome=lambda m: _QA_STATES.get(m("result"), "")
    ),
    "openqa.job.create": rule("testsuiterun.queued", _qa_job, _qa_link, **_QA, outcome="queued"),
    "openqa.job.*": rule("testsuiterun", _qa_job, _qa_link, **_QA),
    "openqa.comment.create": rule("comment.added", _qa_comment, _qa_comment_link, **_QA_COMMENT),
    "openqa.comment.update": rule("comment.updated", _qa_comment, _qa_comment_link, **_QA_COMMENT),
    "openqa.comment.delete": rule("comment.deleted", _qa_comment, _qa_comment_link, **_QA_COMMENT),
    "taskotron.result.new": rule(
        "testsuiterun.finished",
        "{task.name} {result.outcome} for {task.item}",
        "{result.log_url}",
        about="taskotron/{result.id}",
        project="taskotron",
        outcome=lambda m: _TASK_STATES.get(m("result.outcome"), ""),
    ),
    "greenwave.decision.update": rule(
        "change.reviewed",
        _decision,
        _decision_link,
        packages=lambda m: [package(name) for name in _subjects(m)],
        about=lambda m: f"build/{_subjects(m)[0]}",
        project="greenwave",
        outcome=_decided,
    ),
    "rats.test.*": rule("taskrun.queued", _rats, people="agent", project="rats"),
}
