"""What the Live page says when it stalls or comes too late, what it does under load, on paper and on a phone."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from playwright.async_api import Browser, Page, expect
from tests.closing import Closing
from tests.pages.conftest import Complaints, visit
from tests.pages.stage import Stage
from tests.pages.test_live import ROWS, planned

RATE = 200
SECONDS = 8
WATCH = """() => {
    const watch = window.watch = { frames: 0, long: [], worst: 0, writes: 0, most: 0 };
    new PerformanceObserver(list => list.getEntries().forEach(e => watch.long.push(Math.round(e.duration))))
        .observe({ type: 'longtask' });
    let before = performance.now();
    const frame = now => { watch.frames++; watch.worst = Math.max(watch.worst, now - before); before = now;
        requestAnimationFrame(frame); };
    requestAnimationFrame(frame);
    const list = document.querySelector('[data-rows]');
    new MutationObserver(() => { watch.writes++; watch.most = Math.max(watch.most, list.children.length); })
        .observe(list, { childList: true });
}"""


COLOURS = """['color', 'backgroundColor'].map(
    name => getComputedStyle(document.body)[name].match(/[0-9]+/g).map(Number))"""


async def test_a_silent_connection_is_called_stalled(stage: Stage, page: Page) -> None:
    await page.clock.install()
    await visit(page, stage, "/")
    await expect(page.locator("[data-health-word]")).to_have_text("Live")
    await page.clock.fast_forward(31_000)
    await page.clock.run_for(1_000)
    banner = page.locator('[data-banner="stalled"]')
    await expect(banner).to_contain_text("No sign of life since")
    assert await banner.get_attribute("role") == "alert"
    await expect(page.locator("[data-health-word]")).to_have_text("Stalled")
    await stage.play("gerrit", planned("after"))
    await expect(banner).to_be_hidden()
    await page.clock.run_for(1_000)
    await expect(page.locator(ROWS).first).to_contain_text("Change after merged")
    await expect(page.locator("[data-health-word]")).to_have_text("Live")


async def test_a_cursor_that_is_too_old_is_told_with_the_oldest_that_works(
    tmp_path: Path, built: None, page: Page
) -> None:
    stage = Stage(tmp_path, ring=8)
    await stage.start()
    await stage.play("gerrit", planned("first"))
    await visit(page, stage, "/")
    await expect(page.locator(ROWS)).to_have_count(1)
    await stage.close_doors()
    await expect(page.locator('[data-banner="lost"]')).to_be_visible()
    last = 0
    for at in range(40):
        last = await stage.play("gerrit", planned(f"a{at}", subject=f"demo/one~a{at}"))
    assert await stage.reader.wait(last, 30)
    stage.store.forget(last - 10)
    await stage.open_doors()
    banner = page.locator('[data-banner="old"]')
    await expect(banner).to_contain_text("is older than the history")
    await expect(banner).to_contain_text(f"The oldest that works is {last - 10}")
    await expect(page.locator("[data-health-word]")).to_have_text("Cut off")
    assert await page.locator(ROWS).count() == 1
    await banner.get_by_role("button", name="Start there").click()
    await expect(page.locator(ROWS).first).to_contain_text("Change a39 merged")
    await expect(page.locator(".mark-row.gap").last).to_contain_text("are gone from the history")
    texts = await page.locator(f"{ROWS} .sum").all_inner_texts()
    assert texts == [*(f"Change a{at} merged" for at in range(39, 29, -1)), "Change first merged"]
    await stage.close()


async def test_two_hundred_events_a_second_are_few_writes_and_few_rows(
    stage: Stage, page: Page, closing: Closing
) -> None:
    await visit(page, stage, "/")
    await page.evaluate(WATCH)
    started, made = time.monotonic(), 0
    while made < RATE * SECONDS:
        plans = [
            planned(
                f"r{at}", kind="taskrun.finished", subject=f"build/r{at}", refs=(f"buildset/r{at // 8}",),
                outcome="failure" if at % 40 == 7 else "success",
            )
            if at % 4 else planned(f"r{at}")
            for at in range(made, made + 20)
        ]  # fmt: skip
        await asyncio.gather(*(stage.play("zuul", plan) for plan in plans))
        made += len(plans)
        await asyncio.sleep(max(0.0, started + made / RATE - time.monotonic()))
    await expect(page.locator("[data-head]")).to_contain_text(f"{stage.live.head:,}".replace(",", " "))
    last = f'{ROWS}[data-seq="{stage.live.head}"], {ROWS}.batch:has-text("r{(made - 1) // 8}")'
    await expect(page.locator(last).first).to_be_attached()
    watch = await page.evaluate("window.watch")
    took = time.monotonic() - started
    rows = await page.locator("[data-rows] > li").count()
    told = (
        f"{made} events in {took:.1f} s: {watch['writes']} writes, at most {watch['most']} rows, {rows} at the end; "
        f"{watch['frames'] / took:.0f} frames a second, the worst {watch['worst']:.0f} ms, "
        f"{len(watch['long'])} long tasks, the longest {max(watch['long'], default=0)} ms"
    )
    closing("the Live page at 200 events a second, Chromium without a graphics processor", [told])
    assert 0 < watch["writes"] <= made / 10
    assert rows <= 500
    assert watch["most"] <= 500 + RATE
    assert await page.locator(f"{ROWS}.batch").count() > 0
    # Few rows are in the page while it is busy; when it is calm, all that it keeps are there again.
    await expect(page.locator("[data-rows] > li").nth(300)).to_be_attached()
    assert await page.locator("[data-rows] > li").count() <= 500
    numbers = await page.locator(ROWS).evaluate_all("rows => rows.map(row => Number(row.dataset.seq))")
    assert len(set(numbers)) == len(numbers)


async def test_rows_are_selected_and_used_together(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/")
    bar = page.locator("[data-picks]")
    await expect(bar).to_be_hidden()
    chosen = []
    for _ in range(3):
        await page.keyboard.press("j")
        await page.keyboard.press("x")
        chosen.append(await page.locator(f'{ROWS}[aria-current="true"]').get_attribute("data-seq"))
    await expect(bar).to_contain_text("3 events selected")
    await expect(page.locator("[data-status]")).to_have_text("3 events selected")
    await page.keyboard.press("x")
    await expect(bar).to_contain_text("2 events selected")
    await stage.play("gerrit", planned("other"))
    await expect(page.locator("[data-newbar]")).to_contain_text("1 new event")
    assert await page.locator(f"{ROWS}[data-picked]").count() == 2
    await bar.get_by_role("button", name="Only these").click()
    await page.wait_for_url("**/search?**")
    await page.wait_for_selector("html[data-ready]", state="attached")
    found = await page.locator(ROWS).evaluate_all("rows => rows.map(row => row.dataset.seq)")
    assert found == sorted(filter(None, chosen[:2]), key=int, reverse=True)
    await page.keyboard.press("j")
    await page.keyboard.press("x")
    await expect(bar).to_contain_text("1 event selected")
    await page.keyboard.press("Escape")
    await expect(bar).to_be_hidden()


async def test_paper_is_light_and_holds_no_tools(stage: Stage, browser: Browser) -> None:
    context = await browser.new_context(color_scheme="dark", viewport={"width": 1280, "height": 900})
    page = await context.new_page()
    for path in ("/", "/search", "/sources", "/connect", "/events/40"):
        await visit(page, stage, path)
        await page.evaluate("document.documentElement.dataset.theme = 'dark'")
        await page.emulate_media(media="print")
        for tool in (".rail", ".topbar", ".btn", ".iconbtn", ".chips", ".inspector", "[data-picks]"):
            assert await page.locator(f"{tool}:visible").count() == 0, (path, tool)
        ink, paper = await page.evaluate(COLOURS)
        assert max(ink[:3]) < 60, path
        assert min(paper[:3]) > 240 or paper[3:] == [0], path
        stamp = page.locator("time[title]:visible").first
        if await stamp.count():
            shown = await stamp.evaluate("time => getComputedStyle(time, '::after').content")
            assert "UTC" in shown, path
        assert (await page.pdf()).startswith(b"%PDF"), path
        await page.emulate_media(media="screen")
    await context.close()


async def test_a_phone_reaches_what_a_wide_window_shows(stage: Stage, browser: Browser) -> None:
    context = await browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, reduced_motion="reduce")
    page, complaints = await context.new_page(), Complaints()
    complaints.watch(page)
    await visit(page, stage, "/?q=kind:change.merged")
    await expect(page.locator("[data-follow-as]")).to_be_visible()
    await page.get_by_role("button", name="More").click()
    sheet = page.locator("#more")
    await expect(sheet.get_by_role("link", name="Feed of this view")).to_have_attribute(
        "href", "/v1/events?format=atom&q=kind%3Achange.merged"
    )
    await sheet.get_by_role("button", name="Times in UTC").click()
    await sheet.get_by_role("button", name="Light or dark").click()
    assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
    await sheet.get_by_role("button", name="Save this view").click()
    await page.locator("#name-view").get_by_role("button", name="Save view").click()
    await page.get_by_role("button", name="More").click()
    await expect(sheet.get_by_role("link", name="kind:change.merged")).to_be_visible()
    await sheet.get_by_role("link", name="Follow as…").click()
    await page.wait_for_url("**/connect?q=kind%3Achange.merged")
    assert not complaints
    await context.close()
