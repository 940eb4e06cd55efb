"""The hub's own keys: made once, the same afterwards, readable by the hub alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from nacl.signing import VerifyKey

from firehose.errors import Broken
from firehose.plumbing.signing import Signer


def test_a_key_is_made_once_and_signs(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "webhook.key"
    first, second = Signer(file), Signer(file)
    assert first.public == second.public
    assert VerifyKey(second.public).verify(b"words", first.sign(b"words")) == b"words"
    assert file.stat().st_mode & 0o077 == 0
    assert [found.name for found in file.parent.iterdir()] == ["webhook.key"]


def test_a_file_that_holds_no_key_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "webhook.key"
    file.write_text("hello")
    with pytest.raises(Broken, match="not a signing key"):
        Signer(file)
