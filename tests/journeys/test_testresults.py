"""A report that a job posts: one event in the stream, joined to its build; each test beside it, once."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

from subunit.v2 import StreamResultToBytes
from tests.journeys.reader import everywhere, listening, search, sink
from tests.servers.hook import Receiver

from firehose.testing import StartHub

SETTINGS = '[sources.tests]\nkind = "testresults"\n'


def report(count: int) -> bytes:
    out = io.BytesIO()
    for number in range(count):
        StreamResultToBytes(out).status(test_id=f"unit.test_{number}", test_status="fail" if number == 7 else "success")
    return out.getvalue()


def test_a_subunit_stream_becomes_one_event_with_its_detail_beside_it(start_hub: StartHub, receiver: Receiver) -> None:
    hub = start_hub(SETTINGS + sink(receiver))
    headers = {
        "authorization": f"Bearer {hub.token('publish:tests')}", "content-type": "application/vnd.subunit",
        "x-firehose-build": "1f0c", "x-firehose-project": "lumen/atlas", "x-firehose-link": "https://logs.lumen.example/1f0c",
    }  # fmt: skip
    with listening(hub, "events/tests/#") as reader:
        assert hub.post("/in/tests", report(500), headers)[0] == 202
        (event,) = reader.wait(1, kind="testsuiterun.finished")
    assert everywhere(search(hub, "source:tests")[0], reader, receiver) == (
        "testsuiterun.finished", "lumen/atlas", "", "lumen/atlas: 1 of 500 tests failed, first unit.test_7",
        "https://logs.lumen.example/1f0c", "build/1f0c",
    )  # fmt: skip
    assert len(str(event)) < 4_000
    tests = hub.get(event["data"]["detail"])
    assert (len(tests), tests[7]["id"], tests[7]["status"]) == (500, "unit.test_7", "failure")
    again, answer = hub.post("/in/tests", report(500), headers)
    assert (again, answer["verdict"]) == (200, "duplicate")
    assert len(search(hub, "kind:testsuiterun.finished refs:build/1f0c")) == 1
    assert hub.post("/in/tests", b"no report", headers)[0] == 422


def test_the_junit_report_of_a_real_pytest(start_hub: StartHub, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pytest\ndef test_ok(): pass\ndef test_bad(): assert 1 == 2\n"
        "@pytest.mark.skip(reason='later')\ndef test_skip(): pass\n@pytest.fixture\ndef no(): raise OSError('gone')\n"
        "def test_error(no): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=r.xml", "test_it.py"]
    subprocess.run(command, cwd=tmp_path, check=False, capture_output=True)
    hub = start_hub(SETTINGS)
    headers = {
        "authorization": f"Bearer {hub.token('publish:tests')}", "content-type": "application/xml",
        "x-firehose-build": "77",
    }  # fmt: skip
    assert hub.post("/in/tests", (tmp_path / "r.xml").read_bytes(), headers)[0] == 202
    (event,) = search(hub, "source:tests")
    assert event["data"]["counts"] == {"error": 1, "failure": 1, "skipped": 1, "success": 1}
    assert [failure["id"] for failure in event["data"]["failures"]] == ["test_it.test_bad", "test_it.test_error"]
    assert "assert 1 == 2" in event["data"]["failures"][0]["output"]
