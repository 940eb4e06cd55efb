"""What is kept how long: rules become a plan, the plan becomes small removals.

In: `[history] keep`, such as `["source:logs 30d", "365d"]`; for each event the first rule that fits counts. Out: steps
(what to remove up to when), and their execution in small transactions. Without rules everything is kept. Where the
last rule is for everything, what is older than every rule allows goes first, so that the history's floor is true.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from firehose.errors import Broken, Refused, TryLater
from firehose.history.store import Store
from firehose.plumbing.clock import Now
from firehose.query.parse import parse
from firehose.query.tree import Everything, Node, Not, both

log = structlog.get_logger(__name__)
EVERY_SECONDS: Final = 600
_RULE: Final = re.compile(r"(?:(.*\S)\s+)?(\d+)([hdwy])", re.DOTALL)
_UNITS: Final = {"h": 1, "d": 24, "w": 168, "y": 8_766}


def age(text: str, setting: str) -> timedelta | None:
    """An age such as `90d`; None for "". `Broken` (settings) when it is none."""
    parts = _RULE.fullmatch(text.strip())
    if not text.strip():
        return None
    if parts is None or parts[1]:
        raise Broken(f"{setting}: {text!r} is not an AGE, as in `90d`; ages: h, d, w, y", code=2)
    return timedelta(hours=int(parts[2]) * _UNITS[parts[3]])


class Rule(msgspec.Struct, frozen=True):
    """Events that fit are kept for `age`."""

    query: Node
    age: timedelta


class Step(msgspec.Struct, frozen=True):
    """Remove what fits and was recorded before a moment."""

    query: Node
    before: datetime


def rules(texts: Sequence[str], now: datetime) -> list[Rule]:
    """The rules of the settings; `Broken` (settings) names the one that is wrong."""
    found: list[Rule] = []
    for text in texts:
        parts = _RULE.fullmatch(text.strip())
        if parts is None:
            raise Broken(
                f"history.keep: {text!r} is not `[QUERY] AGE`, as in `source:logs 30d`; ages: h, d, w, y", code=2
            )
        try:
            query = parse(parts[1] or "", now)
        except Refused as problem:
            raise Broken(f"history.keep: {text!r}: {problem.detail}", code=2) from None
        if found and isinstance(found[-1].query, Everything):
            raise Broken(f"history.keep: {text!r} comes after a rule for everything and would never count", code=2)
        found.append(Rule(query, timedelta(hours=int(parts[2]) * _UNITS[parts[3]])))
    return found


def plan(of: Sequence[Rule], now: datetime) -> list[Step]:
    """What the rules say is to go now, in the order in which it should."""
    steps: list[Step] = []
    if of and isinstance(of[-1].query, Everything):
        steps.append(Step(Everything(), now - max(rule.age for rule in of)))
    before: list[Node] = []
    for rule in of:
        query = both(rule.query, *before)
        if not isinstance(query, Everything) or rule.age < max(other.age for other in of):
            steps.append(Step(query, now - rule.age))
        before.append(Not(rule.query))
    return steps


def apply(store: Store, steps: Sequence[Step]) -> int:
    """Carry out a plan; how many events went."""
    removed = 0
    for step in steps:
        upto = store.at_time(step.before)
        if upto:
            removed += store.forget(upto, None if isinstance(step.query, Everything) else step.query)
    return removed


async def keep(store: Store, of: Sequence[Rule], now: Now) -> None:
    """Apply the rules every ten minutes, without end, in a thread of its own."""
    loop = asyncio.get_running_loop()
    thread = ThreadPoolExecutor(1, thread_name_prefix="retention")
    try:
        while True:
            try:
                removed = await loop.run_in_executor(thread, apply, store, plan(of, now()))
                if removed:
                    log.info("removed what the history need not keep any more", events=removed)
            except TryLater as problem:
                log.warning("retention waits", cause=problem.detail)
            await asyncio.sleep(EVERY_SECONDS)
    finally:
        thread.shutdown(wait=False, cancel_futures=True)
