"""Which values the fields of events have lately, and how often: for completions and the palette.

In: the history's counts of the last seven days, asked for at most once a minute. Out: values of a field that hold a
text. A history that does not answer makes the lists empty, never an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from weakref import WeakKeyDictionary

import structlog

from firehose.history.reader import Reader
from firehose.query.tree import Everything
from firehose.web.hub import Hub

log = structlog.get_logger("pages")
FIELDS: Final = ("source", "kind", "project", "actor")
SPAN: Final = timedelta(days=7)
FRESH: Final = timedelta(minutes=1)
MOST: Final = 2_000
Values = Mapping[str, Sequence[tuple[str, int]]]


@dataclass
class _Kept:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    at: datetime | None = None
    values: Values = field(default_factory=dict)


_kept: WeakKeyDictionary[Reader, _Kept] = WeakKeyDictionary()


async def known(hub: Hub) -> Values:
    """Values by field, most often first."""
    kept = _kept.setdefault(hub.reader, _Kept())
    async with kept.lock:
        now = hub.now()
        if kept.at is None or now - kept.at > FRESH:
            kept.values, kept.at = await _count(hub, now), now
    return kept.values


async def _count(hub: Hub, now: datetime) -> Values:
    values: dict[str, Sequence[tuple[str, int]]] = {}
    for name in FIELDS:
        try:
            counts = await hub.reader.counts(Everything(), by=name, since=now - SPAN, limit=MOST)
        except Exception as error:
            log.warning("the history does not count for completions", error=repr(error))
            continue
        values[name] = sorted(((c.group, c.count) for c in counts if c.group), key=lambda pair: -pair[1])
    return values


def lookup(values: Values, name: str, typed: str) -> Sequence[tuple[str, int]]:
    """Known values of a field that hold a text; those that begin with it come first."""
    typed = typed.lower()
    fitting = [pair for pair in values.get(name, ()) if typed in pair[0].lower()]
    return sorted(fitting, key=lambda pair: not pair[0].lower().startswith(typed))[:20]
