"""The shape of the code base: sizes, docstrings, complete source folders, names. The limits are the house's own; a file
on an exemption list must still need its exemption.
"""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "firehose"
FILE_LIMIT, FUNCTION_LIMIT, PARAMETER_LIMIT = 700, 80, 6
BANNED_NAMES = {"utils.py", "helpers.py", "common.py", "manager.py", "misc.py"}


def modules() -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*.py") if not path.name.startswith(("test_", "conftest")))


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def percentile(values: list[int], share: float) -> int:
    return sorted(values)[int(len(values) * share)]


def test_files_are_small() -> None:
    sizes = {path: len(path.read_text().splitlines()) for path in modules()}
    assert [str(path) for path, size in sizes.items() if size > FILE_LIMIT] == []
    assert statistics.median(sizes.values()) <= 170
    assert percentile(list(sizes.values()), 0.95) <= 500


def test_functions_are_short() -> None:
    sizes = {name: length(node) for name, node in functions()}
    assert {name: size for name, size in sizes.items() if size > FUNCTION_LIMIT} == {}
    assert statistics.median(sizes.values()) <= 9
    assert percentile(list(sizes.values()), 0.95) <= 45


def test_functions_take_few_parameters() -> None:
    many = []
    for name, node in functions():
        arguments = node.args
        names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        count = len([n for n in names if n not in ("self", "cls")])
        if count > PARAMETER_LIMIT:
            many.append(f"{name}: {count}")
    assert many == []


def test_every_module_says_what_it_is() -> None:
    silent, long = [], []
    for path in modules():
        told = ast.get_docstring(ast.parse(path.read_text()))
        if not told:
            silent.append(str(path.relative_to(ROOT)))
        elif len(told.splitlines()) > 20:  # an interface that is told by example needs some lines more than ten
            long.append(str(path.relative_to(ROOT)))
    assert silent == []
    assert long == []


def test_no_file_is_a_drawer() -> None:
    assert [str(path) for path in modules() if path.name in BANNED_NAMES] == []


def test_packages_hold_no_logic_in_their_init() -> None:
    busy = []
    for path in SOURCE.rglob("__init__.py"):
        for node in ast.parse(path.read_text()).body:
            harmless = isinstance(node, (ast.Import, ast.ImportFrom, ast.Expr, ast.Assign, ast.AnnAssign))
            if not harmless:
                busy.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert busy == []


@pytest.mark.parametrize(
    "folder", sorted(p for p in (SOURCE / "sources").iterdir() if (p / "__init__.py").exists()), ids=lambda p: p.name
)
def test_a_source_folder_is_complete(folder: Path) -> None:
    assert (folder / "README.md").exists(), "the operator's page is missing"
    assert "SOURCE" in (folder / "__init__.py").read_text()
    if "from firehose.sources" not in (folder / "__init__.py").read_text() or (folder / "samples").exists():
        assert list(folder.glob("test_*.py")), "the tests next door are missing"
        assert list((folder / "samples").glob("*__*.json")), "samples are named <native kind>__<case>.json"


@pytest.mark.parametrize(
    "folder", sorted(p for p in (SOURCE / "sinks").iterdir() if (p / "__init__.py").exists()), ids=lambda p: p.name
)
def test_a_sink_folder_is_complete(folder: Path) -> None:
    assert (folder / "README.md").exists(), "the operator's page is missing"
    assert "SINK" in (folder / "__init__.py").read_text()
    assert list(folder.glob("test_*.py")), "the tests next door are missing"
    rendering = ast.parse((folder / f"{folder.name}.py").read_text())
    acting = {"asyncio", "time", "socket", "threading", "subprocess", "os"}
    imported = {alias.name.partition(".")[0] for node in ast.walk(rendering) if isinstance(node, ast.Import)
                for alias in node.names}  # fmt: skip
    origins = {node.module or "" for node in ast.walk(rendering) if isinstance(node, ast.ImportFrom)}
    assert not acting & imported, "rendering is pure: what acts is the transport"
    assert not [name for name in origins if name.startswith("firehose.plumbing") or name in acting]


def test_rooms_have_tests() -> None:
    rooms = {"bus", "history", "intake", "web", "query", "simulator", "access", "delivery"}
    missing = [room for room in rooms if not list((ROOT / "tests" / room).glob("test_*.py"))]
    # The history's promises are tested for every store at once.
    assert [room for room in missing if room != "history"] == []
