"""A real Chromium, headless; playwright only drives the one that is installed. And what the pages load, built."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from firehose.testing import need

ROOT = Path(__file__).resolve().parents[2]
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def built() -> None:
    """The styles and scripts, built when they are not."""
    done = subprocess.run([sys.executable, str(ROOT / "tools" / "build_assets.py")], check=False, capture_output=True)
    if done.returncode:
        need(None, "Node.js with npm, to build the pages' scripts,")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    path = need(shutil.which("chromium") or shutil.which("chromium-browser"), "Chromium")
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=path, args=ARGS)
        yield found
        await found.close()
