"""Test results: what a report that a job posts means.

In: a report (subunit v1 or v2, JUnit XML, CTRF) and headers that say whose it is. Out: one `testsuiterun.finished` with
counts, the slowest tests and the failures; each test's own result goes into the event's detail, which is stored beside
the stream, not in it.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec

from firehose import source, subject
from firehose.errors import Refused
from firehose.event import Event, fingerprint
from firehose.sources.testresults.reports import FAILED, Report, Test, form_of
from firehose.sources.testresults.reports import read as read_report


class Settings(source.WebhookSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """slowest, failures: how many of each are in the event itself."""

    slowest: int = 10
    failures: int = 20


KINDS: Final = dict.fromkeys(("subunit", "junit", "ctrf"), "testsuiterun.finished")
IGNORED: Final = {"empty": "a report without any test"}
SHOWN: Final = 1_000
"""Characters of a failure's output in the event."""
HEADERS: Final = "x-firehose-"


class Failure(msgspec.Struct, frozen=True):
    """A failed test in the event: the end of its output, where the reason is."""

    id: str
    status: str
    seconds: float
    output: str


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The event's data."""

    form: str
    build: str
    job: str
    project: str
    change: str
    counts: dict[str, int]
    total: int
    seconds: float
    slowest: list[tuple[str, float]]
    failures: list[Failure]
    more_failures: int
    detail: str


def read(delivery: source.Delivery, settings: Settings) -> source.Verdict:
    """The event of a report."""
    report = read_report(delivery.body)
    if not report.tests:
        return source.Ignored("empty")

    def said(name: str) -> str:
        return delivery.headers.get(HEADERS + name, "").strip()[:500]

    build = said("build")
    if not build:
        missing = "the header X-Firehose-Build must say which build this report is of"
        raise Refused(missing, slug="missing-field", status=422, field="X-Firehose-Build")
    id_ = fingerprint("testresults", build, said("job"), said("name"), delivery.body)
    summary = _summary(report, settings, msgspec.structs.replace(_BLANK, detail=f"/v1/details/{id_}", build=build,
                       job=said("job"), project=said("project"), change=said("change")))  # fmt: skip
    failed = sum(summary.counts.get(status, 0) for status in FAILED)
    link = said("link")
    refs = [f"build/{build}", said("change"), *said("refs").split()]
    return [
        Event(
            id=id_,
            source=settings.url.rstrip("/") or f"urn:firehose:{delivery.source}",
            type=f"org.testresults.{report.form}",
            kind="testsuiterun.finished",
            subject=f"tests/{subject.escape(build)}/{subject.escape(said('name') or report.form)}",
            time=report.ended or delivery.received,
            project=summary.project,
            summary=_told(summary, failed),
            link=link if link.startswith(("https://", "http://")) else "",
            outcome="failure" if failed else "success",
            severity="warning" if failed else "info",
            refs=tuple(dict.fromkeys(subject.given(ref) for ref in refs if ref)),
            text=" ".join(failure.id for failure in summary.failures),
            data=msgspec.json.encode(summary),
            detail=msgspec.json.encode(report.tests),
        )
    ]


_BLANK: Final = Summary(form="", build="", job="", project="", change="", counts={}, total=0, seconds=0.0, slowest=[],
                        failures=[], more_failures=0, detail="")  # fmt: skip


def _summary(report: Report, settings: Settings, about: Summary) -> Summary:
    tests = report.tests
    failed = [test for test in tests if test.status in FAILED]
    slow = sorted((test for test in tests if test.seconds), key=lambda test: (-test.seconds, test.id))
    return msgspec.structs.replace(
        about,
        form=report.form,
        counts=dict(sorted(Counter(test.status for test in tests).items())),
        total=len(tests),
        seconds=round(sum(test.seconds for test in tests), 3),
        slowest=[(test.id[:300], test.seconds) for test in slow[: settings.slowest]],
        failures=[_failure(test) for test in failed[: settings.failures]],
        more_failures=max(0, len(failed) - settings.failures),
    )


def _failure(test: Test) -> Failure:
    return Failure(test.id[:300], test.status, test.seconds, test.output.strip()[-SHOWN:])


def _told(summary: Summary, failed: int) -> str:
    what = " ".join(filter(None, [summary.project, summary.job])) or f"build {summary.build}"
    if not failed:
        skipped = summary.counts.get("skipped", 0)
        return f"{what}: {summary.total} tests passed{f', {skipped} of them skipped' if skipped else ''}"
    first = summary.failures[0].id if summary.failures else ""
    return f"{what}: {failed} of {summary.total} tests failed{f', first {first}' if first else ''}"


def native_kind(delivery: source.Delivery) -> str:
    """The form of the report."""
    return form_of(delivery.body)


SOURCE: Final = source.SourceKind(
    name="testresults",
    title="Test results",
    family="ci",
    settings=Settings,
    read=read,
    kinds=KINDS,
    ignored=IGNORED,
    schemes=(source.Scheme("bearer"), source.Scheme("token", header="X-Firehose-Token")),
    media=("*/*",),
    native_kind=native_kind,
)
