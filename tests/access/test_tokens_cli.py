"""`firehose token`: the token is the last word, works at once, and is gone at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from firehose.__main__ import main
from firehose.access.tokens import Tokens


def call(data: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["token", *words, "--data", str(data)])
    return result.exit_code, result.output


def test_a_token_is_made_listed_and_revoked_beside_a_running_hub(tmp_path: Path) -> None:
    hub = Tokens(tmp_path / "access.sqlite")
    code, said = call(tmp_path, "create", "--scope", "publish:inbox", "--expires", "90d", "--name", "ci")
    text = said.split()[-1]
    assert code == 0
    assert hub.holds(text, "publish:inbox")
    code, said = call(tmp_path, "list", "--json")
    (listed,) = [json.loads(line) for line in said.splitlines()]
    assert (listed["number"], listed["scopes"], listed["valid"]) == (1, ["publish:inbox"], True)
    assert text not in said
    assert call(tmp_path, "revoke", "1")[0] == 0
    assert not hub.holds(text, "publish:inbox")
    assert call(tmp_path, "revoke", "1")[0] == 1
    assert "revoked" in call(tmp_path, "list")[1]


def test_the_output_is_one_line_that_ends_in_the_token(tmp_path: Path) -> None:
    _, said = call(tmp_path, "create", "--scope", "publish:inbox", "--expires", "90d")
    (line,) = said.splitlines()
    # As `awk '{print $NF}'` has it, which prints the last word of every line.
    assert Tokens(tmp_path / "access.sqlite").holds(line.split()[-1], "publish:inbox")


@pytest.mark.parametrize("words", [["--scope", "publsh:x"], ["--scope", "admin", "--expires", "soon"]])
def test_a_wrong_word_makes_no_token(tmp_path: Path, words: list[str]) -> None:
    code, _ = call(tmp_path, "create", *words)
    assert code == 1
    assert Tokens(tmp_path / "access.sqlite").all() == []
