"""Chips, facets and "only this kind": they narrow down the whole query, whatever it is, and go along to other rooms."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Browser, Locator, Page, expect
from tests.pages.conftest import visit
from tests.pages.stage import Planned, Stage
from tests.pages.test_live import ROWS, planned

from firehose.plumbing.clock import now
from firehose.query.tree import Is

SOURCES = "rows => [...new Set(rows.map(row => row.dataset.source))]"


async def followed(stage: Stage, page: Page) -> str:
    """The page of an event, then its change followed; the query that this made."""
    found = await stage.reader.find(Is("kind", "change.merged"), limit=1)
    await visit(page, stage, f"/events/{found.events[0].sequence}")
    await page.locator("[data-follow]").click()
    await page.wait_for_url("**/?q=subject**")
    await page.wait_for_selector('html[data-ready="live"]', state="attached")
    return await page.locator("[name=q]").input_value()


async def test_a_chip_leaves_its_family_out_of_all_of_a_query_with_or(stage: Stage, page: Page) -> None:
    query = await followed(stage, page)
    assert " OR " in query
    assert {"gerrit", "zuul"} <= set(await page.locator(ROWS).evaluate_all(SOURCES))
    chip = page.locator('.chip[data-f="review"]')
    await chip.click()
    await expect(page.locator("[name=q]")).to_have_value(f"({query}) -source:gerrit")
    await expect(chip).to_have_attribute("aria-pressed", "false")
    left = await page.locator(ROWS).evaluate_all(SOURCES)
    assert "zuul" in left
    assert "gerrit" not in left
    await chip.click()
    await expect(page.locator("[name=q]")).to_have_value(f"({query})")
    await expect(chip).to_have_attribute("aria-pressed", "true")


async def test_only_this_kind_holds_for_all_of_a_query_with_or(stage: Stage, page: Page) -> None:
    query = await followed(stage, page)
    await page.keyboard.press("j")
    kind = await page.locator(f'{ROWS}[aria-current="true"]').get_attribute("data-kind")
    await page.get_by_role("button", name="Only this kind").click()
    await expect(page.locator("[name=q]")).to_have_value(f"({query}) kind:{kind}")
    assert await page.locator(ROWS).evaluate_all("rows => [...new Set(rows.map(row => row.dataset.kind))]") == [kind]


async def test_a_chip_leaves_a_phrase_in_one_piece(stage: Stage, page: Page) -> None:
    await visit(page, stage, '/?q="live  migration"')
    await page.locator('.chip[data-f="ci"]').click()
    await expect(page.locator("[name=q]")).to_have_value('"live  migration" -source:zuul')


async def test_a_chip_is_off_only_where_its_family_is_left_out_of_everything(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/?q=kind:change.merged OR kind:change.created -source:gerrit")
    await expect(page.locator('.chip[data-f="review"]')).to_have_attribute("aria-pressed", "true")
    await visit(page, stage, "/?q=NOT source:gerrit")
    await expect(page.locator('.chip[data-f="review"]')).to_have_attribute("aria-pressed", "false")


async def asked_by(link: Locator) -> list[str]:
    return parse_qs(urlsplit(await link.get_attribute("href") or "").query).get("q", [])


@pytest.mark.parametrize(
    ("address", "query"),
    [
        ("/search?source=gerrit", "source:gerrit"),
        ("/search?q=a OR migration&source=gerrit&source=zuul", "(a OR migration) (source:gerrit OR source:zuul)"),
        ("/search?q=migration", "migration"),
    ],
)
async def test_ticked_facets_go_along_to_other_rooms(stage: Stage, page: Page, address: str, query: str) -> None:
    await visit(page, stage, address)
    assert await asked_by(page.get_by_role("link", name="Follow live")) == [query]
    assert await asked_by(page.get_by_role("link", name="Notify me")) == [query]
    assert await asked_by(page.locator("[data-follow-as]")) == [query]


async def test_the_sentence_tells_the_ticked_facets_also_while_somebody_types(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/search?source=gerrit")
    say = page.locator("[data-say]")
    await expect(say).to_have_text("Events from gerrit.")
    await page.locator("[name=q]").fill("migration")
    await expect(say).to_contain_text("migration")
    await expect(say).to_contain_text("gerrit")


async def test_what_is_waited_for_live_has_the_facets(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/search?q=nosuchword&source=gerrit")
    assert await asked_by(page.get_by_role("link", name="Wait for it live")) == ["nosuchword source:gerrit"]


async def test_a_wrong_query_has_no_sentence_of_another_one(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/search?q=source:gerrit")
    await expect(page.locator("[data-say]")).to_have_text("Events from gerrit.")
    await page.locator("[data-query] [name=q]").fill("projcet:x")
    await page.keyboard.press("Enter")
    await expect(page.locator("#query-error")).to_contain_text("there is no field")
    await expect(page.locator("[data-say]")).to_have_text("")


async def many(stage: Stage, count: int) -> None:
    """Events of today, each in a project of its own."""
    last = 0
    for at in range(count):
        last = await stage.play("gerrit", planned(f"p{at}", project=f"demo/p{at:02d}", kind="change.noted"))
    assert await stage.reader.wait(last, 30)


async def test_further_values_of_a_facet_are_shown_and_ticked(stage: Stage, page: Page) -> None:
    await many(stage, 58)
    await visit(page, stage, "/search?kind=change.noted")
    projects = page.locator(".facet", has_text="Project")
    await expect(projects.locator("input:visible")).to_have_count(6)
    await projects.get_by_text("52 more").click()
    await expect(projects.locator("input:visible")).to_have_count(56)
    await expect(projects.get_by_text("2 rarer ones")).to_be_visible()
    box = projects.locator("input:visible").nth(20)
    value = await box.get_attribute("value")
    await box.press("Space")
    await page.wait_for_url("**project=demo**")
    await expect(page.locator(f'.facet input[value="{value}"]')).to_be_focused()


async def test_a_day_says_how_many_it_has_and_not_how_many_are_on_the_page(stage: Stage, page: Page) -> None:
    await many(stage, 58)
    await visit(page, stage, "/search?kind=change.noted&order=asc")
    assert await page.locator(ROWS).count() == 50
    lines = page.locator("[data-rows] .mark-row")
    await expect(lines.first).to_contain_text("58 events")
    await page.locator("[data-older]").click()
    await page.wait_for_url("**cursor=**")
    await expect(lines.first).to_contain_text("58 events")


async def test_facets_fold_where_they_stand_above_the_results(stage: Stage, browser: Browser) -> None:
    context = await browser.new_context(viewport={"width": 820, "height": 1100})
    page = await context.new_page()
    await visit(page, stage, "/search")
    first = await page.locator(ROWS).first.bounding_box()
    assert first is not None
    assert first["y"] < 1100
    await expect(page.get_by_role("checkbox", name="gerrit")).to_be_hidden()
    await page.get_by_role("button", name="Narrow down").click()
    await page.get_by_role("checkbox", name="gerrit").press("Space")
    await page.wait_for_url("**source=gerrit**")
    # They stay unfolded, and the focus stays where it was.
    await expect(page.get_by_role("checkbox", name="gerrit")).to_be_focused()
    await page.set_viewport_size({"width": 1200, "height": 900})
    await expect(page.get_by_role("button", name="Narrow down")).to_be_hidden()
    await context.close()


async def test_facets_are_there_without_scripts(stage: Stage, browser: Browser) -> None:
    context = await browser.new_context(java_script_enabled=False, viewport={"width": 820, "height": 1100})
    page = await context.new_page()
    await page.goto(stage.url + "/search")
    await expect(page.get_by_role("checkbox", name="gerrit")).to_be_visible()
    await context.close()


async def test_the_rate_is_of_the_hour_that_the_strip_shows(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/?q=kind:hour.shown")
    await expect(page.locator("[data-rate]")).to_contain_text("0/h")
    last, some_time_ago = 0, now() - timedelta(minutes=20)
    for at in range(30):
        plan = Planned(id=f"h{at}", kind="hour.shown", subject=f"h/{at}", time=some_time_ago)
        last = await stage.play("gerrit", plan)
    assert await stage.reader.wait(last, 30)
    await page.reload()
    # Up to a minute of the hour has not been yet.
    await expect(page.locator("[data-rate]")).to_contain_text(re.compile("3[01]/h"))
