"""`firehose bench`: names, lines, the document; the load clients against a real broker."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from firehose.errors import Broken
from firehose.ops.bench import command, document, ingest
from firehose.ops.bench.line import Line
from firehose.ops.bench.measure import Measure, measures
from firehose.ops.bench.stand import Subscribers, mosquitto, publish
from firehose.testing import need

REACHED = Line("ours", 30_000, "events/s", 20_000, 60_000, 0.5)
MISSED = Line("slow", 12.5, "ms", 8, 0.3, 0.02, ok=False, note="webhook in to MQTT out")


def test_every_measurement_has_a_name_of_its_own_and_says_what_it_does() -> None:
    names = [measure.name for measure in measures()]
    assert {"ingest", "latency", "fanout", "memory", "start"} <= set(names)
    assert len(set(names)) == len(names)
    assert all(measure.what and measure.seconds > 0 for measure in measures())


def test_an_unknown_name_is_a_usage_error_that_names_the_known_ones() -> None:
    result = CliRunner().invoke(command.bench, ["nothing"])
    assert result.exit_code == 2
    assert "ingest" in result.output


def fake(name: str, lines: Sequence[Line] | Exception) -> Measure:
    def run(scale: int) -> Sequence[Line]:
        if isinstance(lines, Exception):
            raise lines
        return lines

    return Measure(name, "a fake", 1, run)


def test_prints_a_line_of_json_for_each_figure_and_ends_well_when_one_is_not_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command, "measures", lambda: [fake("a", [REACHED, MISSED])])
    result = CliRunner().invoke(command.bench, ["--json"])
    assert result.exit_code == 0
    found = [json.loads(row) for row in result.stdout.splitlines()]
    assert [row["name"] for row in found] == ["ours", "slow"]
    assert {"name", "value", "unit", "reach", "rival", "ratio", "ok"} <= set(found[0])


def test_what_takes_minutes_is_left_out_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Measure("slow", "a fake", 600, lambda scale: [MISSED])
    monkeypatch.setattr(command, "measures", lambda: [fake("a", [REACHED]), slow])
    runs = {words: CliRunner().invoke(command.bench, [*words, "--json"]) for words in ((), ("slow",), ("--all",))}
    found = {words: [json.loads(row)["name"] for row in result.stdout.splitlines()] for words, result in runs.items()}
    assert found == {(): ["ours"], ("slow",): ["slow"], ("--all",): ["ours", "slow"]}
    assert "slow" in runs[()].stderr


def test_lines_of_an_earlier_run_are_kept_unless_they_are_measured_again(tmp_path: Path) -> None:
    earlier = tmp_path / "earlier.jsonl"
    earlier.write_bytes(b"\n".join(map(msgspec.json.encode, [REACHED, MISSED])))
    again = msgspec.structs.replace(MISSED, value=7.0, ok=True)
    assert command.merged(earlier, [again]) == [REACHED, again]


def test_scale_names_each_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "measures", lambda: [fake("a", [REACHED])])
    result = CliRunner().invoke(command.bench, ["--scale", "--json"])
    assert [json.loads(row)["name"] for row in result.stdout.splitlines()] == ["ours ×1", "ours ×3", "ours ×10"]


def test_a_measurement_that_cannot_run_here_says_why() -> None:
    (line,) = command.attempt(fake("a", Broken("mosquitto is not installed", code=4)), 1)
    assert not line.ok
    assert line.note == "not measured: mosquitto is not installed"


def test_the_document_explains_each_line_that_is_not_reached(tmp_path: Path) -> None:
    notes = tmp_path / "notes.toml"
    notes.write_text('slow = "the disk"\n"other" = "kept"\n')
    text = document.render([REACHED, MISSED], notes)
    assert "| ours | 30,000 events/s | 20,000 | 60,000 | 0.50 | yes |" in text
    assert "- **slow** (12.5 ms): the disk" in text
    assert "- **other**: kept" in text
    assert "Python" in text


def test_a_missed_line_without_a_note_shows_that(tmp_path: Path) -> None:
    assert "- **slow** (12.5 ms): no note yet." in document.render([MISSED], tmp_path / "none.toml")


def test_subscribers_count_what_a_broker_delivers() -> None:
    need(shutil.which("gcc"), "gcc")
    need(shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin"), "mosquitto")
    with mosquitto() as port:
        subscribers = Subscribers(port, 20, "bench/#", expect=20 * 100, seconds=20)
        publish(port, "bench/x", 300, 100, 0)
        heard = subscribers.result()
    assert (heard.got, heard.closed) == (2_000, 0)
    assert 0 < heard.p50 <= heard.p99 <= heard.most


def test_every_event_through_the_gate_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "EVENTS", 300)
    (line,) = ingest.run(1)
    assert line.value > 0
    assert line.ratio is not None
