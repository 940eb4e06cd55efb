"""The inbox: every way that a CloudEvent may come, schemas, rules, and what is refused with which path."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firehose import settings as hub_settings
from firehose import source
from firehose.errors import Broken, Refused, UnknownKind
from firehose.event import Event, encode

SAMPLES = Path(__file__).parent / "samples"
INBOX = source.load("inbox")
NOW = datetime(2026, 1, 2, tzinfo=UTC)
STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
SCHEMA = str(SAMPLES / "deploy.schema.json")
RULE = {
    "type": "example.lumen.deploy.*",
    "kind": "service.deployed",
    "project": "{data.service}",
    "actor": "{data.by}",
    "summary": "{data.service} {data.version} is on {data.targets.1.host}",
    "link": "{data.url}",
    "outcome": "{data.state}",
    "outcomes": {"ok": "success"},
    "refs": ["service/{data.service}", "ring/{ring}"],
}


def configured(**own: Any) -> Any:
    return hub_settings.build({"sources": {"box": {"kind": "inbox", **own}}}).sources["box"]


def deliver(body: bytes | str | object, headers: dict[str, str] | None = None, **own: Any) -> list[Event]:
    raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    verdict = INBOX.read(
        source.Delivery(source="box", body=raw, received=NOW, headers=headers or {}), configured(**own)
    )
    assert not isinstance(verdict, source.Ignored)
    return list(verdict)


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def refusal(body: object, headers: dict[str, str] | None = None, **own: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        deliver(body, headers, **own)
    return caught.value


@pytest.mark.parametrize("headers", [STRUCTURED, {"content-type": "application/json"}, {}], ids=["own", "json", "none"])
def test_a_structured_event_comes_in_under_any_content_type(headers: dict[str, str]) -> None:
    (event,) = deliver(sample("structured__deploy"), headers)
    assert (event.id, event.source) == ("deploy-9812", "https://deploy.lumen.example/atlas")
    assert event.kind == "deploy.finished"
    assert event.time == datetime(2026, 2, 3, 10, 20, 5, tzinfo=UTC)
    assert json.loads(event.data)["version"] == "4.2.0"
    assert event.refs == ("atlas/4.2.0",)


def test_rules_give_the_senders_words_meaning() -> None:
    (event,) = deliver(sample("structured__deploy"), STRUCTURED, rules=[RULE])
    assert event.kind == "service.deployed"
    assert event.summary == "atlas 4.2.0 is on web02"
    assert (event.project, event.actor, event.outcome) == ("atlas", "mira", "success")
    assert event.link == "https://deploy.lumen.example/r/9812"
    assert event.refs == ("atlas/4.2.0", "service/atlas", "ring/2")


def test_a_rule_may_look_at_values_and_the_first_that_fits_counts() -> None:
    rules = [{"when": {"data.state": "bad*"}, "kind": "incident.detected"}, {"kind": "service.deployed"}]
    assert deliver(sample("structured__deploy"), rules=rules)[0].kind == "service.deployed"
    failed = sample("structured__deploy")
    failed["data"]["state"] = "badly"
    assert deliver(failed, rules=rules)[0].kind == "incident.detected"


def test_a_binary_event_has_its_attributes_in_headers() -> None:
    headers = {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "7",
        "ce-source": "/line%20one",
        "ce-type": "example.lumen.deploy.started",
        "ce-project": "lumen/atlas",
    }
    (event,) = deliver(b'{"service":  "atlas"}', headers)
    assert event.source == "/line one"
    assert event.project == "lumen/atlas"
    assert event.data == b'{"service":  "atlas"}'


def test_an_event_without_data_has_none_whatever_its_content_type() -> None:
    event = sample("structured__deploy") | {"datacontenttype": "text/plain"}
    del event["data"]
    assert deliver(event, STRUCTURED)[0].data == b""


def test_a_batch_is_several_events_of_any_content() -> None:
    first, note, core = deliver(sample("batch__one-of-each"), BATCH)
    assert first.kind == "deploy.started"
    assert note.data == b"ring 2 is next"
    assert core.data == b"\x00\x01\x02\xff"
    assert all(encode("box", event) for event in (first, note, core))
    assert [event.id for event in deliver(sample("batch__one-of-each"))] == ["a", "b", "c"]


def test_one_bad_event_refuses_the_batch_and_its_place_is_named() -> None:
    events = sample("batch__one-of-each")
    del events[1]["type"]
    problem = refusal(events, BATCH)
    assert problem.field == "[1].type"


def test_an_empty_batch_is_no_event() -> None:
    assert deliver([], BATCH) == []


def test_cdevents_say_their_kind_themselves() -> None:
    assert deliver(sample("structured__cdevent"))[0].kind == "pipelinerun.finished"


def test_our_own_attributes_are_taken_as_extensions() -> None:
    own = {"kind": "ticket.closed", "project": "lumen/harbor", "severity": "notice", "refs": "story/1 task/2"}
    (event,) = deliver(sample("structured__deploy") | own)
    assert (event.kind, event.project, event.severity) == ("ticket.closed", "lumen/harbor", "notice")
    assert event.refs == ("atlas/4.2.0", "story/1", "task/2")


def test_plain_json_needs_type_and_id_from_the_settings() -> None:
    assert refusal(sample("plain__build")).slug == "no-envelope"
    rule = {
        "kind": "{data.build.state}",
        "kinds": {"failed": "pipelinerun.finished"},
        "project": "{data.build.repo}",
        "subject": "build/{data.build.number}",
    }
    own: dict[str, Any] = {"type": "build.{data.build.state}", "id": "{data.build.number}", "rules": [rule]}
    (event,) = deliver(sample("plain__build"), **own)
    assert (event.id, event.type, event.kind) == ("311", "build.failed", "pipelinerun.finished")
    assert (event.source, event.subject, event.project) == ("urn:firehose:box", "build/311", "lumen/harbor")
    problem = refusal({"user": 1}, **own)
    assert problem.field == "data.build.number"


def test_the_id_may_come_from_a_header() -> None:
    own = {"type": "note", "id": "{headers.x-request-id}"}
    assert deliver({"a": 1}, {"x-request-id": "r1"}, **own)[0].id == "r1"


def test_a_topic_may_say_what_a_plain_message_is_about() -> None:
    delivery = source.Delivery(source="box", body=b'{"build": "45f7"}', received=NOW, topic="worker/one/lumen/atlas")
    own = configured(
        type="example.{topic.0}.done", id="{topic}#{data.build}",
        rules=[{"project": "{topic.2}/{topic.3}", "summary": "by {topic.1}{topic.9}"}],
    )  # fmt: skip
    found = INBOX.read(delivery, own)
    assert not isinstance(found, source.Ignored)
    (event,) = found
    assert (event.type, event.id) == ("example.worker.done", "worker/one/lumen/atlas#45f7")
    assert (event.project, event.summary) == ("lumen/atlas", "by one")


def test_data_that_break_a_registered_schema_are_refused_with_the_path() -> None:
    broken = sample("structured__deploy")
    broken["data"]["targets"][1] = {"host": 3}
    problem = refusal(broken, schemas={"example.lumen.deploy.*": SCHEMA})
    assert (problem.slug, problem.field) == ("schema", "data.targets[1].host")
    assert deliver(broken)
    assert deliver(sample("structured__deploy"), schemas={"example.lumen.deploy.*": SCHEMA})


def test_a_schema_that_the_event_names_counts_too() -> None:
    named = sample("structured__deploy") | {"dataschema": "https://deploy.lumen.example/schemas/deploy.json"}
    del named["data"]["service"]
    problem = refusal(named, schemas={"another.type": SCHEMA})
    assert problem.field == "data"
    assert "'service' is a required property" in problem.detail


def test_a_schema_never_fetches(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"$ref": "http://127.0.0.1:9/elsewhere.json"}')
    problem = refusal(sample("structured__deploy"), schemas={"*": str(tmp_path / "s.json")})
    assert "not among the registered ones" in problem.detail


@pytest.mark.parametrize(
    ("own", "word"),
    [
        ({"schemas": {"*": "/nowhere/s.json"}}, "cannot read the schema /nowhere/s.json"),
        ({"type": "x"}, "needs both: type and id"),
        ({"type": "x", "id": "same"}, "same for all events"),
        ({"rules": [{"project": "{data-repo}"}]}, "is no place"),
        ({"rules": [{"progect": "x"}]}, "progect"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(own: dict[str, Any], word: str) -> None:
    with pytest.raises(Broken, match=r"sources\.box") as caught:
        configured(**own)
    assert word in caught.value.detail


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"source": None}, "source"),
        ({"type": ["a"]}, "type"),
        ({"type": "a\nb"}, "type"),
        ({"id": "x" * 3_000}, "id"),
        ({"time": "yesterday"}, "time"),
        ({"time": "2026-01-01T00:00:00"}, "time"),
        ({"Ring": 1}, "Ring"),
        ({"data_base64": "AA=="}, "data_base64"),
        ({"outcome": "great"}, "outcome"),
    ],
)
def test_a_bad_attribute_is_named(change: dict[str, Any], field: str) -> None:
    assert refusal(sample("structured__deploy") | change, STRUCTURED).field == field


def test_what_is_no_json_or_no_known_form_is_refused() -> None:
    assert refusal(b"{", STRUCTURED).slug == "bad-json"
    assert refusal(b"[1]", BATCH).field == "[0]"
    assert refusal(b"{}", {"content-type": "application/cloudevents+avro"}).status == 415
    assert refusal(b"{}", STRUCTURED).field == "specversion"


def test_only_listed_senders_may_come_in() -> None:
    problem = refusal(sample("structured__deploy"), senders=["https://ci.*"])
    assert (problem.status, problem.slug) == (403, "unknown-sender")
    assert deliver(sample("structured__deploy"), senders=["https://deploy.*"])


def test_strict_quarantines_types_without_a_rule() -> None:
    with pytest.raises(UnknownKind, match=r"example\.lumen\.deploy\.finished"):
        deliver(sample("structured__deploy"), strict=True)
    assert deliver(sample("structured__deploy"), strict=True, rules=[RULE])


def test_a_kind_that_is_none_goes_to_quarantine() -> None:
    with pytest.raises(UnknownKind, match="Deployed!"):
        deliver(sample("structured__deploy") | {"kind": "Deployed!"})


def test_a_link_that_is_no_web_address_is_left_out() -> None:
    assert deliver(sample("structured__deploy") | {"link": "javascript:alert(1)"})[0].link == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["id", "source", "type", "data", "subject", "time", "kind", "refs", "link"]), JSON, JSON)
def test_no_mutation_crashes(name: str, value: object, data: object) -> None:
    body = sample("structured__deploy") | {"data": data} | {name: value}
    try:
        events = deliver(body, STRUCTURED, rules=[{**RULE, "type": "*"}])
    except (Refused, UnknownKind):
        return
    assert all(encode("box", event) for event in events)
