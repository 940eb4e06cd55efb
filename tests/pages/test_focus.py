"""Where the focus is: a list is one stop of the Tab key, and what somebody pressed gives the focus on, not away."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect
from tests.pages.conftest import visit
from tests.pages.stage import Stage
from tests.pages.test_live import ROWS, planned

STOPS = """() => [...document.querySelectorAll('[data-rows] *')]
    .filter(one => one.tabIndex >= 0 && one.getClientRects().length).map(one => one.className || one.tagName)"""


@pytest.mark.parametrize("path", ["/", "/search", "/search?q=migration"])
async def test_a_list_is_one_stop(stage: Stage, page: Page, path: str) -> None:
    await visit(page, stage, path)
    assert await page.locator(ROWS).count() > 20
    stops = await page.evaluate(STOPS)
    assert len(stops) == 1, stops
    assert stops[0].startswith("ev")
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.closest('[data-rows]')") is None


async def test_a_live_row_is_no_stop_of_its_own(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/")
    await stage.play("gerrit", planned("one"))
    await expect(page.locator(ROWS).first).to_contain_text("Change one merged")
    assert len(await page.evaluate(STOPS)) == 1
    await page.locator(ROWS).first.get_by_role("link").click()
    await page.wait_for_url("**/events/*")


async def test_a_list_keeps_its_stop_when_that_row_has_left(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/")
    was = await page.locator(f'{ROWS}[tabindex="0"]').get_attribute("data-seq")
    for at in range(560):
        await stage.play("gerrit", planned(f"o{at}", subject=f"demo/one~o{at}"))
    await expect(page.locator(f'{ROWS}[data-seq="{was}"]')).to_have_count(0)
    await expect(page.locator(ROWS).first).to_contain_text("o559")
    await expect(page.locator(f'{ROWS}[tabindex="0"]')).to_have_count(1)


async def test_links_of_rows_are_stops_without_scripts(stage: Stage, browser: Browser) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    for path in ("/", "/search"):
        await page.goto(stage.url + path)
        link = page.locator(f"{ROWS} .sum a").nth(3)
        await expect(link).to_be_visible()
        assert await link.get_attribute("tabindex") is None
    await context.close()


async def test_a_chip_keeps_the_focus_through_the_page_that_it_makes(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/")
    chip = page.locator('.chip[data-f="ci"]')
    for pressed in ("false", "true"):
        await chip.press("Enter")
        await expect(chip).to_have_attribute("aria-pressed", pressed)
        await expect(chip).to_be_focused()


async def test_a_new_query_leaves_the_focus_in_the_page(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/")
    await page.locator("[name=q]").fill("source:gerrit")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/?q=source%3Agerrit")
    await page.wait_for_selector("html[data-ready]", state="attached")
    await expect(page.locator("#main")).to_be_focused()
    await page.keyboard.press("j")
    await expect(page.locator(ROWS).first).to_be_focused()


async def test_the_quarantine_hands_the_focus_on_and_counts_what_is_left(stage: Stage, page: Page) -> None:
    await stage.trouble()
    await visit(page, stage, "/sources")
    token = page.locator("#token")
    await token.fill("not-a-token")
    await token.press("Enter")
    await expect(page.locator("#token-wrong")).to_be_visible()
    await expect(token).to_be_focused()
    await token.fill(stage.tokens.create(["admin"])[0])
    await token.press("Enter")
    entries, fact, heading = page.locator("[data-entry]"), page.locator("[data-q-fact]"), page.locator("#qh")
    await expect(entries).to_have_count(3)
    await expect(heading).to_be_focused()
    await expect(fact).to_contain_text("3 deliveries")
    for left in (2, 1, 0):
        number = await entries.last.get_attribute("data-entry")
        button = entries.last.locator('[data-do="discard"]')
        await button.press("Enter")
        await expect(button).to_have_text("Discard it for good")
        await button.press("Enter")
        await expect(page.locator(f'[data-entry="{number}"]')).to_have_count(0)
        await expect(fact).to_contain_text({2: "2 deliveries", 1: "1 delivery.", 0: "Empty."}[left])
        await expect(entries.last.locator('[data-do="look"]') if left else heading).to_be_focused()


async def test_looking_and_a_try_that_fails_leave_the_focus_at_their_button(stage: Stage, page: Page) -> None:
    await stage.trouble()
    await visit(page, stage, "/sources")
    await page.locator("#token").fill(stage.tokens.create(["admin"])[0])
    await page.locator("#token").press("Enter")
    first = page.locator("[data-entry]").first
    look, retry = first.locator('[data-do="look"]'), first.locator('[data-do="retry"]')
    await look.press("Enter")
    await expect(first.locator("pre")).to_be_visible()
    await expect(look).to_be_focused()
    await retry.press("Enter")
    await expect(first.locator(".again")).to_be_visible()
    await expect(retry).to_be_focused()
