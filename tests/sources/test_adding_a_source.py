"""`docs/adding-a-source.md` is true: its files are written, its commands run, its outputs compared.

On a copy of the package, to which nothing but the new folder is added: no list, no registry, no second edit.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "adding-a-source.md").read_text()
FILES = re.findall(r"^`(src/[^`\n]+)`:\n\n```\w+\n(.*?)^```$", PAGE, re.M | re.S)
CONSOLE = "\n".join(re.findall(r"^```console\n(.*?)^```$", PAGE, re.M | re.S))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with the page's folder in it."""
    root = tmp_path_factory.mktemp("checkout")
    leave_out = shutil.ignore_patterns("__pycache__", "static", "node_modules", "samples")
    shutil.copytree(ROOT / "src", root / "src", ignore=leave_out)
    shutil.copy(ROOT / "pyproject.toml", root)
    for name, text in FILES:
        file = root / name
        assert not (ROOT / name).exists(), "the page's source must be a made-up one"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def run(checkout: Path, command: str) -> subprocess.CompletedProcess[str]:
    tools = {"firehose": f"{sys.executable} -m firehose", "pytest": f"{sys.executable} -m pytest"}
    for name, call in tools.items():
        command = re.sub(rf"(^|\| ){name} ", lambda found, call=call: f"{found[1]}{call} ", command)  # type: ignore[misc]
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        ["sh", "-c", command], cwd=checkout, env=environment, capture_output=True, text=True, check=False, timeout=280
    )


def commands() -> list[tuple[str, list[str]]]:
    """Each command of the page with the lines that it is said to print."""
    found: list[tuple[str, list[str]]] = []
    for line in CONSOLE.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line:
            found[-1][1].append(line)
    return found


def test_the_page_adds_one_complete_folder_and_nothing_else() -> None:
    assert {str(Path(name).parent).removesuffix("/samples") for name, _ in FILES} == {"src/firehose/sources/kiln"}
    names = {Path(name).name for name, _ in FILES}
    assert {"__init__.py", "kiln.py", "test_kiln.py", "README.md", "build.finished__failed.json"} <= names
    assert len(commands()) == 4


@pytest.mark.parametrize(
    ("command", "printed"), commands(), ids=lambda value: value[:60] if value and isinstance(value, str) else ""
)
def test_a_command_of_the_page_does_what_it_says(checkout: Path, command: str, printed: list[str]) -> None:
    result = run(checkout, command)
    assert result.returncode == 0, result.stdout + result.stderr
    if printed:
        assert [json.loads(line) for line in result.stdout.splitlines()] == [json.loads(line) for line in printed]
    else:
        assert "[100%]" in result.stdout


@pytest.mark.timeout(300)
def test_its_code_is_as_clean_as_the_house_wants_it(checkout: Path) -> None:
    folder = shlex.quote(str(checkout / "src/firehose/sources/kiln"))
    for check in ("ruff check", "ruff format --check", "mypy"):
        tool, _, rest = check.partition(" ")
        result = run(checkout, f"{sys.executable} -m {tool} {rest} {folder}")
        assert result.returncode == 0, result.stdout + result.stderr


def test_its_settings_are_settings(checkout: Path) -> None:
    (text,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.M | re.S)
    assert tomllib.loads(text)["sources"]["kiln"]["kind"] == "kiln"
    (checkout / "firehose.toml").write_text(text)
    result = run(checkout, "firehose settings --settings firehose.toml")
    assert result.returncode == 0, result.stderr
    assert 'kind = "kiln"' in result.stdout
