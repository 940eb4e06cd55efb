"""The history's measurements, small: they run, and their lines are whole."""

from __future__ import annotations

import pytest

from firehose.ops.bench.history import recorder, search, search_postgres
from firehose.ops.bench.postgres import binaries
from firehose.testing import need

pytestmark = pytest.mark.timeout(600)


def test_the_recorder_is_measured_against_one_insert_a_message() -> None:
    need(str(binaries() or ""), "PostgreSQL")
    lines = recorder(count=500)
    stores = ("SQLite", "SQLite, 600 B", "PostgreSQL", "PostgreSQL, 600 B")
    assert [line.name for line in lines] == [f"recorder into {store}" for store in stores]
    assert all(line.value > 0 and line.rival and line.ratio for line in lines)


def test_search_is_measured_on_both_stores() -> None:
    need(str(binaries() or ""), "PostgreSQL")
    lines = [*search(count=1_000), *search_postgres(count=1_000)]
    assert sum("search," in line.name for line in lines) == 6
    assert sum(line.name.startswith("90 days") for line in lines) == 4
    assert [line.ratio is not None for line in lines if line.name == "search, filters and text, PostgreSQL, p95"] == [
        True
    ]
