"""What a measurement is, and which there are.

In: nothing. Out: the measurements that the neighbouring modules declare as `MEASURES`. A module is one topic; it
starts what it needs (an engine, a hub, a rival), measures, and leaves nothing behind.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from firehose.ops.bench.line import Line

MODULES: Final = ("ingest", "web", "latency", "logs", "delivery", "fanout", "history", "memory", "start")


class Measure(msgspec.Struct, frozen=True):
    """One measurement: name on the command line, what it does in words, seconds it takes about, and how: `run(scale)`
    blocks and gives its lines; `scale` multiplies load or data (1, 3, 10) and is part of no name."""

    name: str
    what: str
    seconds: int
    run: Callable[[int], Sequence[Line]]


def measures() -> list[Measure]:
    """All of them, in the order of the document."""
    found: list[Measure] = []
    for name in MODULES:
        where = f"firehose.ops.bench.{name}"
        if importlib.util.find_spec(where) is not None:
            found.extend(importlib.import_module(where).MEASURES)
    return found
