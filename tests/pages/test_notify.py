"""Notify in a browser: signing in, a rule tried before it is kept, mistakes, places, links, and this browser itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

import pytest
from playwright.async_api import Browser, Page, expect
from tests.pages.conftest import Complaints, visit
from tests.pages.stage import Planned, Stage
from tests.pages.test_rooms import AXE

from firehose.notify.rules import Draft
from firehose.plumbing.clock import now


async def sign_in(page: Page, stage: Stage, name: str = "amara") -> None:
    token, _ = stage.tokens.create([f"person:{name}"])
    await visit(page, stage, "/notify")
    await page.get_by_label("Your token").fill(token)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/notify?said=hello")
    await page.wait_for_selector("html[data-ready]", state="attached")


async def merged(stage: Stage, serial: str, **more: object) -> int:
    given: dict[str, object] = {
        "id": serial,
        "kind": "change.merged",
        "subject": f"openstack/nova~{serial}",
        "time": now(),
        "project": "openstack/nova",
        "actor": "hberg",
        "summary": f"Merged {serial}",
        **more,
    }
    return await stage.play("gerrit", Planned(**given))


async def test_who_is_not_signed_in_sees_what_rules_would_tell_and_a_wrong_token_says_so(
    stage: Stage, page: Page
) -> None:
    await visit(page, stage, "/notify")
    await expect(page.locator(".rail [aria-current=page]")).to_have_text("Notify")
    merges = page.locator(".starters li", has_text="What merges")
    assert int(await merges.locator("b.num").inner_text()) > 0
    await page.get_by_label("Your token").fill("fht_nonsense")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert").first).to_contain_text("no token of a person")


async def test_a_rule_is_tried_kept_tells_and_its_link_lessens(stage: Stage, page: Page) -> None:
    await sign_in(page, stage)
    await page.locator("#starters li", has_text="What merges").get_by_role("link", name="Use it").click()
    await page.wait_for_selector("html[data-ready]", state="attached")
    await expect(page.locator(".big")).to_contain_text("Would have told you")
    await page.get_by_label("How often").select_option("now")
    await page.get_by_label("But not").fill("actor:nobody")
    await page.get_by_role("button", name="Try on history").click()
    await expect(page.locator(".badge[data-changed]")).to_be_visible()
    assert await page.locator(".drydays li").count() == 8
    await page.get_by_role("button", name="Save rule").click()
    await expect(page.get_by_role("status").first).to_contain_text("watches from now on")
    assert stage.office is not None
    (rule,) = (await stage.office.desk.kept("amara")).rules
    assert (rule.title, rule.when, rule.exclude) == ("What merges", "now", "actor:nobody")
    await merged(stage, "n1")
    await merged(stage, "n2", actor="amara")
    await expect(page.locator("a", has_text="Merged n1")).to_have_count(0)
    while not await stage.office.desk.told("amara"):
        await page.wait_for_timeout(100)
    await visit(page, stage, "/notify")
    row = page.locator("[data-browser] .list li", has_text="Merged n1")
    await expect(row).to_be_visible()
    await expect(page.locator("[data-browser] .list li", has_text="Merged n2")).to_have_count(0)
    await row.get_by_role("link", name="why").click()
    await expect(page.get_by_role("heading", name="Why did I get this")).to_be_visible()
    await page.get_by_role("button", name="Mute this thread").click()
    await expect(page.get_by_role("status").first).to_contain_text("nothing more of this thread")
    await page.get_by_role("button", name="Stop").click()
    await expect(page.get_by_role("heading", name="Stopped")).to_be_visible()
    kept = await stage.office.desk.kept("amara")
    assert [mute.subject for mute in kept.mutes] == ["openstack/nova~n1"]
    assert [one.on for one in kept.rules] == [False]


async def test_mistakes_stand_at_their_fields_and_what_was_written_stays(stage: Stage, page: Page) -> None:
    await sign_in(page, stage)
    await visit(page, stage, "/notify?rule=new")
    await expect(page.get_by_text("Not tried yet")).to_be_visible()
    await page.get_by_label("Title").fill("Broken")
    await page.locator("#q").fill("kind:(")
    await page.get_by_role("button", name="Save rule").click()
    await expect(page.locator(".field[data-state=error] .wrong")).to_contain_text("must follow")
    await expect(page.locator("#q")).to_have_value("kind:(")
    await page.get_by_label("Time zone").fill("Mars/Olympus")
    await page.get_by_role("button", name="Keep", exact=True).first.click()
    await expect(page.locator("#you .wrong")).to_contain_text("no time zone")
    await expect(page.get_by_label("Time zone")).to_have_value("Mars/Olympus")
    await page.get_by_label("Address, nick or URL").fill("ftp://example.org")
    await page.get_by_role("button", name="Add place").click()
    await expect(page.locator("#places .wrong")).to_contain_text("http or https")


async def test_it_works_by_keys_and_the_palette_leads_there(stage: Stage, page: Page) -> None:
    await sign_in(page, stage)
    await visit(page, stage, "/")
    await page.keyboard.press("g")
    await page.keyboard.press("n")
    await page.wait_for_url("**/notify")
    await page.wait_for_selector("html[data-ready]", state="attached")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("new notification")
    await page.locator("#palette-list .opt", has_text="New notification rule").click()
    await page.wait_for_url("**/notify?rule=new")
    await page.wait_for_selector("html[data-ready]", state="attached")
    await page.get_by_label("Title").focus()
    await page.keyboard.type("By keys")
    await page.keyboard.press("Tab")
    await page.keyboard.type("kind:change.merged ")
    await page.keyboard.press("Enter")
    await expect(page.locator(".big")).to_contain_text("Would have told you")


async def test_a_search_becomes_a_rule_also_for_who_must_sign_in_first(stage: Stage, page: Page) -> None:
    token, _ = stage.tokens.create(["person:amara"])
    await visit(page, stage, "/search?q=kind:change.merged")
    await page.get_by_role("link", name="Notify me").click()
    await page.get_by_label("Your token").fill(token)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator("#q")).to_have_value("kind:change.merged")
    await expect(page.locator(".big")).to_contain_text("Would have told you")


@pytest.fixture
async def allowed(browser: Browser, stage: Stage) -> AsyncIterator[Page]:
    """A page whose site may show notifications; what it shows is noted down."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    await context.grant_permissions(["notifications"], origin=stage.url)
    found = await context.new_page()
    complaints = Complaints()
    complaints.watch(found)
    # Headless Chromium shows nothing; the page's own calls are what is looked at.
    await found.add_init_script(
        "window.shown = []; window.Notification = class extends EventTarget { static permission = 'granted';"
        "static requestPermission = async () => 'granted';"
        "constructor(title, more) { super(); window.shown.push([title, more.body]); } close() {} };"
    )
    yield found
    assert not complaints
    await context.close()


async def test_an_open_page_shows_on_the_desktop_what_rules_tell_it(stage: Stage, allowed: Page) -> None:
    page = allowed
    await sign_in(page, stage)
    await visit(page, stage, "/notify?starter=merged")
    await page.get_by_label("How often").select_option("now")
    await page.get_by_role("button", name="Save rule").click()
    await page.wait_for_url("**/notify?rule=*")
    await page.wait_for_selector("html[data-ready]", state="attached")
    await page.locator("[data-open]").check()
    await expect(page.locator("[data-browser-state]")).to_contain_text("while any page of the hub is open")
    await visit(page, stage, "/connect")
    await merged(stage, "d1")
    shown: list[list[str]] = []
    while not shown:
        await page.wait_for_timeout(200)
        shown = await page.evaluate("window.shown")
    ((title, body),) = shown
    assert title == "Merged d1"
    assert "What merges" in body


async def test_the_worker_is_served_where_it_may_watch_the_whole_hub(stage: Stage, allowed: Page) -> None:
    page = allowed
    await sign_in(page, stage)
    scope = await page.evaluate(
        "navigator.serviceWorker.register('/notify-worker.js', {scope: '/'}).then(() => navigator.serviceWorker.ready)"
        ".then(found => found.scope)"
    )
    assert scope == f"{stage.url}/"


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_it_holds_the_accessibility_rules_and_fits_a_phone(
    stage: Stage, browser: Browser, theme: Literal["light", "dark"]
) -> None:
    assert AXE.exists(), "npm ci brings axe-core"
    wrong: list[str] = []
    for width in (1440, 320):
        context = await browser.new_context(
            color_scheme=theme, viewport={"width": width, "height": 900}, reduced_motion="reduce", bypass_csp=True
        )
        page = await context.new_page()
        await visit(page, stage, "/notify")
        wrong += await faults(page)
        await sign_in(page, stage)
        assert stage.office is not None
        desk = stage.office.desk
        await desk.save_team("amara", "infra", ("amara", "okonkwo"))
        await desk.mute("amara", "openstack/nova~391000")
        (place,) = [one for one in (await desk.kept("amara")).places if one.kind == "page"]
        rule = await desk.save_rule("amara", Draft(title="Merges", query="kind:change.merged", to=place.id))
        word = desk.links.reason(place.id, 7, [rule.id])
        for path in ("/notify", "/notify?rule=new", "/notify?starter=failed", f"/notify/why/{word}"):
            await visit(page, stage, path)
            wrong += await faults(page)
            wide = await page.evaluate("document.scrollingElement.scrollWidth")
            assert wide <= width, f"{path} is {wide} wide"
        await desk.drop_rule("amara", rule.id)
        await context.close()
    assert not wrong, "\n".join(wrong)


async def faults(page: Page) -> list[str]:
    """What axe finds wrong."""
    await page.add_script_tag(content=AXE.read_text())
    found = await page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})")
    return [f"{page.url}: {v['id']} {v['nodes'][0]['html'][:200]} {v['nodes'][0]['failureSummary'][:200]}"
            for v in found["violations"]]  # fmt: skip


async def test_it_works_without_scripts(stage: Stage, browser: Browser) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    token, _ = stage.tokens.create(["person:amara"])
    await page.goto(stage.url + "/notify")
    await page.get_by_label("Your token").fill(token)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("link", name="Use it").nth(2).click()
    await page.get_by_role("button", name="Save rule").click()
    await expect(page.get_by_role("status").first).to_contain_text("watches from now on")
    # Enter tries, it does not delete.
    await page.get_by_label("Title").press("Enter")
    await expect(page.locator(".big")).to_contain_text("Would have told you")
    await page.get_by_label("Add", exact=True).select_option("webhook")
    await page.get_by_label("Address, nick or URL").fill("https://hook.example.org/secret-path")
    await page.get_by_role("button", name="Add place").click()
    await expect(page.locator("#places")).to_contain_text("https://hook.example.org")
    await expect(page.locator("#places")).not_to_contain_text("secret-path")
    await page.get_by_role("button", name="Sign out amara").click()
    await expect(page.get_by_label("Your token")).to_be_visible()
    await context.close()


async def inside_window(page: Page, selector: str) -> bool:
    return bool(await page.locator(selector).evaluate(
        "one => { const at = one.getBoundingClientRect(); return at.top >= 0 && at.bottom <= innerHeight; }"
    ))  # fmt: skip


async def test_a_mistake_far_down_is_shown_with_the_focus_in_its_field(stage: Stage, page: Page) -> None:
    await sign_in(page, stage)
    await page.get_by_label("Quiet from").fill("22:00")
    await page.get_by_label("Quiet until").fill("25:99")
    await page.get_by_role("button", name="Keep", exact=True).first.click()
    await expect(page.locator("#you .wrong")).to_contain_text("25:99")
    field = page.locator('[name="quiet_to"]')
    await expect(field).to_be_focused()
    await expect(field).to_have_attribute("aria-invalid", "true")
    assert await inside_window(page, "#you .wrong")
    assert await inside_window(page, '[name="quiet_to"]')


async def test_a_wrong_query_of_a_rule_is_marked_and_changed(stage: Stage, page: Page) -> None:
    await sign_in(page, stage)
    await visit(page, stage, "/notify?rule=new")
    await page.get_by_label("Title").fill("Broken")
    await page.locator("#q").fill("projcet:openstack/nova")
    await page.get_by_role("button", name="Save rule").click()
    error = page.locator("#query-error")
    await expect(error).to_contain_text("there is no field 'projcet'")
    await page.wait_for_selector("html[data-ready]", state="attached")
    edge = "one => getComputedStyle(one).borderTopColor"
    red = await page.evaluate(
        "() => { const one = document.createElement('i'); one.style.color = 'var(--bad-mark)';"
        " document.body.append(one); return getComputedStyle(one).color; }"
    )
    assert await page.locator("#rule .query-box").evaluate(edge) == red
    await error.get_by_role("button", name="Change it").click()
    await expect(page.locator("#q")).to_have_value("project:openstack/nova")
    await expect(error).to_be_hidden()
    await page.get_by_label("Title").focus()
    assert await page.locator("#rule .query-box").evaluate(edge) != red


async def test_the_window_holds_the_page_with_a_rule_open(stage: Stage, page: Page) -> None:
    await sign_in(page, stage)
    await page.set_viewport_size({"width": 1440, "height": 480})
    await visit(page, stage, "/notify?starter=merged")
    await expect(page.locator(".big")).to_contain_text("Would have told you")
    tall, window = await page.evaluate("[document.scrollingElement.scrollHeight, innerHeight]")
    assert tall <= window


async def test_a_muted_thread_is_not_offered_to_be_muted(stage: Stage, page: Page) -> None:
    assert stage.office is not None
    desk = stage.office.desk
    await sign_in(page, stage)
    (place,) = [one for one in (await desk.kept("amara")).places if one.kind == "page"]
    rule = await desk.save_rule("amara", Draft(title="Merges", query="kind:change.merged", to=place.id))
    await visit(page, stage, f"/notify/why/{desk.links.reason(place.id, 7, [rule.id])}")
    mute = page.get_by_role("button", name="Mute this thread")
    await mute.click()
    await expect(page.get_by_role("status").first).to_contain_text("nothing more of this thread")
    await expect(mute).to_have_count(0)
    await expect(page.locator("main")).to_contain_text("is muted")
    await page.reload()
    await expect(mute).to_have_count(0)
