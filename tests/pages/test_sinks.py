"""The ways out on the Sources page: how they are, what they did not take, and what an admin can do about it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from tests.pages.conftest import visit
from tests.pages.stage import Stage
from tests.pages.test_live import planned

from firehose.delivery import deadletters, position
from firehose.delivery.books import SinkHealth, SinkTrouble
from firehose.plumbing.clock import now
from firehose.sinks.webhook.webhook import WebhookSettings

REFUSED = "the receiver answered 410 Gone"


@pytest.fixture
async def sunk(tmp_path: Path, built: None) -> AsyncIterator[Stage]:
    """A hub with three sinks: one that never ran, one that is behind, one that its receiver switched off."""
    urls = {"fresh": "https://new.example/in", "ops": "https://ops.example/in", "old": "https://old.example/in"}
    sinks = {name: WebhookSettings(kind="webhook", url=url, query="kind:change.*") for name, url in urls.items()}
    stage = Stage(tmp_path, sinks=sinks)
    await stage.start()
    for at in range(12):
        last = await stage.play("gerrit", planned(f"s{at}"))
    assert await stage.reader.wait(last, 30)
    event = await stage.reader.by_sequence(3)
    begun = now() - timedelta(hours=2)
    for name, state, why in (("ops", "away", "nobody answers at ops.example"), ("old", "disabled", REFUSED)):
        health = SinkHealth(
            name=name, kind="webhook", title="Webhook", family="hub", to=urls[name], query="kind:change.*",
            state=state, why=why, since=begun, sent=1_184, failed=7, dead=1, open=4, cursor=5, lag=7,
            oldest=begun, last_sent=begun, trouble=SinkTrouble(begun, REFUSED, 3),
        )  # fmt: skip
        await position.save(stage.bus, name, position.Position(cursor=5, health=health))
    letter = deadletters.letter("ops", event, sequence=3, lane="", failures=7, error=REFUSED, since=begun)
    await deadletters.bury(stage.bus, letter)
    yield stage
    await stage.close()


async def test_every_sink_is_on_the_page_with_its_state(sunk: Stage, page: Page) -> None:
    await visit(page, sunk, "/sources")
    lines = page.locator("[data-sink]")
    assert await lines.evaluate_all("all => all.map(one => one.dataset.sink)") == ["fresh", "ops", "old"]
    await expect(page.locator('[data-sink="fresh"]')).to_contain_text("idle")
    ops = page.locator('[data-sink="ops"]')
    for text in ("away", "kind:change.*", "https://ops.example/in", "1,184", "7 events", REFUSED, "2 h ago"):
        await expect(ops).to_contain_text(text)
    await expect(page.locator('[data-away="ops"]')).to_contain_text("4 messages on the way, none is lost")
    await expect(page.locator('[data-away="old"]')).to_contain_text("switched off by its receiver")
    await expect(page.locator("[data-fact]")).to_contain_text("3 sinks, 1 well")
    await page.locator("[data-sink=ops] .last a").click()
    await page.wait_for_url("**/events/3")


async def test_dead_letters_are_sent_again_and_a_sink_is_switched_on(sunk: Stage, page: Page) -> None:
    token, _ = sunk.tokens.create(["admin"])
    await visit(page, sunk, "/sources")
    await page.get_by_label("Admin token").fill(token)
    await page.get_by_role("button", name="Open the quarantine").click()
    letter = page.locator("[data-letter]")
    await expect(letter).to_contain_text("7 tries")
    await expect(letter).to_contain_text("Change s2 merged")
    await expect(letter).to_contain_text(REFUSED)
    await letter.get_by_role("button", name="Send again").click()
    await expect(page.get_by_role("heading", name="Every message was taken")).to_be_visible()
    await page.locator("[data-enable=old]").click()
    await expect(page.locator("[data-toasts]")).to_contain_text("old is switched on")
    orders = await deadletters.orders(sunk.bus)
    assert [(order.sink, order.action) for _, order in orders] == [("ops", "replay"), ("old", "enable")]
