"""Recorded events as strict CDEvents 0.5 (`?as=cdevents`), for readers that know that vocabulary and nothing of us.

In: a recorded event. Out: a JSON object that its CDEvents schema accepts: contexts and contents are closed there, so
what the vocabulary has no place for goes into `customData` (`firehose`: our attributes, `data`: the payload). Kinds
without a counterpart take the reserved form `dev.cdeventsx.<tool>-<subject>.<predicate>`. Nothing is invented that a
reader could take for a fact, but for names where a schema demands one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

import msgspec

from firehose.event import Recorded, rfc3339

SPECVERSION: Final = "0.5.1"
CUSTOM_VERSION: Final = "0.1.0"
OUTCOMES: Final = {
    "success": "success",
    "failure": "failure",
    "error": "error",
    "cancel": "cancel",
    "skipped": "cancel",
}
"""Our outcomes in the vocabulary's words; the others (`running`, `queued`) are no outcomes there."""
SEVERITIES: Final = {"notice": "low", "warning": "medium", "error": "high"}

_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\s<>\"{}|\\^`]+")
_NOT_ALNUM: Final = re.compile(r"[^A-Za-z0-9]+")
_NOT_LETTERS: Final = re.compile(r"[^A-Za-z]+")
_PIPELINES: Final = ("pipeline", "workflow", "pipelineName", "name")
_TASKS: Final = ("job_name", "job", "build_name", "taskName", "name")
_RUNS: Final = ("buildset/", "pipelinerun/", "pipeline/", "item/")

Content = dict[str, Any]


def convert(event: Recorded) -> dict[str, Any]:
    """The event as a CDEvent."""
    envelope = event.envelope
    kind = envelope.kind
    content = CONTENTS[kind][1](event) if kind in CONTENTS else _custom(event)
    return {
        "context": {
            "specversion": SPECVERSION,
            "id": envelope.id,
            "source": _reference(envelope.source),
            "type": type_of(event),
            "timestamp": rfc3339(envelope.time),
        },
        "subject": {
            "id": _subject(event),
            "source": _reference(envelope.source),
            "content": {name: value for name, value in content.items() if value not in ("", None)},
        },
        "customData": {"firehose": _ours(event), "data": _payload(event)},
        "customDataContentType": "application/json",
    }


def encode(event: Recorded) -> bytes:
    """The event as one line of CDEvents JSON."""
    return msgspec.json.encode(convert(event))


def type_of(event: Recorded) -> str:
    """The CDEvents type, with its own version."""
    kind = event.envelope.kind
    if kind in CONTENTS:
        return f"dev.cdevents.{kind}.{CONTENTS[kind][0]}"
    noun, _, predicate = kind.partition(".")
    tool = _NOT_ALNUM.sub("", event.name) or "firehose"
    # Only letters may stand there: `wip-changed` becomes `wipChanged`.
    return f"dev.cdeventsx.{tool}-{_letters(noun)}.{_letters(predicate)}.{CUSTOM_VERSION}"


def _letters(text: str) -> str:
    first, *rest = [part for part in _NOT_LETTERS.split(text) if part] or ["other"]
    return first + "".join(part.capitalize() for part in rest)


def _subject(event: Recorded) -> str:
    subject = event.envelope.subject or event.envelope.id
    if event.envelope.kind.startswith("artifact.") and not subject.startswith("pkg:"):
        # An artifact is identified by its package URL.
        return f"pkg:generic/{quote(subject, safe='/@')}"
    return subject


def _ours(event: Recorded) -> dict[str, str]:
    envelope = event.envelope
    attributes = {
        "sequence": event.cursor,
        "type": envelope.type,
        "kind": envelope.kind,
        "topic": envelope.topic,
        "project": envelope.project,
        "actor": envelope.actor,
        "summary": envelope.summary,
        "link": envelope.link,
        "outcome": envelope.outcome,
        "severity": envelope.severity,
        "refs": envelope.refs,
    }
    return {name: value for name, value in attributes.items() if value}


def _payload(event: Recorded) -> object:
    raw = event.envelope.data
    return event.envelope.data_base64 if raw is msgspec.UNSET else msgspec.Raw(raw)


def _custom(event: Recorded) -> Content:
    envelope = event.envelope
    return {"summary": envelope.summary, "project": envelope.project, "uri": _link(event)}


def _change(event: Recorded) -> Content:
    project = event.envelope.project
    return {"repository": {"id": project, "source": _reference(event.envelope.source)} if project else None}


def _change_created(event: Recorded) -> Content:
    return {**_change(event), "description": event.envelope.summary}


def _repository(event: Recorded) -> Content:
    path = event.envelope.project or event.envelope.subject
    owner, _, name = path.rpartition("/")
    return {"name": name or path or "repository", "owner": owner, "uri": _uri(event), "viewUrl": _link(event)}


def _pipeline(event: Recorded) -> Content:
    return {"pipelineName": _named(event, _PIPELINES), "uri": _uri(event)}


def _pipeline_finished(event: Recorded) -> Content:
    return {**_pipeline(event), "outcome": OUTCOMES.get(event.envelope.outcome), "errors": _errors(event)}


def _task(event: Recorded) -> Content:
    run = next((ref for ref in event.envelope.refs.split(" ") if ref.startswith(_RUNS)), "")
    parent = {"id": run, "source": _reference(event.envelope.source)} if run else None
    return {"taskName": _named(event, _TASKS), "uri": _link(event), "pipelineRun": parent}


def _task_finished(event: Recorded) -> Content:
    return {**_task(event), "outcome": OUTCOMES.get(event.envelope.outcome), "errors": _errors(event)}


def _test(event: Recorded) -> Content:
    return {"environment": _environment_of(event)}


def _test_finished(event: Recorded) -> Content:
    # The schema wants an outcome; a run of which none is known did not end as it should.
    failed = event.envelope.outcome in ("failure", "error")
    return {
        **_test(event),
        "outcome": OUTCOMES.get(event.envelope.outcome, "error"),
        "severity": SEVERITIES.get(event.envelope.severity) if failed else None,
        "reason": _errors(event),
    }


def _artifact(event: Recorded) -> Content:
    return {"user": event.envelope.actor}


def _ticket(event: Recorded) -> Content:
    return {"summary": event.envelope.summary, "group": event.envelope.project, "uri": _uri(event)}


def _ticket_created(event: Recorded) -> Content:
    envelope = event.envelope
    return {**_ticket(event), "summary": envelope.summary or envelope.subject, "creator": envelope.actor or "unknown"}


def _ticket_updated(event: Recorded) -> Content:
    return {**_ticket(event), "updatedBy": event.envelope.actor}


def _ticket_closed(event: Recorded) -> Content:
    resolutions = {"success": "completed", "cancel": "withdrawn", "skipped": "withdrawn"}
    return {**_ticket_updated(event), "resolution": resolutions.get(event.envelope.outcome, "closed")}


def _service(event: Recorded) -> Content:
    return {"environment": _environment_of(event)}


def _service_deployed(event: Recorded) -> Content:
    name = event.envelope.project or event.envelope.subject
    return {**_service(event), "artifactId": f"pkg:generic/{quote(name, safe='/@')}"}


def _environment(event: Recorded) -> Content:
    return {"name": event.envelope.subject, "uri": _link(event)}


def _environment_deleted(event: Recorded) -> Content:
    return {"name": event.envelope.subject}


def _incident(event: Recorded) -> Content:
    return {"description": event.envelope.summary, "environment": _environment_of(event)}


def _nothing(_: Recorded) -> Content:
    return {}


CONTENTS: Final[dict[str, tuple[str, Callable[[Recorded], Content]]]] = {
    "artifact.published": ("0.3.0", _artifact),
    "branch.created": ("0.3.0", _change),
    "branch.deleted": ("0.3.0", _change),
    "build.queued": ("0.3.0", _nothing),
    "build.started": ("0.3.0", _nothing),
    "build.finished": ("0.3.0", _nothing),
    "change.abandoned": ("0.3.0", _change),
    "change.created": ("0.4.0", _change_created),
    "change.merged": ("0.3.0", _change),
    "change.reviewed": ("0.3.0", _change),
    "change.updated": ("0.3.0", _change),
    "environment.created": ("0.3.0", _environment),
    "environment.deleted": ("0.3.0", _environment_deleted),
    "environment.modified": ("0.3.0", _environment),
    "incident.detected": ("0.3.0", _incident),
    "incident.resolved": ("0.3.0", _incident),
    "pipelinerun.finished": ("0.3.0", _pipeline_finished),
    "pipelinerun.queued": ("0.3.0", _pipeline),
    "pipelinerun.started": ("0.3.0", _pipeline),
    "repository.created": ("0.3.0", _repository),
    "repository.deleted": ("0.3.0", _repository),
    "repository.modified": ("0.3.0", _repository),
    "service.deployed": ("0.3.0", _service_deployed),
    "service.published": ("0.3.0", _service),
    "service.removed": ("0.3.0", _service),
    "service.rolledback": ("0.3.0", _service_deployed),
    "service.upgraded": ("0.3.0", _service_deployed),
    "taskrun.finished": ("0.3.0", _task_finished),
    "taskrun.started": ("0.3.0", _task),
    "testcaserun.finished": ("0.3.0", _test_finished),
    "testcaserun.queued": ("0.3.0", _test),
    "testcaserun.started": ("0.3.0", _test),
    "testsuiterun.finished": ("0.3.0", _test_finished),
    "testsuiterun.queued": ("0.3.0", _test),
    "testsuiterun.started": ("0.3.0", _test),
    "ticket.closed": ("0.2.0", _ticket_closed),
    "ticket.created": ("0.2.0", _ticket_created),
    "ticket.updated": ("0.2.0", _ticket_updated),
}
"""Kinds of CDEvents 0.5 whose content our envelope can fill: their type's version there, and what makes the content."""


def _environment_of(event: Recorded) -> Content:
    """Where it happened, as far as we know: the source."""
    return {"id": event.name, "source": _reference(event.envelope.source)}


def _named(event: Recorded, keys: tuple[str, ...]) -> str:
    try:
        data = event.data
    except (msgspec.DecodeError, RecursionError):
        data = None
    found = [data[key] for key in keys if isinstance(data.get(key), str)] if isinstance(data, dict) else []
    return next((name for name in found if name), event.envelope.summary or event.envelope.subject or "unnamed")


def _errors(event: Recorded) -> str:
    return event.envelope.summary if event.envelope.outcome in ("failure", "error") else ""


def _link(event: Recorded) -> str:
    link = event.envelope.link
    return link if _URI.fullmatch(link) else ""


def _uri(event: Recorded) -> str:
    """Some URI of the thing: its page, else its name as a URN, since the schema demands one."""
    return _link(event) or f"urn:firehose:{quote(event.envelope.subject or event.envelope.id, safe='/:')}"


def _reference(text: str) -> str:
    """Text as a URI reference."""
    return text if _URI.fullmatch(text) else quote(text, safe="/:?#[]@!$&'()*+,;=%~") or "/"
