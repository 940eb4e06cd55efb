"""The Live page in a browser: rows arrive, wait, come back after a break, and say so."""

from __future__ import annotations

from playwright.async_api import Page, expect
from tests.pages.conftest import visit
from tests.pages.stage import Planned, Stage

from firehose.plumbing.clock import now

ROWS = "[data-rows] .ev"


def planned(name: str, **more: object) -> Planned:
    given = {"kind": "change.merged", "subject": f"demo/one~{name}", "project": "demo/one", "outcome": "success"}
    return Planned(id=name, time=now(), summary=f"Change {name} merged", **{**given, **more})  # type: ignore[arg-type]


async def test_new_events_arrive_on_top(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/")
    shown = await page.locator(ROWS).count()
    assert 50 < shown <= 200
    sequence = await stage.play("gerrit", planned("one"))
    first = page.locator(ROWS).first
    await expect(first).to_contain_text("Change one merged")
    assert await first.get_attribute("data-seq") == str(sequence)


async def test_a_live_row_is_the_same_as_one_from_the_server(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/")
    last = await stage.play(
        "zuul", planned("<b>&'\"", kind="taskrun.finished", outcome="failure", actor="zuul", refs=("a~1", "b/2"))
    )
    live = page.locator(f'{ROWS}[data-seq="{last}"]')
    await expect(live).to_be_visible()
    shape = """row => {
        const copy = row.cloneNode(true);
        copy.classList.remove('new');
        copy.tabIndex = -1;
        return copy.outerHTML;
    }"""
    written = await live.evaluate(shape)
    await page.reload()
    await page.wait_for_selector("html[data-ready]", state="attached")
    assert await page.locator(f'{ROWS}[data-seq="{last}"]').evaluate(shape) == written


async def test_rows_wait_while_one_is_looked_at(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/")
    await page.keyboard.press("j")
    focused = page.locator(f'{ROWS}[aria-current="true"]')
    before = await focused.get_attribute("data-seq")
    await expect(page.locator("[data-inspector] h2")).not_to_be_empty()
    await stage.play("gerrit", planned("two"))
    await stage.play("zuul", planned("three", outcome="failure"))
    bar = page.locator("[data-newbar]")
    await expect(bar).to_contain_text("2 new events")
    await expect(bar).to_contain_text("1 failure")
    assert await focused.get_attribute("data-seq") == before
    await page.keyboard.press(".")
    await expect(page.locator(ROWS).first).to_contain_text("Change three merged")
    await expect(bar).to_be_hidden()


async def test_a_pause_holds_and_says_so(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/")
    await page.keyboard.press("Space")
    await expect(page.locator('[data-banner="paused"]')).to_contain_text("Nothing waits yet")
    await stage.play("gerrit", planned("four"))
    await expect(page.locator('[data-banner="paused"]')).to_contain_text("1 event waits")
    assert "Change four" not in await page.locator(ROWS).first.inner_text()
    await page.get_by_role("button", name="Go on").first.click()
    await expect(page.locator(ROWS).first).to_contain_text("Change four merged")


async def test_a_break_is_told_and_nothing_is_missing(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/")
    await stage.play("gerrit", planned("before"))
    await expect(page.locator(ROWS).first).to_contain_text("Change before merged")
    await stage.close_doors()
    banner = page.locator('[data-banner="lost"]')
    await expect(banner).to_contain_text("nothing is lost")
    for name in ("m1", "m2", "m3"):
        await stage.play("gerrit", planned(name))
    await stage.open_doors()
    await expect(page.locator('[data-banner="back"]')).to_contain_text("3 events came in meanwhile")
    await expect(banner).to_be_hidden()
    await expect(page.locator(".mark-row.gap")).to_contain_text("3 events in between are above")
    texts = await page.locator(f"{ROWS} .sum").all_inner_texts()
    assert texts[:4] == ["Change m3 merged", "Change m2 merged", "Change m1 merged", "Change before merged"]


async def test_where_the_reader_left_is_marked(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/")
    await visit(page, stage, "/connect")
    await stage.play("gerrit", planned("away"))
    await visit(page, stage, "/")
    seam = page.locator(".mark-row.seam")
    await expect(seam).to_contain_text("1 event since, none missing")


async def test_a_wrong_query_shows_its_place(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/")
    await page.keyboard.press("/")
    await page.keyboard.type("kind:change.merged projcet:demo/one")
    await page.keyboard.press("Enter")
    error = page.locator("#query-error")
    await expect(error).to_contain_text("there is no field 'projcet'")
    marks = await error.locator("pre").inner_text()
    assert marks.rstrip() == " " * 19 + "^" * 7
    await expect(page.locator(".ink .q-err").first).to_have_text("projcet")
    await error.get_by_role("button", name="Change it").click()
    await expect(page.locator("[name=q]")).to_have_value("kind:change.merged project:demo/one")
    await expect(error).to_be_hidden()
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-say]")).to_contain_text("demo/one")
    assert "projct" not in page.url
    await page.wait_for_url("**/?q=kind%3Achange.merged+project%3Ademo%2Fone")


async def test_fields_and_values_complete(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/")
    await page.keyboard.press("/")
    await page.keyboard.type("sou")
    await expect(page.locator("#complete .opt").first).to_contain_text("source:")
    await page.keyboard.press("Tab")
    await page.keyboard.type("ger")
    await expect(page.locator("#complete .opt").first).to_contain_text("gerrit")
    await page.keyboard.press("Tab")
    await expect(page.locator("[name=q]")).to_have_value("source:gerrit ")


async def test_chips_write_into_the_query(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/")
    await page.locator('.chip[data-f="ci"]').click()
    await expect(page.locator('.chip[data-f="ci"]')).to_have_attribute("aria-pressed", "false")
    await expect(page.locator("[name=q]")).to_have_value("-source:zuul")
    assert await page.locator(f'{ROWS}[data-source="zuul"]').count() == 0
    await stage.play("zuul", planned("unseen", kind="taskrun.finished"))
    await stage.play("gerrit", planned("seen"))
    await expect(page.locator(ROWS).first).to_contain_text("Change seen merged")


async def test_a_flood_is_batched_and_capped(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/")
    for at in range(600):
        await stage.play(
            "zuul",
            planned(
                f"f{at}",
                kind="taskrun.finished",
                refs=(f"demo/one~{at // 20}",),
                outcome="failure" if at % 20 == 3 else "success",
            ),
        )
    await expect(page.locator(f"{ROWS}.batch").first).to_be_visible()
    await expect(page.locator("[data-head]")).to_contain_text(" ")
    assert await page.locator("[data-rows] > li").count() <= 500
    batch = page.locator(f"{ROWS}.batch").first
    await batch.locator(".exp").click()
    await expect(page.locator(f"{ROWS}.child").first).to_be_visible()


async def test_the_palette_jumps(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/")
    sequence = await stage.play("gerrit", planned("71077"))
    assert await stage.reader.wait(sequence, 10)
    await page.keyboard.press("Control+k")
    await page.keyboard.type("71077")
    await expect(page.locator("#palette .opt").first).to_contain_text("Change 71077 merged")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/events/{sequence}")
    await page.wait_for_selector("html[data-ready]", state="attached")
    await page.keyboard.press("g")
    await page.keyboard.press("s")
    await page.wait_for_url("**/search")


async def test_keys_are_explained_and_focus_comes_back(stage: Stage, page: Page) -> None:
    await visit(page, stage, "/")
    await page.keyboard.press("?")
    await expect(page.locator("#keys")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#keys")).to_be_hidden()
