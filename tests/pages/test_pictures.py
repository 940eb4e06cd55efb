"""The chart and the badge of a query in somebody else's page: drawn, and light or dark as the reader has it."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.async_api import Browser
from tests.pages.stage import Stage

LIGHT = {"flow": "143,169,177", "bad": "214,66,78", "axis": "95,107,111"}
DARK = {"flow": "85,112,122", "bad": "229,87,95", "axis": "139,151,155"}
COLOURS = """async address => {
    const image = new Image();
    image.crossOrigin = 'anonymous';
    image.src = address;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width * 4, image.height * 4), pen = canvas.getContext('2d');
    pen.drawImage(image, 0, 0, canvas.width, canvas.height);
    const dots = pen.getImageData(0, 0, canvas.width, canvas.height).data, found = new Set();
    for (let at = 0; at < dots.length; at += 4) if (dots[at + 3] === 255) found.add(dots.slice(at, at + 3).join());
    return [image.width, image.height, ...found];
}"""
"""What an image looks like to a page of another origin: its size and its opaque colours."""


async def seen(stage: Stage, browser: Browser, theme: Literal["light", "dark"], path: str) -> list[object]:
    context = await browser.new_context(color_scheme=theme)
    page = await context.new_page()
    await page.set_content("<title>A README</title>")
    found: list[object] = await page.evaluate(COLOURS, stage.url + path)
    await context.close()
    return found


@pytest.mark.parametrize(("theme", "ink", "other"), [("light", LIGHT, DARK), ("dark", DARK, LIGHT)])
async def test_a_chart_has_the_readers_colours(
    stage: Stage, browser: Browser, theme: Literal["light", "dark"], ink: dict[str, str], other: dict[str, str]
) -> None:
    width, height, *colours = await seen(stage, browser, theme, "/v1/events?format=svg&since=20h")
    assert (width, height) == (640, 120)
    assert set(ink.values()) <= set(colours)
    assert not set(other.values()) & set(colours)


async def test_a_chart_of_what_succeeded_shows_no_red(stage: Stage, browser: Browser) -> None:
    _, _, *colours = await seen(stage, browser, "light", "/v1/events?format=svg&since=20h&outcome=success")
    assert LIGHT["flow"] in colours
    assert LIGHT["bad"] not in colours


@pytest.mark.parametrize(("query", "ink"), [("", "10,103,128"), ("&outcome=failure", "187,40,53")])
async def test_a_badge_is_red_when_all_that_it_counts_failed(
    stage: Stage, browser: Browser, query: str, ink: str
) -> None:
    for theme in ("light", "dark"):
        _, height, *colours = await seen(stage, browser, theme, f"/v1/events?format=badge&label=builds{query}")
        assert height == 20
        assert {ink, "95,107,111"} <= set(colours)
