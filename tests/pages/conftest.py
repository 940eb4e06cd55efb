"""The stage with its events, and a browser in front of it that tolerates no error of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, expect
from tests.pages.stage import Stage

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
async def stage(tmp_path: Path, built: None) -> AsyncIterator[Stage]:
    """A hub with some hours of history."""
    found = Stage(tmp_path)
    await found.start()
    await found.past(14)
    yield found
    await found.close()


class Complaints(list[str]):
    """What a page wrote to the console as an error: broken scripts, violations of the content policy."""

    def watch(self, page: Page) -> None:
        """Listen to a page."""
        page.on("pageerror", lambda error: self.append(f"{page.url}: {error}"))
        page.on("console", self._heard)

    def _heard(self, message: ConsoleMessage) -> None:
        # A connection that a test cuts is reported by the browser itself.
        if message.type == "error" and "Failed to load resource" not in message.text and "ERR_" not in message.text:
            self.append(message.text)


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A wide window; at the end nothing may have gone wrong in it."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    complaints = Complaints()
    found = await context.new_page()
    found.set_default_timeout(45_000)
    expect.set_options(timeout=45_000)
    complaints.watch(found)
    yield found
    assert not complaints
    await context.close()


async def visit(page: Page, stage: Stage, path: str) -> None:
    """Open a page and wait until its scripts are ready."""
    await page.goto(stage.url + path)
    await page.wait_for_selector("html[data-ready]", state="attached")
