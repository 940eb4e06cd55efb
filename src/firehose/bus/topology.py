"""Streams, tables and shelves of the bus, declared as data: what exists, what it keeps, how often it is copied."""

from __future__ import annotations

from typing import Any, Final

EVENTS: Final = "EVENTS"
SHELVES: Final = "SHELVES"
TABLES: Final = "KV_firehose"
DUPLICATES_SECONDS: Final = 600
"""The stream's own window for duplicates; beyond it the history knows."""


def streams(*, replicas: int, keep_days: int, keep_gib: int, first: int) -> list[dict[str, Any]]:
    """JetStream configurations. `first` is the first sequence of a new event stream (the history's head + 1)."""
    common = {"storage": "file", "num_replicas": replicas, "discard": "old", "allow_direct": True}
    events: dict[str, Any] = {
        **common, "name": EVENTS, "subjects": ["events.>"], "retention": "limits", "allow_atomic": True,
        "max_age": keep_days * 86_400 * 10**9, "max_bytes": keep_gib * 2**30,
        "duplicate_window": DUPLICATES_SECONDS * 10**9, "deny_delete": True, "deny_purge": True,
    }  # fmt: skip
    if first > 1:
        events["first_seq"] = first
    return [
        events,
        {**common, "name": SHELVES, "subjects": ["shelf.>"], "retention": "limits", "max_msgs_per_subject": 10_000,
         "max_bytes": 2**30},
        {**common, "name": TABLES, "subjects": ["$KV.firehose.>"], "retention": "limits", "max_msgs_per_subject": 1,
         "allow_rollup_hdrs": True, "max_bytes": 2**30},
    ]  # fmt: skip
