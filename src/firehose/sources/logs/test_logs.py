"""What the log room's digests mean, by samples."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firehose import source
from firehose.errors import UnknownKind
from firehose.event import Event

SAMPLES = Path(__file__).parent / "samples"
LOGS = source.load("logs")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def read(name: str, trust: str = "production", **more: Any) -> Event:
    kept = json.loads((SAMPLES / f"{name}.json").read_text())
    body = json.dumps({**kept["body"], **more}).encode()
    delivery = source.Delivery(source="logs", body=body, received=NOW, headers=kept["headers"])
    verdict = LOGS.read(delivery, LOGS.settings(kind="logs", trust=trust))
    assert not isinstance(verdict, source.Ignored)
    (event,) = verdict
    return event


def test_a_file_links_to_its_build_and_change() -> None:
    event = read("file.processed__failed-build", "jobs")
    assert (event.kind, event.subject) == ("log.file.processed", "logfile/b8086e9c701a8991cfceb3109eb2ecd1")
    assert event.summary == "screen-n-cpu.txt: 35,120 lines (20 error, 1,100 warning), 2 new templates"
    assert (event.project, event.outcome, event.actor) == ("lumen/atlas", "failure", "executor-3")
    assert event.refs == ("build/b7e14f0c2d3a4b5c", "lumen/atlas~4711")
    assert event.link == "https://logs.lumen.example/b7e1/screen-n-cpu.txt"
    assert event.source == "urn:firehose:logs"


def test_a_new_template_shows_its_example_and_who_may_be_alarmed_by_it() -> None:
    event = read("template.new__error")
    assert (event.kind, event.severity) == ("log.template.new", "error")
    assert event.summary == "New in the log: worker 7 took 21 ms for 192.0.2.7 password=<hidden>"
    assert event.refs == ("host/db1.lumen.example",)
    assert event.link == "https://hub.lumen.example/v1/logs/logs/4711"
    assert read("template.new__error", "jobs").severity == "notice"


def test_a_burst_says_how_much_and_what_is_usual() -> None:
    event = read("template.burst__warning")
    assert event.summary == "Burst, 1,200 lines a minute (usually 4): lease <uuid> was lost"
    assert (event.severity, read("template.burst__warning", severity="info").severity) == ("warning", "notice")


def test_an_overflow_is_a_summary_whose_counts_are_in_the_data() -> None:
    event = read("overflow__a-minute")
    assert (event.kind, event.subject, event.actor) == ("log.overflow", "logpublisher/executor%203", "executor 3")
    assert event.summary == (
        "executor 3 sent 3,000,000 lines in 60 s: 35,000 kept, 2,965,000 over its budget counted, "
        "1 new templates untold"
    )
    counts = json.loads(event.data)["counts"]
    assert counts["kept_lines"] + counts["over_lines"] == counts["lines"] == sum(counts["severities"].values())


def test_what_is_no_digest_of_the_room_is_unknown() -> None:
    for headers, body in (({}, b'{"what":"overflow"}'), ({"content-type": LOGS.name}, b'{"what":"line"}')):
        with pytest.raises(UnknownKind):
            LOGS.read(
                source.Delivery(source="logs", body=body, received=NOW, headers=headers),
                LOGS.settings(kind="logs", trust="jobs"),
            )
