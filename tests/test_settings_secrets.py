"""Every secret that the settings name is read at the start, and an error says which setting it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from firehose import settings
from firehose.checks import check
from firehose.errors import Broken


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ('[sources.a]\nkind = "github"\nsecret_env = "NOPE"', "sources.a: secret_env: the environment variable NOPE"),
        ('[sources.a]\nkind = "github"\nold_secret_file = "/no/file"', "sources.a: old_secret_file: cannot read /no"),
        ('[sources.a]\nkind = "storyboard"\namqp_secret_env = "NOPE"', "sources.a: amqp_secret_env: the environment"),
        ('[sources.a]\nkind = "mailinglist"\nimap_secret_file = "/no/file"', "sources.a: imap_secret_file: cannot"),
        ('[sources.a]\nkind = "gerrit"\nssh = "x y"', "sources.a: ssh = 'x y' is not of the form"),
        ('[[mqtt.logins]]\nuser = "me"\nsource = "a"\nsecret_env = "NOPE"\n[sources.a]\nkind = "zuul"',
         "mqtt.logins: user 'me': secret_env: the environment variable NOPE is not set"),
    ],
)  # fmt: skip
def test_a_secret_that_cannot_be_read_is_named(table: str, named: str, tmp_path: Path) -> None:
    (tmp_path / "firehose.toml").write_text(table)
    read, _ = settings.load(tmp_path / "firehose.toml", {})
    with pytest.raises(Broken) as caught:
        check(read)
    assert named in caught.value.detail
    assert caught.value.code == 2
