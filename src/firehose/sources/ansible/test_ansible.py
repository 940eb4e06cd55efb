"""The callback plugin's records, by samples and by the odd cases; the defects of the original plugin by name."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firehose import source
from firehose.errors import Refused, UnknownKind
from firehose.event import Event

SAMPLES = Path(__file__).parent / "samples"
ANSIBLE = source.load("ansible")
NOW = datetime(2026, 1, 2, tzinfo=UTC)
RUN = "ansible/5b0f4c1e-8f0d-4c2b-9a53-0f4a6a1d2c3e"
PLAY = "02fc0000-0001-2843-1b5f-000000000003"


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())["body"]


def verdict(body: Any, **settings: Any) -> source.Verdict:
    delivery = source.Delivery(source="ansible", body=json.dumps(body).encode(), received=NOW)
    return ANSIBLE.read(delivery, ANSIBLE.settings(kind="ansible", **settings))


def events(name: str, **settings: Any) -> list[Event]:
    found = verdict(sample(name), **settings)
    assert not isinstance(found, source.Ignored)
    return list(found)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("run_start__plain", ["pipelinerun.started running site.yml started"]),
        ("play_start__and_a_task", ["play.started running site.yml: play Base",
                                    "taskrun.started running task web: Install nginx"]),
        ("result__changed", ["taskrun.finished success web1.example.org: web: Install nginx: changed"]),
        ("result__failed", ["taskrun.finished failure web2.example.org: web: Install nginx: failed: out of disk"]),
        ("result__unreachable_and_skipped",
         ["taskrun.finished error web4.example.org: web: Install nginx: unreachable: no route",
          "taskrun.finished skipped web1.example.org: web: Install nginx: skipped"]),
        ("run_finish__with_hosts",
         ["host.finished success web1.example.org: 2 ok, 2 changed",
          "host.finished failure web2.example.org: 1 ok, 1 failures",
          "pipelinerun.finished failure site.yml failed on 2 hosts: 3 ok, 2 changed, 1 failures"]),
        ("no_hosts__plain", ["play.skipped skipped play Base had no hosts"]),
    ],
)  # fmt: skip
def test_a_batch_becomes(name: str, told: list[str]) -> None:
    assert [f"{event.kind} {event.outcome} {event.summary}" for event in events(name)] == told


@pytest.mark.parametrize("name", sorted(path.stem for path in SAMPLES.glob("*.json")))
def test_everything_refers_to_its_run_and_to_what_the_run_belongs_to(name: str) -> None:
    for event in events(name):
        assert event.refs[:2] == (RUN, "build/1f0c")


def test_original_topics() -> None:
    host = "web2.example.org"
    assert events("play_start__and_a_task")[0].alias == (f"ansible/playbook/{PLAY}/action/start",)
    assert events("result__failed")[0].alias == (f"ansible/playbook/{PLAY}/task/{host}/FAILED",)
    assert events("run_finish__with_hosts")[1].alias == (f"ansible/playbook/{PLAY}/stats/{host}",)
    assert events("run_finish__with_hosts")[2].alias == (f"ansible/playbook/{PLAY}/action/finish/FAILED",)


def test_original_plugin_defect_a_failed_task_had_the_session_as_playbook_id_and_no_session() -> None:
    failed = json.loads(events("result__failed")[0].data)
    assert (failed["playbook_id"], f"ansible/{failed['session']}") == (PLAY, RUN)


def test_original_plugin_defect_the_id_of_a_playbook_was_its_plays() -> None:
    play, finish = events("play_start__and_a_task")[0], events("run_finish__with_hosts")[2]
    assert (play.subject, finish.subject) == (f"{RUN}/play/{PLAY}", RUN)


def test_original_plugin_defect_results_were_text() -> None:
    assert isinstance(json.loads(events("result__failed")[0].data)["ansible_result"], dict)


def test_original_plugin_defect_skips_and_changes_were_untold() -> None:
    assert events("result__unreachable_and_skipped")[1].outcome == "skipped"
    assert "changed" in events("result__changed")[0].summary


def test_fewer_results_on_wish() -> None:
    assert verdict(sample("result__ok"), results="changed") == source.Ignored("results")
    assert verdict(sample("result__changed"), results="failed") == source.Ignored("results")
    assert len(events("result__changed", results="changed")) == 1
    assert len(events("result__failed", results="failed")) == 1


def test_an_ignored_failure_is_no_warning() -> None:
    body = sample("result__failed")
    body["events"][0]["ignored"] = True
    (event,) = list(verdict(body))  # type: ignore[arg-type]
    assert (event.severity, event.summary) == (
        "info", "web2.example.org: web: Install nginx: failed (ignored): out of disk",
    )  # fmt: skip


def test_lost_records_are_told() -> None:
    body = sample("run_finish__with_hosts")
    body["events"][2]["dropped"] = 7
    assert list(verdict(body))[2].summary.endswith("; 7 records were not shipped")  # type: ignore[arg-type]


def test_unknown_records_and_missing_fields_are_named() -> None:
    with pytest.raises(UnknownKind, match="coffee_break"):
        verdict({"ansible": 1, "events": [{"event": "coffee_break"}]})
    with pytest.raises(UnknownKind, match="no-batch"):
        verdict({"hello": 1})
    body = sample("result__failed")
    del body["events"][0]["ansible_host"]
    with pytest.raises(Refused) as refusal:
        verdict(body)
    assert refusal.value.field == "events[0].ansible_host"
    assert verdict({"ansible": 1, "events": []}) == source.Ignored("empty")
