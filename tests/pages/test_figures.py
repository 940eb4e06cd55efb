"""What the pages count and fold: ranges by when things happened, and many rows of one cause as one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from playwright.async_api import Page, expect
from tests.pages.conftest import visit
from tests.pages.stage import Planned, Stage

from firehose.event import Envelope, Recorded
from firehose.plumbing.clock import now
from firehose.web.pages import charts, wording
from firehose.web.pages.batches import Batch, fold
from firehose.web.pages.rows import rows

MOMENT = datetime(2016, 10, 27, 12, tzinfo=UTC)
ROWS = "[data-rows] .ev"


async def test_a_day_that_was_caught_up_on_at_once_is_seen_as_a_day(tmp_path: Path, page: Page, built: None) -> None:
    stage = Stage(tmp_path)
    await stage.start()
    begin = now() - timedelta(hours=24)
    last = 0
    for at in range(24):
        plan = Planned(
            id=f"d{at}", kind="change.merged", subject=f"a~{at}", time=begin + timedelta(hours=at, minutes=30)
        )
        last = await stage.play("gerrit", plan)
    assert await stage.reader.wait(last, 30)
    await visit(page, stage, "/search")
    bars = await page.evaluate("JSON.parse(document.querySelector('#boot').textContent).all")
    assert sum(bars) == 24
    assert max(bars) == 1
    await visit(page, stage, "/search?since=6h")
    await expect(page.locator(".histo figcaption b").first).to_have_text("6")
    assert await page.locator(ROWS).count() == 6
    await stage.close()


async def test_a_run_that_reports_all_its_builds_takes_a_row(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/")
    plans = [
        Planned(id=f"b{at}", kind="taskrun.finished", subject=f"build/{at}", time=now(), project="demo/one",
                outcome=outcome, refs=(f"build/{at}", "buildset/1", "demo/one~7"))
        for at, outcome in enumerate(("cancel", "success", "failure", "success", "success", "success"))
    ]  # fmt: skip
    for plan in plans:
        last = await stage.play("zuul", plan)
    batch = page.locator(f"{ROWS}.batch").first
    await expect(batch).to_contain_text("6 jobs of demo/one~7: 4 passed, 1 failed, 1 cancelled")
    shape = "row => { const c = row.cloneNode(true); c.classList.remove('new'); c.tabIndex = -1; return c.outerHTML; }"
    written = await batch.evaluate(shape)
    assert await stage.reader.wait(last, 30)
    await page.reload()
    await page.wait_for_selector("html[data-ready]", state="attached")
    assert await batch.evaluate(shape) == written
    assert await page.locator(f"{ROWS}.child").count() == 0
    await batch.locator(".exp").click()
    await expect(page.locator(f"{ROWS}.child")).to_have_count(6)
    await batch.locator(".exp").click()
    await expect(page.locator(f"{ROWS}.child")).to_have_count(0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (59, "59 s ago"),
        (5_400, "1 h ago"),
        (7_200, "2 h ago"),
        (7_260, "2 h ago"),
        (86_400, "24 h ago"),
    ],
)
def test_how_long_ago_is_said_in_one_unit(seconds: int, text: str) -> None:
    assert wording.ago(MOMENT - timedelta(seconds=seconds), MOMENT) == text


def test_bars_of_failures_stay_in_their_chart() -> None:
    bars = charts.spark([1, 0, 4], [3, 0, 1], 20, "a chart").bars
    assert min(bar.y for bar in bars) >= 0
    assert max(bar.height for bar in bars) == 20


def recorded(sequence: int, seconds: float, **more: str) -> Recorded:
    given = {"kind": "taskrun.finished", "subject": f"build/{sequence}", "refs": f"build/{sequence} buildset/1"}
    envelope = Envelope(
        specversion="1.0", id=str(sequence), source="https://zuul.example.org", type="org.zuul-ci.build-end",
        time=MOMENT, topic="events/zuul/taskrun/finished", **{**given, **more},
    )  # fmt: skip
    return Recorded.from_body(sequence, MOMENT + timedelta(seconds=seconds), msgspec.json.encode(envelope))


def folded(events: list[Recorded]) -> list[int]:
    return [len(one.rows) if isinstance(one, Batch) else 1 for one in fold(events, rows(events, {}))]


def test_only_what_comes_together_and_belongs_together_is_folded() -> None:
    together = [recorded(9 - at, 1 - at / 10) for at in range(4)]
    assert folded(together) == [4]
    assert folded(together[:3]) == [1, 1, 1]
    assert folded([*together[:2], recorded(5, 0.5, kind="change.merged"), *together[2:]]) == [4, 1]
    assert folded([recorded(9 - at, 10 - at * 3) for at in range(4)]) == [1, 1, 1, 1]
    assert folded([recorded(9 - at, 1, refs=f"build/{9 - at}") for at in range(4)]) == [1, 1, 1, 1]
