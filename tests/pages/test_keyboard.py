"""Without a mouse: completions of what was seen, the order of focus, palette, saved views, and no motion on wish."""

from __future__ import annotations

from itertools import groupby

import pytest
from playwright.async_api import Browser, Page, expect
from tests.pages.conftest import visit
from tests.pages.stage import Stage

PLACES = """() => {
    const at = document.activeElement;
    const places = { skip: '.skip', rail: '.rail', bar: '.topbar', query: 'form[data-query], .live-bar .top',
        chips: '[data-chips]', list: '[data-rows]', older: '[data-older]', inspector: '[data-inspector]' };
    return Object.keys(places).find(name => at.closest(places[name])) || at.tagName;
}"""


@pytest.mark.parametrize(
    ("typed", "text", "taken"),
    [
        ("kind:mer", "change.merged", "kind:change.merged "),
        ("project:nov", "openstack/nova", "project:openstack/nova "),
        ("source:sto", "storyboard", "source:storyboard "),
        ("outcome:fai", "failure", "outcome:failure "),
    ],
)
async def test_values_that_were_seen_complete_with_how_often(
    stage: Stage, page: Page, typed: str, text: str, taken: str
) -> None:
    await visit(page, stage, "/search")
    await page.keyboard.press("/")
    await page.keyboard.press("Delete")
    await page.keyboard.type(typed)
    option = page.locator("#complete .opt").first
    await expect(option).to_contain_text(text)
    if not typed.startswith("outcome"):
        await expect(option).to_contain_text("this week")
    box = page.locator("[name=q]")
    assert await box.get_attribute("aria-activedescendant") == await option.get_attribute("id")
    await page.keyboard.press("Tab")
    await expect(box).to_have_value(taken)
    await expect(box).to_have_attribute("aria-expanded", "false")


async def test_the_focus_goes_from_the_skip_link_to_the_list(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/")
    stops = []
    for _ in range(40):
        await page.keyboard.press("Tab")
        stops.append(await page.evaluate(PLACES))
        if stops[-1] == "list":
            break
    assert [place for place, _ in groupby(stops)] == ["skip", "rail", "bar", "query", "chips", "list"]
    first = page.locator("[data-rows] .ev").first
    await expect(first).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await expect(page.locator("[data-rows] .ev").nth(1)).to_be_focused()
    assert await page.locator('[data-rows] .ev[tabindex="0"]').count() == 1


async def test_the_palette_offers_rooms_commands_and_values_and_gives_the_focus_back(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/")
    opener = page.locator(".jump")
    await opener.focus()
    await page.keyboard.press("Enter")
    options = page.locator("#palette .opt")
    texts = " ".join(await options.all_inner_texts())
    for word in (
        "Pause or go on",
        "Go to Search",
        "Go to Sources",
        "Go to Connect",
        "Save this view",
        "Follow this query",
    ):
        assert word in texts
    await page.keyboard.type("keystone")
    await expect(options.filter(has_text="project,").first).to_contain_text("openstack/keystone")
    for _ in range(3):
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.querySelector('#palette').contains(document.activeElement)")
    await page.keyboard.press("Escape")
    await expect(opener).to_be_focused()


async def test_views_are_saved_shown_and_forgotten(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/search?q=outcome:failure&since=24h")
    await page.locator(".head [data-save-view]").click()
    await page.locator("#view-name").fill("What failed today")
    await page.keyboard.press("Enter")
    await visit(page, stage, "/")
    view = page.locator("[data-views] .item")
    await expect(view).to_have_text("What failed today")
    await view.click()
    await page.wait_for_url("**/search?q=outcome:failure&since=24h")
    await page.wait_for_selector("html[data-ready]", state="attached")
    await expect(page.locator("[data-views] .item")).to_have_attribute("aria-current", "true")
    await page.locator(".head [data-save-view]").click()
    await expect(page.locator("[data-views] .item")).to_have_count(0)
    await page.locator("[data-toasts] .btn").click()
    await expect(page.locator("[data-views] .item")).to_have_count(1)


async def test_nothing_moves_for_those_who_want_no_motion(stage: Stage, browser: Browser) -> None:
    context = await browser.new_context(reduced_motion="reduce", viewport={"width": 1440, "height": 900})
    page = await context.new_page()
    for path in ("/", "/search", "/events/40", "/sources"):
        await visit(page, stage, path)
        moving = await page.evaluate(
            "document.getAnimations().filter(one => one.effect.getComputedTiming().duration > 20).length"
        )
        assert moving == 0, path
    await context.close()
