"""What the connectors understand, on the Sources page: every kind there is, what it maps, what it ignores and why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from tests.pages.conftest import visit
from tests.pages.stage import Stage

import firehose
from firehose.sinks.webhook.webhook import WebhookSettings
from firehose.source import load


@pytest.fixture
async def plain(tmp_path: Path, built: None) -> AsyncIterator[Stage]:
    """A hub with a sink, to which nothing has happened."""
    stage = Stage(tmp_path, sinks={"ops": WebhookSettings(kind="webhook", url="https://ops.example/in")})
    await stage.start()
    yield stage
    await stage.close()


async def test_a_source_in_use_tells_what_it_maps_and_what_it_ignores(plain: Stage, page: Page) -> None:
    await visit(page, plain, "/sources")
    gerrit, kind = page.locator("details[data-reads=gerrit]"), load("gerrit")
    await expect(gerrit).to_contain_text(f"{len(kind.kinds)} native kinds mapped, {len(kind.ignored)} ignored")
    rows = gerrit.locator("tbody tr")
    await expect(rows.first).to_be_hidden()
    await gerrit.locator("summary").click()
    await expect(rows.first).to_be_visible()
    told = [" ".join(text.split()) for text in await rows.all_inner_texts()]
    assert "change-merged change.merged" in told
    assert len(told) == len(kind.kinds) + len(kind.ignored)
    assert any(f"ignored: {why}" in text for text in told for why in kind.ignored.values())
    await page.locator("details[data-writes=webhook] summary").click()
    await expect(page.locator("details[data-writes=webhook]")).to_contain_text("Standard Webhooks")


async def test_every_kind_that_is_installed_is_on_the_page(plain: Stage, page: Page) -> None:
    await visit(page, plain, "/sources")
    places = Path(firehose.__file__).parent
    for room, mark in (("sources", "data-reads"), ("sinks", "data-writes")):
        folders = {folder.parent.name for folder in (places / room).glob("*/__init__.py")}
        shown = set(await page.locator(f"[{mark}]").evaluate_all(f"all => all.map(one => one.getAttribute('{mark}'))"))
        assert folders <= shown
    await page.locator("[data-others] summary").click()
    await expect(page.locator("[data-writes=matrix]")).to_contain_text('kind = "matrix"')
    await expect(page.locator("[data-reads=weblate]")).to_contain_text("ignored")
