"""Search, Event, Sources and Connect in a browser, every page by size and theme, and what assistive tools need."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from tests.pages.conftest import ROOT, Complaints, visit
from tests.pages.contrast import failures
from tests.pages.stage import Stage

from firehose.query.tree import Is

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
PATHS = (
    "/",
    "/search",
    "/search?q=migration",
    "/sources",
    "/connect",
    "/events/40",
    "/events/999999999",
    "/search?q=x:y",
)


async def test_facets_narrow_down_and_the_address_says_so(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/search")
    box = page.get_by_role("checkbox", name="gerrit")
    count = int((await box.locator("xpath=..").locator(".n").inner_text()).replace(",", ""))
    await box.click()
    await page.wait_for_url("**source=gerrit**")
    await expect(page.locator(".histo figcaption b").first).to_have_text(f"{count:,}")
    sources = await page.locator("[data-rows] .ev").evaluate_all(
        "rows => [...new Set(rows.map(r => r.dataset.source))]"
    )
    assert sources == ["gerrit"]
    await expect(page.get_by_role("checkbox", name="zuul")).to_be_visible()


async def test_dragging_in_the_chart_zooms(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/search?since=24h")
    over = page.locator(".plot .u-over")
    area = await over.bounding_box()
    assert area is not None
    await page.mouse.move(area["x"] + area["width"] * 0.7, area["y"] + 20)
    await page.mouse.down()
    await page.mouse.move(area["x"] + area["width"] * 0.85, area["y"] + 30, steps=4)
    await page.mouse.up()
    await page.wait_for_url("**until=**")
    await expect(page.locator("[data-zoom-out]")).to_be_visible()


async def test_older_results_follow_by_cursor(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/search")
    last = await page.locator("[data-rows] .ev").last.get_attribute("data-seq")
    await page.locator("[data-older]").click()
    await page.wait_for_url(f"**cursor=*{last}")
    assert int(await page.locator("[data-rows] .ev").first.get_attribute("data-seq") or 0) < int(last or 0)


async def test_nothing_found_says_what_next(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/search?q=nosuchword")
    await expect(page.get_by_role("heading", name="Nothing like that in this range")).to_be_visible()
    await expect(page.get_by_role("link", name="Wait for it live")).to_be_visible()


async def test_an_event_shows_its_payload_and_its_way(stage: Stage, page: Page) -> None:
    found = await stage.reader.find(Is("kind", "change.merged"), limit=1)
    event = found.events[0]
    await visit(page, stage, f"/events/{event.cursor}")
    assert page.url.endswith(f"/events/{event.sequence}")
    await expect(page.locator("h1")).to_have_text(event.envelope.summary)
    await expect(page.locator(".graph rect").first).to_be_visible()
    tree = page.locator("#payload pre.json")
    await expect(tree).to_contain_text('"kind": "change.merged"')
    await page.get_by_role("link", name="CDEvents").click()
    await expect(tree).to_contain_text('"dev.cdevents.change.merged.')
    await page.get_by_role("button", name="List").click()
    await expect(page.locator(".timeline li[aria-current]")).to_contain_text("this event")
    await page.locator("[data-follow]").click()
    await page.wait_for_url("**/?q=subject**")
    rows = page.locator("[data-rows] .ev")
    await expect(rows.first).to_be_visible()
    root = event.envelope.subject
    assert await rows.evaluate_all(
        "(rows, root) => rows.every(r => r.dataset.subject === root || r.dataset.refs.split(' ').includes(root))", root
    )


async def test_private_redacted_and_missing_look_alike(stage: Stage, page: Page) -> None:
    bodies = []
    for path in ("/events/999999", "/events/no-such-id"):
        answer = await page.goto(stage.url + path)
        assert answer is not None
        assert answer.status == 404
        bodies.append(await page.locator("main").inner_text())
    assert bodies[0] == bodies[1]


async def test_the_quarantine_is_looked_at_and_tried_again(stage: Stage, page: Page) -> None:
    await stage.trouble()
    await visit(page, stage, "/sources")
    await expect(page.locator('tr[data-source="github"] .warnc')).to_have_text("3")
    await page.fill("#token", "not-a-token")
    await page.get_by_role("button", name="Open the quarantine").click()
    await expect(page.locator("#token-wrong")).to_contain_text("firehose token create")
    await page.fill("#token", stage.tokens.create(["admin"])[0])
    await page.get_by_role("button", name="Open the quarantine").click()
    entries = page.locator("[data-entry]")
    await expect(entries).to_have_count(3)
    await entries.first.get_by_role("button", name="Look").click()
    await expect(entries.first.locator("pre")).to_contain_text('"kind": "pull_request.dequeued"')
    await entries.first.get_by_role("button", name="Try again").click()
    await expect(entries.first.locator(".again")).to_contain_text("Still not")
    await entries.first.get_by_role("button", name="Discard…").click()
    await entries.first.get_by_role("button", name="Discard it for good").click()
    await expect(entries).to_have_count(2)


async def test_examples_have_this_hubs_addresses_and_the_answer_shows(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/connect?q=kind:change.merged&since=earliest")
    await expect(page.locator("#how-curl pre")).to_contain_text(f"{stage.url}/v1/stream")
    await expect(page.locator("[data-answer]")).to_contain_text("change.merged")
    await page.get_by_role("tab", name="MQTT.js").click()
    await expect(page.locator("#how-mqttjs")).to_contain_text("events/+/change/merged/#")
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("tab", name="Feed")).to_be_focused()


async def test_times_turn_local_and_stay_so(stage: Stage, browser: Browser) -> None:
    context = await browser.new_context(timezone_id="Asia/Tokyo")
    page = await context.new_page()
    await visit(page, stage, "/search")
    time = page.locator("[data-rows] .ev time").first
    utc = await time.inner_text()
    await page.locator("[data-tz]").click()
    await expect(time).not_to_have_text(utc)
    assert (int((await time.inner_text())[:2]) - int(utc[:2])) % 24 == 9
    await page.reload()
    await page.wait_for_selector("html[data-ready]", state="attached")
    await expect(page.locator("[data-tz]")).to_have_text("UTC+9")
    await context.close()


@pytest.mark.parametrize("size", ["390x844", "320x640", "1440x900"])
async def test_no_page_scrolls_sideways_or_breaks_its_policy(stage: Stage, browser: Browser, size: str) -> None:
    width, height = map(int, size.split("x"))
    context = await browser.new_context(viewport={"width": width, "height": height}, has_touch=width < 640)
    page, complaints = await context.new_page(), Complaints()
    complaints.watch(page)
    for path in PATHS:
        await visit(page, stage, path)
        wide = await page.evaluate("document.scrollingElement.scrollWidth")
        assert wide <= width, f"{path} is {wide} wide"
    assert not complaints
    await context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_pages_hold_the_accessibility_rules(stage: Stage, browser: Browser, theme: str) -> None:
    assert AXE.exists(), "npm ci brings axe-core"
    await stage.trouble()
    context = await browser.new_context(
        color_scheme=theme, viewport={"width": 1440, "height": 900}, reduced_motion="reduce", bypass_csp=True
    )  # type: ignore[arg-type]
    page = await context.new_page()
    wrong: list[str] = []
    for path in PATHS:
        await visit(page, stage, path)
        await page.add_script_tag(content=AXE.read_text())
        found = await page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})")
        wrong += [
            f"{path}: {v['id']} {v['nodes'][0]['html'][:160]} {v['nodes'][0]['failureSummary'][:240]}"
            for v in found["violations"]
        ]
    assert not wrong, "\n".join(wrong)
    await context.close()


async def test_a_page_is_complete_without_scripts(stage: Stage, browser: Browser) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(stage.url + "/?q=source:gerrit")
    assert await page.locator("[data-rows] .ev").count() > 10
    await page.goto(stage.url + "/search?q=source:gerrit")
    await expect(page.locator(".histo rect").first).to_be_attached()
    await context.close()


async def test_every_address_on_the_pages_answers(stage: Stage, page: Page) -> None:
    seen: set[str] = set()
    for path in ("/", "/search?q=migration", "/sources", "/connect?q=outcome:failure", "/events/40"):
        await visit(page, stage, path)
        links = await page.locator("a[href]:not(svg a), link[href]").evaluate_all("all => all.map(one => one.href)")
        for address in {link.partition("#")[0] for link in links if link.startswith(stage.url)} - seen:
            seen.add(address)
            if len(seen) < 90:
                answer = await page.request.get(address)
                assert answer.status == 200, f"{address} on {path}: {answer.status}"
    assert any("format=atom" in address for address in seen)
    for address in await page.locator("[data-copy^='http']").evaluate_all("all => all.map(one => one.dataset.copy)"):
        if "/v1/stream" not in address:
            assert (await page.request.get(address)).status == 200, address


def test_colours_have_enough_contrast() -> None:
    assert failures(Path(ROOT / "src/firehose/web/static/css/tokens.css").read_text()) == []
