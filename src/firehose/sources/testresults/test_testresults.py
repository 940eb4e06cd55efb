"""Reports as their own programs write them, and the odd ones."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from subunit.v2 import StreamResultToBytes

from firehose import source
from firehose.errors import Refused
from firehose.event import Event

SAMPLES = Path(__file__).parent / "samples"
TESTS = source.load("testresults")
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
HEADERS = {"x-firehose-build": "1f0c", "x-firehose-project": "lumen/atlas", "x-firehose-job": "unit"}


def verdict(body: bytes, headers: dict[str, str] | None = None, **settings: Any) -> source.Verdict:
    delivery = source.Delivery(source="tests", body=body, received=NOW, headers=HEADERS if headers is None else headers)
    return TESTS.read(delivery, TESTS.settings(kind="testresults", **settings))


def event(body: bytes, **settings: Any) -> Event:
    found = verdict(body, **settings)
    assert not isinstance(found, source.Ignored)
    (one,) = found
    return one


def stream(*steps: tuple[str, str, int]) -> bytes:
    out = io.BytesIO()
    writer = StreamResultToBytes(out)
    for test, status, second in steps:
        writer.status(test_id=test, test_status=status, timestamp=NOW + timedelta(seconds=second))
    return out.getvalue()


def test_a_ctrf_sample_with_a_failure() -> None:
    found = json.loads((SAMPLES / "ctrf__failed.json").read_text())
    one = verdict(json.dumps(found["body"]).encode(), found["headers"])[0]  # type: ignore[index]
    assert (one.kind, one.outcome, one.severity) == ("testsuiterun.finished", "failure", "warning")
    assert one.summary == "lumen/atlas unit: 1 of 3 tests failed, first sums.divides"
    assert one.refs == ("build/1f0c2a7d", "lumen/atlas~12")
    data = json.loads(one.data)
    assert data["counts"] == {"failure": 1, "skipped": 1, "success": 1}
    assert data["slowest"] == [["sums.divides", 2.5], ["sums.adds", 0.012]]
    assert data["failures"][0]["output"] == "expected 2, got 3\nat sums.ts:7"
    assert data["detail"] == f"/v1/details/{one.id}"
    assert [test["id"] for test in json.loads(one.detail)] == ["sums.adds", "sums.divides", "later"]


def test_subunit_2_with_times_attachments_and_a_test_that_never_ended() -> None:
    out = io.BytesIO()
    StreamResultToBytes(out).status(
        test_id="a.broken", file_name="traceback", file_bytes=b"Boom\n", mime_type="text/plain", eof=True
    )
    body = stream(("a.ok", "inprogress", 0), ("a.ok", "success", 3)) + out.getvalue()
    body += stream(
        ("a.broken", "fail", 4), ("a.hung", "inprogress", 5), ("a.bad", "xfail", 6), ("a.odd", "uxsuccess", 7)
    )
    one = event(body)
    data = json.loads(one.data)
    assert data["counts"] == {
        "error": 1, "expected-failure": 1, "failure": 1, "success": 1, "unexpected-success": 1,
    }  # fmt: skip
    assert data["slowest"] == [["a.ok", 3.0]]
    assert data["failures"][0] == {"id": "a.broken", "status": "failure", "seconds": 0.0, "output": "Boom"}
    assert one.time == NOW + timedelta(seconds=7)


def test_subunit_1() -> None:
    body = (
        b"time: 2026-03-02 10:00:00.000000Z\ntest: a.b\ntime: 2026-03-02 10:00:02.000000Z\n"
        b"failure: a.b [\nTraceback x\n]\ntest: c\nsuccess: c\ntest: d\nskip: d [\nno network\n]\n"
    )
    data = json.loads(event(body).data)
    assert data["counts"] == {"failure": 1, "skipped": 1, "success": 1}
    assert data["slowest"] == [["a.b", 2.0]]
    assert "Traceback x" in data["failures"][0]["output"]


def test_the_same_report_is_the_same_event_and_builds_are_told_apart() -> None:
    body = stream(("a", "success", 1))
    assert event(body).id == event(body).id
    other = verdict(body, {**HEADERS, "x-firehose-build": "2"})[0]  # type: ignore[index]
    assert other.id != event(body).id


def test_many_failures_are_cut_and_counted() -> None:
    body = stream(*[(f"t{number}", "fail", number) for number in range(30)])
    data = json.loads(event(body, failures=5).data)
    assert (len(data["failures"]), data["more_failures"], data["total"]) == (5, 25, 30)
    assert len(json.loads(event(body, failures=5).detail)) == 30


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"hello", "no test report"),
        (b"", "no test report"),
        (b"<html></html>", "begins with testsuite"),
        (b"<testsuite><testcase", "no XML"),
        (b'<?xml version="1.0"?><!DOCTYPE t [<!ENTITY a "b">]><testsuite/>', "no DOCTYPE"),
        (b"\xb3" + b"\x00" * 40, "damaged"),
        (b'{"results": {"tests": [{"name": "x", "status": "odd"}]}}', "no status of CTRF"),
    ],
    ids=["text", "nothing", "page", "cut", "entities", "damaged subunit", "status"],
)
def test_what_is_no_report_is_named(body: bytes, words: str) -> None:
    with pytest.raises(Refused, match=words):
        verdict(body)


def test_a_report_says_whose_it_is() -> None:
    with pytest.raises(Refused) as refusal:
        verdict(stream(("a", "success", 1)), {})
    assert refusal.value.field == "X-Firehose-Build"
    assert verdict(b'<testsuite name="x"/>') == source.Ignored("empty")


@pytest.mark.parametrize("change", ["lumen/atlas~12", "lumen/atlas#12", "lumen/c%2B%2B!12"])
def test_the_change_is_referred_to_as_the_job_calls_it(change: str) -> None:
    found = json.loads((SAMPLES / "ctrf__failed.json").read_text())
    one = verdict(json.dumps(found["body"]).encode(), {**HEADERS, "x-firehose-change": change})[0]  # type: ignore[index]
    assert change in one.refs
