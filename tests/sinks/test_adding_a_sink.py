"""`docs/adding-a-sink.md` is true: its files are written into a copy of the package, its command runs, nothing else is
edited; the new kind is then known to the settings and to the reference."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "adding-a-sink.md").read_text()
FILES = re.findall(r"^`(src/[^`\n]+)`:\n\n```\w+\n(.*?)^```$", PAGE, re.M | re.S)
COMMANDS = re.findall(r"^\$ (.+)$", PAGE, re.M)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with the page's folder in it."""
    root = tmp_path_factory.mktemp("checkout")
    leave_out = shutil.ignore_patterns("__pycache__", "static", "node_modules", "samples")
    shutil.copytree(ROOT / "src", root / "src", ignore=leave_out)
    shutil.copy(ROOT / "pyproject.toml", root)
    for name, text in FILES:
        file = root / name
        assert not (ROOT / name).exists(), "the page's sink must be a made-up one"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def run(checkout: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=checkout, env=environment, capture_output=True, text=True, check=False,
        timeout=280,
    )  # fmt: skip


def test_the_page_adds_one_complete_folder_and_nothing_else() -> None:
    assert {str(Path(name).parent) for name, _ in FILES} == {"src/firehose/sinks/pager"}
    names = {Path(name).name for name, _ in FILES}
    assert names == {"__init__.py", "pager.py", "transport.py", "test_pager.py", "README.md"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_works(checkout: Path, command: str) -> None:
    result = run(checkout, *shlex.split(command))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "[100%]" in result.stdout


@pytest.mark.timeout(300)
def test_its_code_is_as_clean_as_the_house_wants_it(checkout: Path) -> None:
    for check in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]):
        result = run(checkout, *check, str(checkout / "src/firehose/sinks/pager"))
        assert result.returncode == 0, result.stdout + result.stderr


def test_its_settings_are_settings_and_its_row_is_in_the_reference(checkout: Path) -> None:
    (text,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.M | re.S)
    (checkout / "firehose.toml").write_text(text)
    result = run(checkout, "firehose", "settings", "--settings", "firehose.toml")
    assert result.returncode == 0, result.stderr
    assert 'kind = "pager"' in result.stdout
    written = run(checkout, "firehose.ops.reference", str(checkout / "reference"))
    assert written.returncode == 0, written.stderr
    assert "| Pager |" in (checkout / "reference" / "sinks.md").read_text()
