"""Tables that tests print when the session ends, so that the figures stand in every log, CI's too.

In: a title and lines, from the `closing` fixture. Out: a section each in pytest's summary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import pytest

Closing = Callable[[str, Iterable[str]], None]
_TABLES: Final = pytest.StashKey[dict[str, list[str]]]()


@pytest.fixture(scope="session")
def closing(pytestconfig: pytest.Config) -> Closing:
    """`closing(title, lines)`: print these when the session ends. The same title again replaces the lines."""
    tables = pytestconfig.stash.setdefault(_TABLES, {})

    def show(title: str, lines: Iterable[str]) -> None:
        tables[title] = list(lines)

    return show


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The tables, in the order of their tests."""
    for title, lines in config.stash.get(_TABLES, {}).items():
        terminalreporter.section(title)
        for line in lines:
            terminalreporter.write_line(line)
