"""Waiting for the history while it grows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firehose.history.reader import Reader
from firehose.history.sqlite import SqliteStore
from firehose.history.store import Span


async def test_what_is_recorded_while_the_store_answers_is_not_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore(tmp_path / "h.db")
    reader = Reader(store)
    loop = asyncio.get_running_loop()
    ask: Callable[[], Any] = store.span

    def slow() -> Span:
        """The answer of before, given after the recorder has told of more."""
        found: Span = ask()
        told = asyncio.run_coroutine_threadsafe(tell(), loop)
        told.result(10)
        return found

    async def tell() -> None:
        reader.recorded(7)

    monkeypatch.setattr(store, "span", slow)
    assert await reader.wait(7, 10)
    assert reader.head == 7
    reader.close()
    store.close()
