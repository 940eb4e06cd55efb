"""The command line's list: what it says without importing is what the commands say of themselves."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from firehose.__main__ import COMMANDS, main


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_is_what_the_list_says(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.name == name
    assert command.get_short_help_str(200) == COMMANDS[name][2]


def test_the_list_imports_no_command() -> None:
    script = "import sys; from firehose.__main__ import main; main(['--help'], standalone_mode=False); "
    script += "print([name for name in sys.modules if name.startswith('firehose.ops.')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "deadletters" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_hub_imports_nothing_of_the_simulated_world() -> None:
    script = "import sys, firehose.ops.serving; print(sorted(name for name in sys.modules if 'simulator' in name))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["tial"])
    assert result.exit_code == 2
    assert "No such command 'tial'" in result.output
