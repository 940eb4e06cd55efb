"""What `pip install .` gives: a hub with its pages, on a machine without Node.js."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.request import urlopen

import pytest
from tests.servers.chromium import ROOT

from firehose.testing import HubProcess


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, built: None) -> Path:
    """The wheel's content, as an installer unpacks it."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_an_installed_hub_has_its_pages_without_node(installed: Path, tmp_path: Path) -> None:
    hub = HubProcess(tmp_path / "hub")
    try:
        hub.start({"PYTHONPATH": str(installed), "PATH": str(tmp_path / "no-programs-here")})
        manifest = json.loads((installed / "firehose/web/static/built/manifest.json").read_text())
        with urlopen(f"{hub.url}/", timeout=30) as answer:
            page = answer.read().decode()
        for name in manifest.values():
            with urlopen(f"{hub.url}/static/{name}", timeout=30) as answer:
                assert answer.status == 200
                assert len(answer.read()) > 100
        assert manifest["main.js"] in page
        assert "Traceback" not in hub.log.read_text()
    finally:
        assert hub.stop() == 0


def test_a_wheel_holds_what_a_source_needs_besides_code(installed: Path) -> None:
    sources = installed / "firehose" / "sources"
    for folder in ("gerrit", "github", "inbox"):
        assert (sources / folder / "README.md").exists()
    assert list(installed.rglob("*.sql"))
    assert list((installed / "firehose/web/templates").glob("*.html"))
