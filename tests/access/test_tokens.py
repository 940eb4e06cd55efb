"""Tokens: kept hashed, limited by scope and time, revoked for everybody at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from firehose.access.tokens import Tokens
from firehose.errors import Refused

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_token_holds_its_scopes_and_no_other(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "access.sqlite")
    text, _ = tokens.create(["publish:github"])
    assert tokens.holds(text, "publish:github")
    assert not tokens.holds(text, "publish:gitlab")
    assert not tokens.holds(text, "admin")
    assert not tokens.holds(text + "x", "publish:github")
    assert not tokens.holds("", "publish:github")


def test_admin_publishes_but_does_not_read_private_audiences(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "access.sqlite")
    text, _ = tokens.create(["admin"])
    assert tokens.holds(text, "publish:github")
    assert not tokens.holds(text, "read:security")


def test_the_secret_is_not_in_the_file(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "access.sqlite")
    text, _ = tokens.create(["admin"])
    tokens.close()
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert text.removeprefix("fht_").encode() not in kept
    assert (tmp_path / "access.sqlite").stat().st_mode & 0o077 == 0


def test_a_revocation_by_another_process_counts_at_once(tmp_path: Path) -> None:
    hub, command = Tokens(tmp_path / "access.sqlite"), Tokens(tmp_path / "access.sqlite")
    text, token = command.create(["admin"])
    assert hub.holds(text, "admin")
    assert command.revoke(token.number)
    assert not hub.holds(text, "admin")
    assert not command.revoke(token.number)
    assert [row[1] for row in hub.audit()] == ["token.revoked", "token.created"]


def test_a_token_ends_at_its_time(tmp_path: Path) -> None:
    moment = START
    tokens = Tokens(tmp_path / "access.sqlite", lambda: moment)
    text, _ = tokens.create(["admin"], expires=START + timedelta(hours=1))
    assert tokens.holds(text, "admin")
    moment = START + timedelta(hours=1)
    assert not tokens.holds(text, "admin")
    assert [token.valid(moment) for token in tokens.all()] == [False]


@pytest.mark.parametrize("scope", ["publsh:x", "publish", "publish:", "admin:x", "read:a b", ""])
def test_a_wrong_scope_is_refused(tmp_path: Path, scope: str) -> None:
    with pytest.raises(Refused) as caught:
        Tokens(tmp_path / "access.sqlite").create([scope])
    assert caught.value.slug == "bad-scope"
