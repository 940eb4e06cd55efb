"""The book of a log source: what goes by age and size, and a desk by a clock of the test's own."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from firehose.errors import Broken
from firehose.fleet.logs.book import Book, Commit, Row
from firehose.fleet.logs.desk import Desk
from firehose.fleet.logs.line import File, Line
from firehose.plumbing.tasks import Crew
from firehose.sources.logs.logs import Settings, by_trust

DAY = 86_400.0


def commit(first: int, count: int, moment: float) -> Commit:
    rows = [Row(moment, "info", "h", "u", "p", "", f"line {first + n}") for n in range(count)]
    return Commit(
        moment=moment, first=first, rows=rows, spans={}, told=[], totals={}, files=[], templates=[], forgotten=[],
        digests=[],
    )  # fmt: skip


def test_old_lines_go_first_and_numbers_never_come_again(tmp_path: Path) -> None:
    book = Book(tmp_path / "x.sqlite", 0.0)
    for day in range(5):
        book.commit(commit(1 + day * 10, 10, day * DAY))
    assert book.span() == (1, 50, 50)
    assert [number for number, _ in book.lines(18, 33)] == list(range(18, 34))
    assert book.forget(1.5 * DAY, 2**20) == 20
    assert book.span() == (21, 50, 30)
    assert book.lines(1, 20) == []
    size = sum(len(book._packer.compress(b"x")) for _ in range(1))  # any size that one pack is larger than
    assert book.forget(0.0, size) == 30
    assert book.open().number == 51
    book.close()


def test_a_book_has_one_room(tmp_path: Path) -> None:
    book = Book(tmp_path / "x.sqlite", 0.0)
    with pytest.raises(Broken, match="another log room"):
        Book(tmp_path / "x.sqlite", 0.0)
    book.close()
    Book(tmp_path / "x.sqlite", 0.0).close()


class Clock:
    def __init__(self) -> None:
        self.moment = 1_760_000_000.0

    def __call__(self) -> float:
        return self.moment


def told(desk: Desk) -> list[dict[str, Any]]:
    return [json.loads(body) for _, body in desk.book.digests(1_000)]


def desk(folder: Path, clock: Clock, **own: Any) -> Desk:
    settings = by_trust(Settings(kind="logs", trust="jobs", learn=0, **own))
    return Desk(settings, Book(folder / "x.sqlite", clock()), "https://hub.example/v1/logs/x", clock)


async def test_budgets_come_back_with_time_and_what_is_over_is_told_once(tmp_path: Path) -> None:
    clock = Clock()
    one = desk(tmp_path, clock, lines_per_second=10, burst=2, window=60, sample=1_000)
    line = Line(text="the same again", size=14)
    assert [one.give("p", [line] * 50).kept, one.give("p", [line] * 50).kept] == [20, 0]
    clock.moment += 1
    assert one.give("p", [line] * 50).kept == 10
    clock.moment += 120
    await one.settle()
    await one.settle()
    (new, over) = told(one)
    assert (new["what"], over["what"]) == ("template.new", "overflow")
    counts = over["counts"]
    assert (counts["lines"], counts["kept_lines"], counts["over_lines"]) == (150, 30, 120)
    assert (counts["bytes"], counts["kept_bytes"], counts["over_bytes"]) == (2_100, 420, 1_680)
    await one.close()


async def test_all_publishers_together_have_a_budget_too(tmp_path: Path) -> None:
    clock = Clock()
    one = desk(tmp_path, clock, lines_per_second=10, burst=1, together=2, sample=1_000)
    kept = [one.give(f"p{number}", [Line(text="x", size=1)] * 10).kept for number in range(5)]
    assert kept == [10, 10, 0, 0, 0]
    await one.close()


async def test_a_file_without_a_line_for_a_while_is_finished_and_late_lines_are_told(tmp_path: Path) -> None:
    clock = Clock()
    one = desk(tmp_path, clock, file_idle=60, window=60)
    file = File(name="a.log", build="b1")
    one.give("p", [Line(text="x", size=1, file=file, severity="error")] * 3)
    clock.moment += 61
    await one.settle()
    one.give("p", [Line(text="x", size=1, file=file)] * 2)
    clock.moment += 120
    await one.settle()
    digests = {digest["what"]: digest for digest in told(one)}
    assert digests["file.processed"]["lines"] == 3
    assert digests["file.processed"]["severities"] == {"error": 3}
    assert digests["overflow"]["counts"]["late"] == 2
    assert len([digest for digest in told(one) if digest["what"] == "file.processed"]) == 1
    await one.close()


async def test_a_template_of_a_build_that_passed_is_not_told(tmp_path: Path) -> None:
    one = desk(tmp_path, Clock())
    passed = File(name="a.log", build="b1", outcome="success")
    one.give("p", [Line(text="harmless warning about nothing", size=1, file=passed)])
    one.give("p", [Line(text="harmless warning about nothing", size=1), Line(text="never before", size=1)])
    await one.settle()
    assert [digest["example"] for digest in told(one)] == ["never before"]
    await one.close()


async def test_new_templates_beyond_the_allowance_are_counted(tmp_path: Path) -> None:
    clock = Clock()
    one = desk(tmp_path, clock, announce=2, window=60)
    one.give("p", [Line(text=" ".join([word] * 4), size=1) for word in ("ada", "ben", "cyd", "dan", "eve")])
    clock.moment += 120
    await one.settle()
    kinds = [digest["what"] for digest in told(one)]
    assert kinds == ["template.new", "template.new", "overflow"]
    assert told(one)[-1]["counts"]["unannounced"] == 3
    await one.close()


async def test_a_commit_that_was_broken_off_is_written_when_the_desk_closes(tmp_path: Path) -> None:
    clock = Clock()
    one = desk(tmp_path, clock)
    one.give("p", [Line(text="x", size=1)] * 5)
    crew = Crew()
    settling = crew.start("settle", one.settle())
    await asyncio.sleep(0)
    settling.cancel()
    one.give("p", [Line(text="y", size=1)])
    await one.close()
    again = Book(tmp_path / "x.sqlite", clock())
    assert again.span() == (1, 6, 6)
    assert sum(tally.lines for tally in again.open().spans.values()) == 6
    again.close()
