"""Docs that can fail: generated pages equal what the code says now, links lead somewhere, commands have examples."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click
import pytest

from firehose import settings
from firehose.__main__ import main
from firehose.ops import reference

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("README.md")]
GENERATED = reference.pages(main)


@pytest.mark.parametrize("name", GENERATED)
def test_generated_pages_say_what_the_code_says(name: str) -> None:
    assert (ROOT / reference.FOLDER / name).read_text() == GENERATED[name], "run ./run docs"


FOLDERS = [
    (room, folder.name)
    for room in ("sources", "sinks")
    for folder in sorted((ROOT / "src" / "firehose" / room).iterdir())
    if (folder / "__init__.py").exists()
]


@pytest.mark.parametrize(("room", "name"), FOLDERS)
def test_every_connector_is_in_the_table_with_what_it_does(room: str, name: str) -> None:
    # By the folders themselves: a kind that the code that makes the table does not find is missed here.
    page = GENERATED[f"{room}.md"]
    (row,) = [line for line in page.splitlines() if line.startswith(f"| [`{name}`](../../src/firehose/{room}/{name}/")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert all(cells), f"something is not said: {row}"
    title = cells[1]
    if room == "sources":
        mapped, ignored = int(cells[3]), int(cells[4])
        told = page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
        becomes, _, left = told.partition("| ignored | why |")
        assert (becomes.count("\n| `"), left.count("\n| `")) == (mapped, ignored)
        assert mapped


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path = target.partition("#")[0]
        if path and "://" not in path and not path.startswith(("mailto:", "/")) and not (page.parent / path).exists():
            broken.append(target)
    assert broken == []


EXAMPLES = [
    (f"{page.parent.name} {number}", text)
    for page in sorted((ROOT / "src").rglob("s[io]*s/*/README.md"))
    for number, text in enumerate(re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.M | re.S), 1)
]


@pytest.mark.parametrize("text", [text for _, text in EXAMPLES], ids=[name for name, _ in EXAMPLES])
def test_mqtt_statsd_defect_what_its_page_showed_was_not_what_it_took(text: str) -> None:
    given = tomllib.loads(text)
    declared = given.get("sources", {})
    for own in declared.values():
        own.pop("schemas", None)  # of files that are not here
    others = {login["source"]: {"kind": "inbox"} for login in given.get("mqtt", {}).get("logins", ())}
    assert settings.build({**given, "sources": {**others, **declared}})


def commands(path: str, command: click.Command) -> list[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        return [(path, command)]
    context = click.Context(command, info_name=path)
    inner = {name: command.get_command(context, name) for name in command.list_commands(context)}
    return [found for name, one in inner.items() if one is not None for found in commands(f"{path} {name}", one)]


@pytest.mark.parametrize(
    ("path", "command"), commands("firehose", main), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_command_shows_an_example(path: str, command: click.Command) -> None:
    text = command.get_help(click.Context(command, info_name=path))
    assert "firehose" in text.partition("Usage:")[2].partition("\n")[2], f"{path} --help has no example"


def test_the_repository_speaks_of_itself_alone() -> None:
    words = ("/wo" + "rk/", "pypi." + "org", "pythonhosted." + "org", "npmjs." + "org", "deb.debian." + "org")
    found = []
    for path in ROOT.rglob("*"):
        inside = path.relative_to(ROOT).parts
        if not path.is_file() or {".git", ".venv", ".peers", "node_modules", "__pycache__", "built"} & set(inside):
            continue
        if any(part.startswith(".") and part.endswith("_cache") for part in inside) or ".hypothesis" in inside:
            continue
        text = path.read_text(errors="ignore")
        found += [f"{path.relative_to(ROOT)}: {word}" for word in words if word in text]
    assert found == []
