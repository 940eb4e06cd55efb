"""Every address on the page about the doors is one that they understand."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from firehose.doors import datagrepper, eventstreams

NOW = datetime(2016, 10, 27, 14, 0, tzinfo=UTC)
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "compatibility.md").read_text()
ADDRESSES = re.findall(r"^/(?:v2|raw)\S+$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_understood(address: str) -> None:
    parts = urlsplit(address)
    pairs = parse_qsl(parts.query)
    if parts.path.startswith("/v2/stream/"):
        names = parts.path.removeprefix("/v2/stream/")
        assert not eventstreams.read(names, pairs, "", NOW, ("gerrit", "zuul")).descending
    else:
        assert datagrepper.read(pairs, NOW).rows > 0


def test_the_page_has_addresses_and_every_limit() -> None:
    assert len(ADDRESSES) == 10
    assert f"{datagrepper.DEEPEST:,}" in PAGE
