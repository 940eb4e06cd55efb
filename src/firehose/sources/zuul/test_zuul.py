"""Zuul's reports, by samples and by the odd cases."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firehose import source
from firehose.errors import Refused, UnknownKind
from firehose.event import Event, encode

SAMPLES = Path(__file__).parent / "samples"
ZUUL = source.load("zuul")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    return found


def deliver(message: object, topic: str = "", **own: object) -> list[Event]:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    delivery = source.Delivery(source="zuul", body=body, received=NOW, topic=topic, channel="mqtt")
    verdict = ZUUL.read(delivery, ZUUL.settings(kind="zuul", **own))
    assert not isinstance(verdict, source.Ignored)
    return list(verdict)


def read(name: str, **own: object) -> list[Event]:
    found = sample(name)
    return deliver(found["payload"], found["topic"], **own)


def kinds(events: list[Event]) -> list[str]:
    return [f"{event.kind} {event.outcome}".strip() for event in events]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("enqueue", ["pipelinerun.queued queued"]),
        ("start", ["pipelinerun.started running"]),
        ("start__branch", ["pipelinerun.started running"]),
        ("merge-conflict", ["pipelinerun.finished failure"]),
        ("config-error", ["pipelinerun.finished error"]),
        ("no-jobs", ["pipelinerun.finished skipped"]),
        ("disabled", ["taskrun.started running", "taskrun.finished success", "pipelinerun.finished success"]),
        ("failure__pull-request-node-failure", ["taskrun.finished error", "pipelinerun.finished failure"]),
        ("success__zuul-3", ["taskrun.started running", "taskrun.finished success", "pipelinerun.finished success"]),
    ],
)
def test_each_action_is_mapped(name: str, expected: list[str]) -> None:
    assert kinds(read(name)) == expected


def test_every_sample_is_read_and_fits_the_envelope() -> None:
    for path in sorted(SAMPLES.glob("*.json")):
        for event in read(path.stem):
            assert encode("zuul", event).count(b"\n") >= 1
            assert any(event.kind in known for known in ZUUL.kinds.values())
            assert not any(" " in ref for ref in (*event.refs, event.subject)), path.stem
            assert event.actor == "zuul"


def test_a_finished_item_ends_after_its_builds_and_points_to_logs() -> None:
    events = read("success__artifacts-and-pause")
    assert events[-1].kind == "pipelinerun.finished"
    assert events[-1].summary == "lumen/atlas 20417,2: check succeeded, 4 jobs"
    ends = [event for event in events if event.kind == "taskrun.finished"]
    assert len(ends) == 4
    assert all(event.link.startswith("https://logs.lumen.example/") for event in ends)
    assert all(event.refs[:3] == (event.subject, events[-1].subject, "lumen/atlas~20417") for event in ends)
    assert all(event.subject in events[-1].refs for event in ends)


def test_artifacts_are_published_but_for_log_manifests() -> None:
    (artifact,) = [event for event in read("success__artifacts-and-pause") if event.kind == "artifact.published"]
    assert artifact.link == "https://files.lumen.example/atlas.qcow2"
    assert artifact.subject.endswith("/image")


def test_retried_skipped_cancelled_and_non_voting_builds_say_so() -> None:
    events = read("failure__retried-build-and-returned-data")
    ends = {event.summary.split(" for ")[0]: event for event in events if event.kind == "taskrun.finished"}
    assert {text: (event.outcome, event.severity) for text, event in ends.items()} == {
        "functional broke off and is tried again after 2 min 50 s": ("error", "notice"),
        "linters succeeded after 1 min": ("success", "info"),
        "unit-tests failed after 9 min 40 s": ("failure", "warning"),
        "functional was cancelled after 6 min 50 s": ("cancel", "notice"),
        "grenade (non-voting) timed out after 11 min 20 s": ("failure", "notice"),
        "publish was skipped": ("skipped", "info"),
    }
    assert events[-1].summary == "lumen/atlas 20417,2: gate failed, 1 of 5 jobs: unit-tests"


def test_several_changes_in_one_item_are_all_referred_to() -> None:
    events = read("success__two-changes")
    whole = events[-1]
    assert {"lumen/atlas~20417", "lumen/harbor~20420"} <= set(whole.refs)
    assert {event.project for event in events} == {"lumen/atlas", "lumen/harbor"}


@pytest.mark.parametrize(
    ("name", "ref"),
    [
        ("success__tag", "lumen/atlas@refs/tags/4.2.0"),
        ("start__branch", "lumen/atlas_extra@refs/heads/feature/%2342"),
        ("failure__pull-request-node-failure", "lumen/console#12"),
        ("enqueue", "lumen/atlas~20417"),
    ],
)
def test_the_change_is_called_as_its_own_source_calls_it(name: str, ref: str) -> None:
    assert ref in read(name)[0].refs


def test_a_build_that_still_ran_at_its_items_end_is_cancelled() -> None:
    events = read("dequeue__running-and-paused")
    assert "build-image was cancelled for lumen/harbor 20420,1 (gate)" in [event.summary for event in events]
    assert kinds(events)[-1] == "pipelinerun.finished cancel"


def test_redelivery_gives_the_same_ids_and_each_build_ends_once() -> None:
    first, again = read("success__artifacts-and-pause"), read("success__artifacts-and-pause")
    assert [event.id for event in first] == [event.id for event in again]
    assert len({event.id for event in first}) == len(first)
    other = sample("success__artifacts-and-pause")
    other["payload"].update(action="dequeue", timestamp=1_760_009_999.0)
    later = deliver(other["payload"])
    assert [event.id for event in later[:-1]] == [event.id for event in first[:-1]]
    assert later[-1].id != first[-1].id


def test_returned_data_stays_inside_unless_asked_for() -> None:
    name = "failure__retried-build-and-returned-data"
    assert all(b"returned_data" not in event.data and b"not for readers" not in event.data for event in read(name))
    assert any(b"not for readers" in event.data for event in read(name, returned_data=True))


def test_an_escaped_name_does_not_smuggle_returned_data_out() -> None:
    body = json.dumps(sample("failure__retried-build-and-returned-data")["payload"]).encode()
    events = deliver(body.replace(b"returned_data", b"returned\\u005fdata"))
    assert all(b"not for readers" not in event.data for event in events)


def test_the_payload_is_verbatim_and_a_builds_holds_that_build_alone() -> None:
    message = json.dumps(sample("success__tag")["payload"]).encode()
    events = deliver(message)
    assert events[-1].data == message
    (build,) = json.loads(events[0].data)["buildset"]["builds"]
    assert f"build/{build['uuid']}" == events[0].subject


def test_times_as_text_and_without_a_timestamp() -> None:
    events = read("success__zuul-3")
    assert events[-1].time == datetime(2018, 4, 27, 3, 53, 28, 928095, tzinfo=UTC)


@pytest.mark.parametrize(
    ("topic", "alias"),
    [
        ("lumen/zuul/check/lumen/atlas/master/20417", "zuul/lumen/zuul/check/lumen/atlas/master/20417"),
        ("zuul/lumen/check", "zuul/lumen/check"),
        ("in/zuul/zuul/lumen/check", "zuul/lumen/check"),
        ("events/gerrit/change/merged", "zuul/events/gerrit/change/merged"),
        ("", "zuul/lumen/check/lumen/atlas/master/20417"),
    ],
)
def test_the_original_topic_lies_below_its_own_root(topic: str, alias: str) -> None:
    (event,) = deliver(sample("enqueue")["payload"], topic)
    assert event.alias == (alias,)


def test_an_unknown_action_is_unknown_and_not_dropped() -> None:
    message = sample("enqueue")["payload"] | {"action": "promoted"}
    with pytest.raises(UnknownKind, match="promoted"):
        deliver(message)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("timestamp",), "soon"),
        (("timestamp",), 1e300),
        (("timestamp",), -1),
        (("buildset",), None),
        (("project",), 7),
        (("changes",), [{"project": None}]),
        (("buildset", "builds"), [{}]),
        (("buildset", "builds"), {"a": 1}),
    ],
)
def test_a_bad_field_is_named(path: tuple[str, ...], value: object) -> None:
    message: dict[str, Any] = deepcopy(sample("start")["payload"])
    message.pop("zuul_ref")
    message.pop("changes")
    at: dict[str, Any] = message
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    with pytest.raises(Refused) as refusal:
        deliver(message)
    assert refusal.value.field.startswith(path[0])


def test_a_link_that_is_no_web_address_is_left_out() -> None:
    message = sample("enqueue")["payload"]
    message["changes"][0]["change_url"] = "javascript:alert(1)"
    assert deliver(message)[0].link == ""


def _places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in items for place in ((*path, key), *_places(inner, (*path, key)))]


JUNK = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.just([{}]))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_mutation_crashes(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(path.stem for path in SAMPLES.glob("*.json"))))
    message = sample(name)["payload"]
    place = data.draw(st.sampled_from(_places(message)))
    at: Any = message
    for key in place[:-1]:
        at = at[key]
    if isinstance(at, dict) and data.draw(st.booleans()):
        del at[place[-1]]
    else:
        at[place[-1]] = data.draw(JUNK)
    try:
        events = deliver(message)
    except (Refused, UnknownKind):
        return
    assert events
    assert all(encode("zuul", event) for event in events)


def test_the_shared_samples_are_all_read(shared: Path) -> None:
    count = 0
    for file in ("mqtt-docs-examples.jsonl", "mqtt-14.3-generated.jsonl"):
        for text in (shared / "samples" / "zuul" / file).read_text().splitlines():
            found = json.loads(text)
            count += len(deliver(found["payload"], found["topic"]))
    assert count > 20


@pytest.mark.parametrize(
    ("project", "link", "ref"),
    [
        ("lumen/pull-sync", "https://review.example.org/c/lumen/pull-sync/+/12", "lumen/pull-sync~12"),
        ("pull/requests", "https://review.example.org/c/pull/requests/+/12", "pull/requests~12"),
        ("lumen/atlas", "https://github.com/lumen/atlas/pull/12", "lumen/atlas#12"),
        ("lumen/atlas", "https://codeberg.org/lumen/atlas/pulls/12", "lumen/atlas#12"),
        ("lumen/atlas", "https://pagure.io/lumen/atlas/pull-request/12", "lumen/atlas#12"),
        ("lumen/atlas", "https://gitlab.com/lumen/atlas/-/merge_requests/12", "lumen/atlas!12"),
    ],
)
def test_what_a_change_is_called_is_read_from_the_end_of_its_address(project: str, link: str, ref: str) -> None:
    message = {"action": "start", "project": project, "change": "12", "change_url": link, "pipeline": "check"}
    found = sample("enqueue")["payload"] | message
    found.pop("changes", None)
    assert ref in deliver(found)[0].refs
