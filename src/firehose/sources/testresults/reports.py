"""Reading test reports: subunit v1 and v2, JUnit XML, and CTRF become the same list of tests.

In: a report's bytes. Out: `Test` values in the report's order, or `Refused` that names what is wrong. It knows nothing
of jobs and events. Attachments are kept as text and cut; times are the report's own.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from xml.etree import ElementTree

import msgspec
import subunit
import testtools

from firehose.errors import Refused
from firehose.wild import Wild, decode

LONGEST: Final = 20_000
"""Characters kept of one test's output."""
FAILED: Final = ("failure", "error", "unexpected-success")
_V1: Final = re.compile(rb"^(test|testing|success|successful|failure|time|progress|tags):? ", re.M)
_SUBUNIT: Final = {
    "success": "success", "fail": "failure", "skip": "skipped", "xfail": "expected-failure",
    "uxsuccess": "unexpected-success", "inprogress": "error",
}  # fmt: skip
_CTRF: Final = {"passed": "success", "failed": "failure", "skipped": "skipped", "pending": "skipped", "other": "error"}


class Test(msgspec.Struct, frozen=True, omit_defaults=True):
    """One test's end. `status`: success, failure, error, skipped, expected-failure or unexpected-success."""

    __test__ = False  # pytest would take it for a test class

    id: str
    status: str
    seconds: float = 0.0
    output: str = ""


class Report(msgspec.Struct, frozen=True):
    """A report: `form` is subunit, junit or ctrf; `ended` is when the last test did, if the report says so."""

    form: str
    tests: list[Test]
    ended: datetime | None = None


def form_of(body: bytes) -> str:
    """Which form of report this is, by its first bytes; "" for none of them."""
    head = body[:2_000].lstrip(b"\xef\xbb\xbf \t\r\n")
    if body[:1] == b"\xb3":
        return "subunit"
    if head.startswith(b"<"):
        return "junit"
    if head.startswith(b"{"):
        return "ctrf"
    return "subunit" if _V1.search(head) else ""


def read(body: bytes) -> Report:
    """The report that a body is."""
    match form_of(body):
        case "subunit":
            return _subunit(body)
        case "junit":
            return Report("junit", list(_junit(body)))
        case "ctrf":
            return _ctrf(decode(body))
        case _:
            wish = "subunit (v1 or v2), JUnit XML or CTRF"
            raise Refused(f"this is no test report that is known here; post {wish}", slug="no-report", status=422)


class _Collector(testtools.StreamResult):
    """Puts a stream's packets together, test by test."""

    def __init__(self) -> None:
        super().__init__()
        self.started: dict[str, datetime] = {}
        self.ended: dict[str, datetime] = {}
        self.status_of: dict[str, str] = {}
        self.output: dict[str, list[str]] = {}
        self.broken = ""

    def status(  # type: ignore[override]
        self, test_id: str | None = None, test_status: str | None = None, **more: Any
    ) -> None:
        when, name = more.get("timestamp"), more.get("file_name")
        if test_id is None:
            return
        if test_id == "subunit.parser":
            self.broken = bytes(more.get("file_bytes") or b"").decode("utf-8", "replace")
            return
        if name is not None and (more.get("mime_type") or "text/").startswith("text/"):
            text = bytes(more.get("file_bytes") or b"").decode("utf-8", "replace")
            self.output.setdefault(test_id, []).append(text)
        if test_status in _SUBUNIT:
            self.status_of[test_id] = test_status
        if when is not None:
            (self.started if test_status == "inprogress" else self.ended)[test_id] = when

    def tests(self) -> Iterator[Test]:
        """What ended; a test that only began was killed or never came back: an error."""
        for test_id, status in self.status_of.items():
            began, end = self.started.get(test_id), self.ended.get(test_id)
            seconds = (end - began).total_seconds() if began and end else 0.0
            output = "".join(self.output.get(test_id, ()))
            yield Test(test_id, _SUBUNIT[status], round(max(0.0, seconds), 6), output[:LONGEST])


def _subunit(body: bytes) -> Report:
    collector = _Collector()
    try:
        if body[:1] == b"\xb3":
            subunit.ByteStreamToStreamResult(io.BytesIO(body), non_subunit_name="stdout").run(collector)
        else:
            stream = testtools.ExtendedToStreamDecorator(collector)
            stream.startTestRun()
            subunit.ProtocolTestCase(io.BytesIO(body), io.BytesIO()).run(stream)
            stream.stopTestRun()
    except Exception as error:  # the library raises whatever its parts raise
        raise Refused(f"the subunit stream cannot be read: {error!r:.200}", slug="bad-report", status=422) from None
    if collector.broken:
        why = collector.broken.splitlines()[0][:200]
        raise Refused(f"the subunit stream is damaged: {why}", slug="bad-report", status=422)
    moments = [when for when in collector.ended.values() if when.tzinfo is not None]
    return Report("subunit", list(collector.tests()), max(moments, default=None))


def _junit(body: bytes) -> Iterator[Test]:
    # Entities are the one thing of XML that lets a small body grow large.
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise Refused("a JUnit report needs no DOCTYPE and no entities", slug="bad-report", status=422)
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - without a DOCTYPE there are no entities to expand
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise Refused(f"the JUnit report is no XML: {error}", slug="bad-report", status=422) from None
    if root.tag not in ("testsuites", "testsuite"):
        raise Refused(f"a JUnit report begins with testsuite, not {root.tag[:60]!r}", slug="bad-report", status=422)
    for case in root.iter("testcase"):
        name, group = case.get("name", ""), case.get("classname", "")
        found = next(((each.tag, each) for each in case if each.tag in ("failure", "error", "skipped")), None)
        status, element = found or ("success", None)
        output = "" if element is None else "\n".join(filter(None, [element.get("message"), element.text]))
        yield Test(f"{group}.{name}" if group else name, status, _seconds(case.get("time", "")), output[:LONGEST])


def _seconds(text: str) -> float:
    try:
        found = float(text.replace(",", "") or 0)
    except ValueError:
        return 0.0
    return found if 0 <= found < 1e9 else 0.0


def _ctrf(body: Wild) -> Report:
    tests = []
    for test in body.at("results", "tests").each():
        status = test["status"].text()
        if status not in _CTRF:
            what, where = f"{status[:60]!r} is no status of CTRF", test["status"].path
            raise Refused(what, slug="bad-report", status=422, field=where)
        milliseconds = test["duration"].number(0)
        output = "\n".join(filter(None, [test["message"].text(""), test["trace"].text("")]))
        seconds = milliseconds / 1_000 if 0 <= milliseconds < 1e12 else 0.0
        name = ".".join(filter(None, [test["suite"].text(""), test["name"].text()]))
        tests.append(Test(name, _CTRF[status], seconds, output[:LONGEST]))
    return Report("ctrf", tests)
