"""Every example of the page on the query language is read, and has words."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firehose.query import parse as limits
from firehose.query.complete import HELP
from firehose.query.explain import explain, plain
from firehose.query.params import FILTERS
from firehose.query.parse import parse
from firehose.query.tree import Everything

NOW = datetime(2016, 10, 27, 14, 32, 7, tzinfo=UTC)
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "query-language.md").read_text()


def examples() -> list[str]:
    blocks = re.findall(r"^```\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()]
    # What follows after two or more spaces is the explanation.
    return [re.split(r" {3,}", line)[0].strip() for line in lines]


@pytest.mark.parametrize("text", examples())
def test_an_example_is_read_and_has_words(text: str) -> None:
    node = parse(text, NOW)
    assert not isinstance(node, Everything)
    assert plain(explain(node, NOW)).startswith(("Events ", "Every public event"))


def test_the_page_has_every_field_and_limit() -> None:
    missing = [name for name in HELP if f"{name}:" not in PAGE and name != "data." and name not in FILTERS]
    assert missing == []
    for limit in (limits.MAX_LENGTH, limits.MAX_PIECES, limits.MAX_DEPTH):
        assert f"{limit:,}" in PAGE
