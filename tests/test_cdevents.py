"""Every kind as a CDEvent, against the 0.5 schemas' rules: closed objects, required members, enumerations, versions.

The schemas stand here as a table of our own, made from the published specification and its schemas (0.5.0; 0.5.1
differs by corrections only): one closed content per type, one envelope for all.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firehose import source
from firehose.cdevents import CONTENTS, convert, encode, type_of
from firehose.event import OUTCOMES, SEVERITIES, Event, Recorded
from firehose.event import encode as frame

TEXT = {"type": "string"}
NAME = {"type": "string", "minLength": 1}
URI = {"type": "string", "pattern": r"^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+$"}
REFERENCE = {"type": "string", "minLength": 1, "pattern": r"^[^\s<>\"{}|\\^`]+$"}
OUTCOME = {"enum": ["success", "failure", "cancel", "error"]}
TIMESTAMP = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"}


def closed(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*required], "additionalProperties": False}


THING = closed({"id": NAME, "source": REFERENCE}, "id")
CHANGE = closed({"repository": THING})
RUN = closed({"pipelineName": TEXT, "uri": URI})
TASK = {"taskName": TEXT, "uri": URI, "pipelineRun": THING}
ENDED = {"outcome": TEXT, "errors": TEXT}
SERVICE = {"environment": THING, "artifactId": NAME}
INCIDENT = closed({"description": TEXT, "environment": THING, "service": THING, "artifactId": NAME}, "environment")
REPOSITORY = {"name": NAME, "owner": TEXT, "uri": URI, "viewUrl": URI}
TICKET = {
    "summary": TEXT,
    "ticketType": TEXT,
    "group": TEXT,
    "creator": NAME,
    "assignees": {"type": "array", "items": TEXT},
    "priority": TEXT,
    "labels": {"type": "array", "items": TEXT},
    "milestone": TEXT,
    "uri": REFERENCE,
}
CASE = {"environment": THING, "testCase": {"type": "object"}, "testSuiteRun": THING, "trigger": {"type": "object"}}
SUITE = {"environment": THING, "testSuite": {"type": "object"}, "trigger": {"type": "object"}}
SEVERE = {"outcome": OUTCOME, "severity": {"enum": ["low", "medium", "high", "critical"]}, "reason": TEXT}


def without(properties: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in properties.items() if key != name}


SCHEMAS: dict[str, dict[str, Any]] = {
    "artifact.published.0.3.0": closed({"sbom": closed({"uri": URI}, "uri"), "user": TEXT}),
    "branch.created.0.3.0": CHANGE,
    "branch.deleted.0.3.0": CHANGE,
    "build.queued.0.3.0": closed({}),
    "build.started.0.3.0": closed({}),
    "build.finished.0.3.0": closed({"artifactId": NAME}),
    "change.abandoned.0.3.0": CHANGE,
    "change.created.0.4.0": closed({"description": NAME, "repository": THING}),
    "change.merged.0.3.0": CHANGE,
    "change.reviewed.0.3.0": CHANGE,
    "change.updated.0.3.0": CHANGE,
    "environment.created.0.3.0": closed({"name": TEXT, "uri": URI}),
    "environment.deleted.0.3.0": closed({"name": TEXT}),
    "environment.modified.0.3.0": closed({"name": TEXT, "uri": URI}),
    "incident.detected.0.3.0": INCIDENT,
    "incident.resolved.0.3.0": INCIDENT,
    "pipelinerun.queued.0.3.0": RUN,
    "pipelinerun.started.0.3.0": {**RUN, "required": ["pipelineName", "uri"]},
    "pipelinerun.finished.0.3.0": closed({"pipelineName": TEXT, "uri": URI, "outcome": OUTCOME, "errors": TEXT}),
    "repository.created.0.3.0": closed(REPOSITORY, "name", "uri"),
    "repository.modified.0.3.0": closed(REPOSITORY, "name", "uri"),
    "repository.deleted.0.3.0": closed(REPOSITORY),
    "service.deployed.0.3.0": closed(SERVICE, "environment", "artifactId"),
    "service.published.0.3.0": closed({"environment": THING}, "environment"),
    "service.removed.0.3.0": closed({"environment": THING}, "environment"),
    "service.rolledback.0.3.0": closed(SERVICE, "environment", "artifactId"),
    "service.upgraded.0.3.0": closed(SERVICE, "environment", "artifactId"),
    "taskrun.started.0.3.0": closed(TASK),
    "taskrun.finished.0.3.0": closed(TASK | ENDED),
    "testcaserun.queued.0.3.0": closed(CASE, "environment"),
    "testcaserun.started.0.3.0": closed(CASE, "environment"),
    "testcaserun.finished.0.3.0": closed(without(CASE, "trigger") | SEVERE, "outcome", "environment"),
    "testsuiterun.queued.0.3.0": closed(SUITE, "environment"),
    "testsuiterun.started.0.3.0": closed(SUITE, "environment"),
    "testsuiterun.finished.0.3.0": closed(without(SUITE, "trigger") | SEVERE, "outcome", "environment"),
    "ticket.created.0.2.0": closed(TICKET, "summary", "creator", "uri"),
    "ticket.updated.0.2.0": closed(TICKET | {"updatedBy": TEXT}, "uri"),
    "ticket.closed.0.2.0": closed(TICKET | {"updatedBy": TEXT, "resolution": NAME}, "uri", "resolution"),
}
CUSTOM = r"^dev\.cdeventsx\.[a-zA-Z0-9]+-[a-zA-Z]+\.[a-zA-Z]+\.[0-9]\.[0-9]\.[0-9]$"


def schema(type_: str) -> dict[str, Any]:
    """The schema of a type: the one envelope around its content."""
    custom = type_.startswith("dev.cdeventsx.")
    content = {"type": "object"} if custom else SCHEMAS[type_.removeprefix("dev.cdevents.")]
    context = {
        "specversion": NAME,
        "id": NAME,
        "source": REFERENCE,
        "type": {"type": "string", "pattern": CUSTOM} if custom else {"const": type_},
        "timestamp": TIMESTAMP,
        "schemaUri": URI,
        "chainId": NAME,
        "links": {"type": "array"},
    }
    subject = closed({"id": NAME, "source": REFERENCE, "content": content}, "id", "content")
    return closed(
        {
            "context": closed(context, "specversion", "id", "source", "type", "timestamp"),
            "subject": subject,
            "customData": {"oneOf": [{"type": "object"}, {"type": "string", "contentEncoding": "base64"}]},
            "customDataContentType": TEXT,
        },
        "context",
        "subject",
    )


def recorded(kind: str, name: str = "gerrit", **changes: Any) -> Recorded:
    values: dict[str, Any] = {
        "id": "d-1",
        "source": "https://review.opendev.org",
        "type": "com.example.thing",
        "kind": kind,
        "subject": "openstack/nova~12345",
        "time": datetime(2016, 10, 26, 10, 0, tzinfo=UTC),
        "project": "openstack/nova",
        "actor": "okonkwo",
        "summary": "Rebuild the config drive",
        "link": "https://review.opendev.org/12345",
        "outcome": "failure",
        "refs": ("buildset/abc", "story/1"),
        "data": b'{"pipeline":"gate","job_name":"tempest"}',
    }
    return Recorded(42, datetime(2016, 10, 26, 10, 1, tzinfo=UTC), frame(name, Event(**(values | changes))))


def check(event: Recorded) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encode(event))
    jsonschema.validate(found, schema(found["context"]["type"]))
    return found


def all_kinds() -> list[str]:
    """Every kind that a source declares, and all that the vocabulary has."""
    kinds = set(CONTENTS)
    for name in source.kinds():
        for words in source.load(name).kinds.values():
            kinds.update(word.strip(",;()") for word in words.split() if word.strip(",;()").count(".") == 1)
    return sorted(kinds)


@pytest.mark.parametrize("kind", all_kinds())
def test_every_kind_is_valid(kind: str) -> None:
    found = check(recorded(kind))
    assert found["context"]["specversion"].startswith("0.5.")
    assert found["context"]["id"] == "d-1"


@pytest.mark.parametrize("kind", sorted(CONTENTS))
def test_kinds_of_the_vocabulary_are_valid_when_little_is_known(kind: str) -> None:
    bare = recorded(
        kind, project="", actor="", summary="", link="", outcome="", refs=(), data=b"\xff", datacontenttype="x/y"
    )
    check(bare)


def test_the_table_and_the_schemas_are_of_one_size() -> None:
    assert {f"{kind}.{version}" for kind, (version, _) in CONTENTS.items()} == set(SCHEMAS)


@pytest.mark.parametrize(
    ("kind", "name", "type_"),
    [
        ("change.merged", "gerrit", "dev.cdevents.change.merged.0.3.0"),
        ("change.created", "gerrit", "dev.cdevents.change.created.0.4.0"),
        ("ticket.closed", "launchpad", "dev.cdevents.ticket.closed.0.2.0"),
        ("comment.added", "gerrit", "dev.cdeventsx.gerrit-comment.added.0.1.0"),
        ("change.wip-changed", "my-gerrit_2", "dev.cdeventsx.mygerrit2-change.wipChanged.0.1.0"),
        ("log.file.processed", "logs", "dev.cdeventsx.logs-log.fileProcessed.0.1.0"),
        ("thing", "x", "dev.cdeventsx.x-thing.other.0.1.0"),
    ],
)
def test_types(kind: str, name: str, type_: str) -> None:
    assert type_of(recorded(kind, name)) == type_


def test_what_the_vocabulary_has_no_place_for_is_custom_data() -> None:
    found = convert(recorded("change.merged"))
    assert found["customData"]["firehose"]["actor"] == "okonkwo"
    assert found["customData"]["firehose"]["sequence"] == "00000000000000000042"
    assert json.loads(encode(recorded("change.merged")))["customData"]["data"] == {
        "pipeline": "gate",
        "job_name": "tempest",
    }


def test_runs_take_their_names_from_the_payload_and_their_parent_from_refs() -> None:
    content = check(recorded("taskrun.finished"))["subject"]["content"]
    assert content["taskName"] == "tempest"
    assert content["pipelineRun"]["id"] == "buildset/abc"
    assert content["outcome"] == "failure"
    assert check(recorded("pipelinerun.started"))["subject"]["content"]["pipelineName"] == "gate"


def test_artifacts_are_named_by_package_url() -> None:
    assert check(recorded("artifact.published", subject="nova 14.0"))["subject"]["id"] == "pkg:generic/nova%2014.0"
    assert check(recorded("artifact.published", subject="pkg:pypi/nova@14.0"))["subject"]["id"] == "pkg:pypi/nova@14.0"


ODD = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(
    st.sampled_from([*CONTENTS, "comment.added", "a.b-c"]),
    st.fixed_dictionaries(
        {
            "subject": ODD.filter(bool),
            "project": ODD,
            "actor": ODD,
            "summary": ODD,
            "link": ODD | st.just("https://x/"),
            "source": ODD.filter(bool),
            "outcome": st.sampled_from(["", *OUTCOMES]),
            "severity": st.sampled_from(SEVERITIES),
            "refs": st.lists(ODD.map(lambda text: "buildset/" + "".join(text.split())), max_size=2).map(tuple),
        }
    ),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_event_is_valid(kind: str, changes: dict[str, Any]) -> None:
    check(recorded(kind, **changes))
