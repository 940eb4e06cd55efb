"""Names for what has only an icon, one icon for one thing, long logins on a phone, and a start that cannot be read."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect
from tests.pages.conftest import visit
from tests.pages.stage import Stage
from tests.pages.test_live import ROWS, planned


async def test_the_rail_of_icons_has_names_and_tips(stage: Stage, browser: Browser) -> None:
    context = await browser.new_context(viewport={"width": 820, "height": 1100})
    page = await context.new_page()
    await visit(page, stage, "/")
    brand = page.locator(".rail-head")
    await expect(brand).to_have_accessible_name("Firehose OpenStack infra")
    wide = await brand.evaluate("one => one.scrollWidth <= one.clientWidth")
    assert wide, "the name is not to be seen"
    tips = await page.locator(".rooms a").evaluate_all("all => all.map(one => one.title)")
    assert tips == ["Live (G L)", "Search (G S)", "Sources (G O)", "Notify (G N)", "Connect (G C)"]
    await context.close()


@pytest.mark.parametrize(("scheme", "shown"), [("light", "to-dark"), ("dark", "to-light")])
async def test_more_shows_moon_or_sun(stage: Stage, browser: Browser, scheme: str, shown: str) -> None:
    context = await browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)  # type: ignore[arg-type]
    page = await context.new_page()
    await visit(page, stage, "/")
    await page.get_by_role("button", name="More").click()
    icons = page.locator("#more [data-theme-toggle] .icon")
    seen = "all => all.filter(one => one.getClientRects().length).map(one => one.classList[1])"
    assert await icons.evaluate_all(seen) == [shown]
    await context.close()


async def test_a_long_login_leaves_kind_and_time_alone_on_a_phone(stage: Stage, browser: Browser) -> None:
    context = await browser.new_context(viewport={"width": 390, "height": 844})
    page = await context.new_page()
    await visit(page, stage, "/")
    for name, actor in (("short", "amara"), ("long", "a-login-of-somebody-with-a-very-long-name-indeed")):
        await stage.play("gerrit", planned(name, actor=actor))
        await expect(page.locator(ROWS).first).to_contain_text(f"Change {name} merged")
    boxes = [await page.locator(ROWS).nth(at).locator(".t").bounding_box() for at in (0, 1)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert abs(boxes[0]["x"] - boxes[1]["x"]) < 1
    first = page.locator(ROWS).first
    assert await first.locator(".kind").evaluate("one => one.scrollWidth <= one.clientWidth")
    project, login = await first.locator(".proj").bounding_box(), await first.locator(".who").bounding_box()
    assert project is not None
    assert login is not None
    assert project["x"] + project["width"] <= login["x"]
    await context.close()


async def test_a_start_that_cannot_be_read_is_told(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/connect?since=yesterdayy")
    await expect(page.get_by_role("alert").filter(has_text="yesterdayy")).to_be_visible()
    await expect(page.locator("#how-curl pre")).not_to_contain_text("since")
    await visit(page, stage, "/connect?since=2h")
    await expect(page.locator("#how-curl pre")).to_contain_text("since=2h")
    await expect(page.get_by_role("group", name="Start").locator("[aria-current]")).to_have_text("2h")


async def test_the_last_event_is_told_as_a_sentence(stage: Stage, page: Page) -> None:
    last = await stage.play("gerrit", planned("new"))
    assert await stage.reader.wait(last, 30)
    await visit(page, stage, "/connect")
    await expect(page.locator(".query-say")).to_contain_text("the last one ")


async def test_the_button_stands_beside_its_field_also_with_an_error(stage: Stage, page: Page) -> None:
    await stage.trouble()
    await visit(page, stage, "/sources")
    await page.fill("#token", "not-a-token")
    button = page.get_by_role("button", name="Open the quarantine")
    await button.click()
    await expect(page.locator("#token-wrong")).to_be_visible()
    field, beside = await page.locator("#token").bounding_box(), await button.bounding_box()
    assert field is not None
    assert beside is not None
    assert abs(field["y"] - beside["y"]) < 1
