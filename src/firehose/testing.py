"""Fixtures for tests of sources and sinks, ours and other people's: `pytest_plugins = ["firehose.testing"]`.

Shared sample folders are found beside the checkout (`../shared`) or by `FIREHOSE_SHARED`; where they are missing the
test skips and says so. In CI (`CI=true`) a missing server is a failure, a missing sample folder is a skip.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared reference samples."""
    places = [Path(os.environ.get("FIREHOSE_SHARED", "")), *(p / "shared" for p in Path(__file__).resolve().parents)]
    for place in places:
        if place.name and (place / "samples").is_dir():
            return place
    pytest.skip("the shared samples are not here; FIREHOSE_SHARED names their folder")


def need(found: str | None, what: str) -> str:
    """A program's path; skips when it is missing, fails when that happens in CI."""
    if found:
        return found
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing; ./run test installs it on Debian and Ubuntu when run as root")
    pytest.skip(f"{what} is not installed")
