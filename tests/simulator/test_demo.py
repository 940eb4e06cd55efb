"""`firehose demo` as a stranger sees it: a day is there at once, everything flows, nothing ends in the quarantine."""

from __future__ import annotations

import json
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from firehose.simulator.demo import Demo
from firehose.simulator.world import DAY
from firehose.testing import HubProcess

SOURCES = {"gerrit", "zuul", "github", "forgejo", "gitlab", "nodes"}
KINDS = {"change.created", "change.reviewed", "change.merged", "pipelinerun.finished", "taskrun.finished"}


def heard(hub: HubProcess, seconds: float) -> list[dict[str, str]]:
    """The stream from the start until all sources and kinds were heard."""
    found: list[dict[str, str]] = []
    end = time.monotonic() + seconds
    with urllib.request.urlopen(f"{hub.url}/v1/stream/json?since=earliest", timeout=seconds) as stream:
        for line in stream:
            event = json.loads(line)
            if "specversion" in event:
                found.append(event)
            sources = {event["topic"].split("/")[1] for event in found[-400:]} | ({""} if len(found) < 1_500 else set())
            if sources == SOURCES and {event["kind"] for event in found} >= KINDS:
                return found
            assert time.monotonic() < end, f"only {Counter(event['kind'] for event in found)}\n{hub.tail()}"
    raise AssertionError(f"the stream ended\n{hub.tail()}")


@pytest.mark.timeout(300)
def test_the_demo_tells_a_day_and_goes_on(tmp_path: Path) -> None:
    hub = HubProcess(tmp_path, command=("demo", "--seed", "5"))
    try:
        hub.start()
        found = heard(hub, 120)
        text = urllib.request.urlopen(f"{hub.url}/metrics", timeout=10).read().decode()
    finally:
        assert hub.stop() == 0
    assert len({event["id"] + event["source"] for event in found}) == len(found)
    assert not any("@lumen.example" in json.dumps(event) for event in found)
    times = sorted(event["time"] for event in found)
    assert times[0][:16] < times[-1][:16]
    bad = [line for line in text.splitlines() if 'verdict="unknown"' in line or 'verdict="refused"' in line]
    counts = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in bad if "_total" in line}
    assert counts
    assert not any(counts.values()), counts
    assert "the simulated world stops" in hub.log.read_text()


def test_a_demo_that_ran_before_does_not_tell_its_day_twice(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    fresh = demo.world(1_795_000_000.0, 1.0)
    assert fresh.now == 1_795_000_000.0 - DAY
    (tmp_path / "told-until").write_text("1794999000.0")
    assert demo.world(1_795_000_000.0, 1.0).now == 1_794_999_000.0
