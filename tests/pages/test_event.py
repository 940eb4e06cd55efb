"""The event page: its picture, its list and its payload, with unkind texts and in every width."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from playwright.async_api import Browser, Page, expect
from tests.pages.conftest import visit
from tests.pages.stage import Planned, Stage

from firehose.event import Envelope, Recorded
from firehose.plumbing.clock import now
from firehose.query.tree import Is
from firehose.web.pages import picture
from firehose.web.pages.tree import tree

MOMENT = datetime(2016, 10, 27, 12, tzinfo=UTC)


def recorded(sequence: int, time: datetime, kind: str = "change.merged") -> Recorded:
    envelope = Envelope(
        specversion="1.0", id=str(sequence), source="https://gerrit.example.org", type="com.example.x", kind=kind,
        subject="demo/one~1", time=time, topic="events/gerrit/change/merged", summary=f"No {sequence}",
    )  # fmt: skip
    return Recorded.from_body(sequence, time, msgspec.json.encode(envelope))


async def merged(stage: Stage) -> int:
    found = await stage.reader.find(Is("kind", "change.merged"), limit=1)
    return found.events[0].sequence


def test_no_label_lies_under_the_line_of_the_present() -> None:
    events = [recorded(1, MOMENT - timedelta(hours=1)), recorded(2, MOMENT - timedelta(seconds=1))]
    drawn = picture.draw(events, 2, {"gerrit": "review"}, MOMENT)
    assert drawn is not None
    assert drawn.now_x
    labelled = [item for item in drawn.items if item.text]
    assert len(labelled) == 2
    assert all(item.text_x + len(item.text) * picture.LETTER <= drawn.now_x for item in labelled)


@pytest.mark.parametrize(
    ("length", "form"),
    [(timedelta(seconds=30), "clock"), (timedelta(minutes=30), "minute"), (timedelta(hours=30), "dated"),
     (timedelta(days=5), "day")],
)  # fmt: skip
def test_a_tick_says_how_it_is_written(length: timedelta, form: str) -> None:
    drawn = picture.draw([recorded(1, MOMENT), recorded(2, MOMENT + length)], 1, {}, MOMENT + timedelta(days=90))
    assert drawn is not None
    assert {tick.form for tick in drawn.ticks} == {form}


async def test_the_picture_turns_to_local_time_too(stage: Stage, browser: Browser) -> None:
    context = await browser.new_context(timezone_id="Asia/Kolkata", viewport={"width": 1440, "height": 900})
    page = await context.new_page()
    await visit(page, stage, f"/events/{await merged(stage)}")
    tick = page.locator("[data-tick]").first
    utc = await tick.text_content() or ""
    button = page.locator("[data-tz]")
    await button.click()
    await expect(button).to_have_text("UTC+5:30")
    await expect(tick).not_to_have_text(utc)
    moved = datetime.fromisoformat((await tick.get_attribute("data-tick") or "").replace("Z", "+00:00"))
    assert await tick.text_content() == f"{moved + timedelta(hours=5, minutes=30):%H:%M}"
    inside = await button.evaluate("one => one.scrollWidth <= one.clientWidth")
    assert inside, "the zone lies over its neighbour"
    await context.close()


@pytest.mark.parametrize("width", [660, 820, 1440])
async def test_picture_and_list_change_places_and_the_text_stays_readable(
    stage: Stage, browser: Browser, width: int
) -> None:
    context = await browser.new_context(viewport={"width": width, "height": 1000})
    page = await context.new_page()
    await visit(page, stage, f"/events/{await merged(stage)}")
    drawn, listed = page.locator(".graph"), page.locator(".timeline")
    await expect(drawn).to_be_visible()
    await expect(listed).to_be_hidden()
    shrunk = await drawn.evaluate("one => one.getBoundingClientRect().width / one.viewBox.baseVal.width")
    assert shrunk * 11 >= 11
    await page.get_by_role("button", name="List").click()
    await expect(listed).to_be_visible()
    await expect(drawn).to_be_hidden()
    await page.get_by_role("button", name="Picture").click()
    await expect(drawn).to_be_visible()
    assert await page.evaluate("document.scrollingElement.scrollWidth") <= width
    await context.close()


async def test_the_list_is_by_when_things_happened(stage: Stage, page: Page) -> None:
    begin, last = now() - timedelta(hours=2), 0
    for name, minutes in (("late", 30), ("first", 0), ("middle", 15)):
        last = await stage.play(
            "gerrit",
            Planned(id=name, kind="change.updated", subject="demo/one~9", time=begin + timedelta(minutes=minutes),
                    summary=name),
        )  # fmt: skip
    assert await stage.reader.wait(last, 30)
    await visit(page, stage, f"/events/{last}")
    await page.get_by_role("button", name="List").click()
    assert await page.locator(".timeline .tl-item b").all_inner_texts() == ["first", "middle", "late"]


async def test_a_long_word_breaks_in_the_list(stage: Stage, page: Page) -> None:
    last = await stage.play(
        "gerrit", Planned(id="long", kind="change.updated", subject="demo/one~8", time=now(), summary="A" * 400)
    )
    assert await stage.reader.wait(last, 30)
    await visit(page, stage, f"/events/{last}")
    text = page.locator(".timeline .txt").first
    await expect(text).to_be_visible()
    assert await text.evaluate("one => one.scrollWidth <= one.clientWidth")
    card = await page.locator("[data-graph]").bounding_box()
    word = await text.locator("b").bounding_box()
    assert card is not None
    assert word is not None
    assert word["x"] + word["width"] <= card["x"] + card["width"]


@pytest.mark.parametrize("sign", ["\u202e", "\u2066", "\u200f", "\u061c"])
def test_what_turns_the_direction_is_written_out(sign: str) -> None:
    drawn = tree({f"k{sign}": f"abc{sign}def"})
    assert sign not in drawn
    assert f"abc\\u{ord(sign):04x}def" in drawn
    assert f"k\\u{ord(sign):04x}" in drawn


async def test_a_string_keeps_its_direction_to_itself(stage: Stage, page: Page) -> None:
    last = await stage.play(
        "gerrit",
        Planned(id="rtl", kind="change.updated", subject="demo/one~7", time=now(), summary="שלום", actor="مرحبا"),
    )
    assert await stage.reader.wait(last, 30)
    await visit(page, stage, f"/events/{last}")
    string = page.locator("#payload .tok-s", has_text="שלום")
    assert await string.evaluate("one => getComputedStyle(one).unicodeBidi") == "isolate"
