"""Faults are printed as a table when the session ends."""

from __future__ import annotations

import pytest
from tests.faults.ground import ROWS, table


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was broken, and what became of it."""
    if ROWS:
        terminalreporter.section("faults")
        for line in table():
            terminalreporter.write_line(line)
