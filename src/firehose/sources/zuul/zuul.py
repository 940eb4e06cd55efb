"""Zuul: what the messages of its MQTT reporter mean (Zuul 3 to 14; `doc/source/drivers/mqtt.rst` and the code).

In: one message, a report on a queue item (`start`, `success`, …) with its builds. Out: for the item one event of kind
`pipelinerun.*`; for each build `taskrun.started` and `taskrun.finished` and its artifacts, each once however often and
in however many reports Zuul names it. Names are read from the payload, never from the topic, whose depth varies.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

import msgspec

from firehose import source, subject, wild
from firehose.errors import Refused, UnknownKind
from firehose.event import Event, fingerprint
from firehose.sources.zuul.builds import Build
from firehose.sources.zuul.changes import Change, changes_of, web_address
from firehose.sources.zuul.moments import moment


class Settings(source.Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """url: Zuul's web address ("" = the tenant's, from each message). returned_data: keep what jobs returned to Zuul,
    sent with `include-returned-data`; it may hold anything, so it is cut out unless this is set."""

    returned_data: bool = False


_PHASES: Final = {
    "enqueue": ("queued", "queued"),
    "start": ("started", "running"),
    "success": ("finished", "success"),
    "failure": ("finished", "failure"),
    "merge-conflict": ("finished", "failure"),
    "config-error": ("finished", "error"),
    "no-jobs": ("finished", "skipped"),
    "disabled": ("finished", "failure"),
    "dequeue": ("finished", "cancel"),
}
_RESULTS: Final = {
    "SUCCESS": "success",
    "FAILURE": "failure",
    "MERGE_CONFLICT": "failure",
    "MERGE_FAILURE": "failure",
    "MERGER_FAILURE": "failure",
    "CONFIG_ERROR": "error",
    "NO_JOBS": "skipped",
    "DEQUEUED": "cancel",
}
_WORDS: Final = {
    "enqueue": "entered {pipeline}",
    "start": "{pipeline} started{count}",
    "success": "{pipeline} succeeded{count}",
    "failure": "{pipeline} failed{bad}",
    "merge-conflict": "does not merge ({pipeline})",
    "config-error": "{pipeline} found an error in the job configuration",
    "no-jobs": "{pipeline} has no jobs to run",
    "disabled": "{pipeline} ended, its reports are disabled{bad}",
    "dequeue": "left {pipeline} without a result",
}
_SEVERITY: Final = {"failure": "warning", "error": "error", "cancel": "notice"}


class Report:
    """One message, tamed: what all events that come of it share."""

    def __init__(self, delivery: source.Delivery, body: wild.Wild, settings: Settings) -> None:
        self.action = body["action"].text()
        self.tenant = body["tenant"].text()
        self.pipeline = body["pipeline"].text()
        self.web = web_address(body["tenant_web_root"]).rstrip("/")
        self.source = settings.url.rstrip("/") or self.web or f"urn:firehose:{delivery.source}"
        self.changes = changes_of(body)
        self.buildset = _buildset(body)
        self.item = body["uuid"].text("")
        self.event_id = body["zuul_event_id"].text("")
        self.result = body.at("buildset", "result").text("")
        self.message = body["message"].text("")
        self.time = _moment(body, self.action, delivery.received)
        ending = _PHASES[self.action][0] == "finished"
        self.builds = [
            Build(item, index, self.changes, retried=place == "retry_builds", ending=ending)
            for place in ("retry_builds", "builds")
            for index, item in enumerate(body.at("buildset", place).each())
        ]

    @property
    def change(self) -> Change:
        """The first change of the item, which stands for it."""
        return self.changes[0]

    @property
    def refs(self) -> tuple[str, ...]:
        """What the whole item ties together."""
        found = [f"buildset/{self.buildset}", *(change.subject for change in self.changes)]
        found += [f"commit/{token(change.commit)}" for change in self.changes if change.commit]
        found += [f"zuul-event/{token(self.event_id)}"] if self.event_id else []
        return tuple(dict.fromkeys(found))


def read(delivery: source.Delivery, settings: Settings) -> source.Verdict:
    """The events of one report, builds before the item's end; `UnknownKind` for an action Zuul did not have so far."""
    body = wild.decode(delivery.body)
    action = body["action"].text()
    if action not in _PHASES:
        raise UnknownKind(action)
    report = Report(delivery, body, settings)
    plain = _Plain(delivery.body, keep_returned=settings.returned_data)
    whole = _item(report, delivery, plain.whole())
    # In the order of their times, so that the stream reads as it went.
    builds = sorted((one for build in report.builds for one in _build(report, build, plain)), key=attrgetter("time"))
    return [whole, *builds] if action in ("enqueue", "start") else [*builds, whole]


def token(text: str) -> str:
    """A sender's id as one word of a subject."""
    return subject.escape(text)


def _item(report: Report, delivery: source.Delivery, data: bytes) -> Event:
    predicate, outcome = _PHASES[report.action]
    if predicate == "finished":
        outcome = _RESULTS.get(report.result, outcome)
    jobs = [build for build in report.builds if not build.retried]
    bad = [build.job for build in jobs if build.voting and build.outcome in ("failure", "error")]
    words = _WORDS[report.action].format(
        pipeline=report.pipeline,
        count=f", {len(jobs)} job{'s' * (len(jobs) != 1)}" if jobs else "",
        bad=f", {len(bad)} of {len(jobs)} jobs: {', '.join(bad)}" if bad else "",
    )
    names = ", ".join(change.title for change in report.changes)
    page = f"{report.web}/buildset/{report.buildset}" if report.web and predicate == "finished" else ""
    return Event(
        # The reporter of each pipeline names its buildset, so action, place and buildset say which report this is.
        id=fingerprint(
            "item", report.tenant, report.pipeline, report.change.subject, report.item, report.buildset, report.action
        ),
        source=report.source,
        type=f"org.zuul-ci.{report.action}",
        kind=f"pipelinerun.{predicate}",
        subject=f"buildset/{report.buildset}",
        time=report.time,
        project=report.change.project,
        actor="zuul",
        summary=f"{names}: {words}",
        link=page or report.change.link,
        outcome=outcome,
        severity=_SEVERITY.get(outcome, "info"),
        refs=(*report.refs, *(f"build/{token(build.uuid)}" for build in report.builds if build.uuid)),
        data=data,
        text=" ".join([report.message, *(change.owner for change in report.changes), *(b.job for b in report.builds)]),
        alias=(_alias(report, delivery),),
    )


def _build(report: Report, build: Build, plain: _Plain) -> Iterator[Event]:
    if build.outcome == "queued":
        return  # a job that has not run has no build yet
    # Skipped jobs and those that got no node end without ever having had a build's id.
    name = build.uuid or f"{report.buildset}/{build.job}"
    ref = f"build/{token(name)}"
    title = build.change.title
    event = Event(
        id="",
        source=report.source,
        type="",
        kind="",
        subject=ref,
        time=report.time,
        project=build.change.project,
        actor="zuul",
        refs=(ref, *report.refs),
        data=plain.of(build),
        text=f"{build.job} {build.change.owner} {build.result}",
    )
    if build.started is not None:
        yield msgspec.structs.replace(
            event,
            id=fingerprint("build-start", name),
            type="org.zuul-ci.build-start",
            kind="taskrun.started",
            time=build.started,
            outcome="running",
            summary=f"{build.job} started for {title} ({report.pipeline})",
            link=build.page,
        )
    if build.outcome == "running":
        return
    yield msgspec.structs.replace(
        event,
        id=fingerprint("build-end", name),
        type="org.zuul-ci.build-end",
        kind="taskrun.finished",
        time=build.ended or report.time,
        outcome=build.outcome,
        severity=_severity(build),
        summary=f"{build.job} {build.words} for {title} ({report.pipeline})",
        link=build.log or build.page,
    )
    for artifact in build.artifacts:
        yield msgspec.structs.replace(
            event,
            id=fingerprint("artifact", name, artifact.name, artifact.url),
            type="org.zuul-ci.artifact",
            kind="artifact.published",
            subject=f"{ref}/{token(artifact.name)}",
            time=build.ended or report.time,
            summary=f"{build.job} published {artifact.name} for {title} ({report.pipeline})",
            link=artifact.url,
        )


def _severity(build: Build) -> str:
    severity = _SEVERITY.get(build.outcome, "info")
    return severity if build.voting and not build.retried else min(severity, "notice", key=_ORDER.index)


_ORDER: Final = ("info", "notice", "warning", "error")


def _alias(report: Report, delivery: source.Delivery) -> str:
    own = delivery.topic.removeprefix(f"in/{delivery.source}/").strip("/")
    if not own:
        change = report.change
        own = "/".join(filter(None, [report.tenant, report.pipeline, change.project, change.branch, change.number]))
    # Below one root, so that no sender's topic can pose as a canonical one.
    return subject.escape(own if own.startswith("zuul/") else f"zuul/{own}")


def _buildset(body: wild.Wild) -> str:
    uuid = body.at("buildset", "uuid").text("") or body["zuul_ref"].text("").removeprefix("Z")
    if not uuid:
        raise Refused("buildset.uuid is missing", slug="bad-field", status=422, field="buildset.uuid")
    return token(uuid)


def _moment(body: wild.Wild, action: str, received: datetime) -> datetime:
    """When it happened: the report's own time, else the nearest one that an older Zuul gives."""
    fields = ("enqueue_time", "timestamp") if action == "enqueue" else ("timestamp", "enqueue_time")
    for field in (*fields, "trigger_time"):
        found = moment(body[field])
        if found is not None and field == "enqueue_time" and action not in ("enqueue", "start"):
            ends = [moment(build["end_time"]) for build in body.at("buildset", "builds").each()]
            return max([end for end in ends if end is not None], default=found)
        if found is not None:
            return found
    return received


class _Plain:
    """The payload as it leaves: verbatim, but for returned data; for a build, with the other builds cut out."""

    def __init__(self, body: bytes, *, keep_returned: bool) -> None:
        self._body = body
        self._payload: dict[str, Any] = msgspec.json.decode(body)
        self._cut = not keep_returned and _cut(self._payload, "returned_data") > 0

    def whole(self) -> bytes:
        """The message."""
        return msgspec.json.encode(self._payload) if self._cut else self._body

    def of(self, build: Build) -> bytes:
        """The message with this build alone, at the place where it was."""
        buildset = self._payload["buildset"]
        place = "retry_builds" if build.retried else "builds"
        alone = {"builds": [], "retry_builds": [], place: [buildset[place][build.index]]}
        return msgspec.json.encode({**self._payload, "buildset": {**buildset, **alone}})


def _cut(value: object, name: str) -> int:
    """Remove every member called `name`, at any depth; how many there were."""
    if isinstance(value, dict):
        return (value.pop(name, None) is not None) + sum(_cut(inner, name) for inner in value.values())
    return sum(_cut(inner, name) for inner in value) if isinstance(value, list) else 0


def native_kind(delivery: source.Delivery) -> str:
    """The report's action; "" when it cannot be read."""
    try:
        return wild.decode(delivery.body)["action"].text("")
    except Refused:
        return ""


_ENDS: Final = "taskrun.started taskrun.finished artifact.published pipelinerun.finished"

SOURCE: Final = source.SourceKind(
    name="zuul",
    title="Zuul",
    family="ci",
    settings=Settings,
    read=read,
    kinds={
        "enqueue": "pipelinerun.queued",
        "start": "pipelinerun.started",
        **{action: _ENDS for action, (predicate, _) in _PHASES.items() if predicate == "finished"},
    },
    schemes=(source.Scheme("bearer"),),
    native_kind=native_kind,
)
