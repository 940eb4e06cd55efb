"""What everybody may see of a sink's address."""

from __future__ import annotations

import pytest

from firehose.delivery.books import shown


@pytest.mark.parametrize(
    ("address", "seen"),
    [
        ("https://me:word@hooks.example/SECRET?key=1", "https://hooks.example"),
        ("hooks.example/SECRET?key=1", "hooks.example"),
        ("https://hooks.example:99999/SECRET", "https://…"),
        (
            "enqueue into gate/x of acme, https://zuul.example/SECRET",
            "enqueue into gate/x of acme, https://zuul.example",
        ),
        ("irc.example:6697", "irc.example:6697"),
        ("", ""),
    ],
)
def test_an_address_shows_its_host_alone(address: str, seen: str) -> None:
    assert shown(address) == seen
