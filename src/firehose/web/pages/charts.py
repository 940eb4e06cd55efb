"""Small charts as SVG without any style attribute: bars as rectangles in the chart's own units.

In: numbers. Out: `Bar`s and spans that templates write down. No chart says anything that a sentence beside it does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

STEP = 10
WIDTH = 8


class Bar(msgspec.Struct, frozen=True):
    """One rectangle: place and size in chart units, and the class of its colour."""

    x: float
    y: float
    width: float
    height: float
    state: str = ""


class Spark(msgspec.Struct, frozen=True):
    """A row of bars: its width in units, its height, the bars, the sentence that says the same."""

    width: int
    height: int
    bars: list[Bar]
    label: str


def spark(all_: Sequence[int], bad: Sequence[int], height: int, label: str) -> Spark:
    """Bars for the whole, and on them, from the ground up, the part that went wrong (never less than 1.5 high)."""
    # What went wrong may be more than what came in: refused deliveries make no events.
    top = max([*all_, *bad, 1])
    bars: list[Bar] = []
    for index, (value, wrong) in enumerate(zip(all_, bad, strict=True)):
        tall = max(value / top * height, 1.0 if value else 0.6)
        bars.append(Bar(index * STEP, round(height - tall, 1), WIDTH, round(tall, 1), "" if value else "none"))
        if wrong:
            low = max(wrong / top * height, 1.5)
            bars.append(Bar(index * STEP, round(height - low, 1), WIDTH, round(low, 1), "bad"))
    return Spark(max(len(all_) * STEP - (STEP - WIDTH), 1), height, bars, label)


def percent(part: float, whole: float) -> str:
    """A width for an SVG attribute, at least a sliver when there is something."""
    if whole <= 0 or part <= 0:
        return "0%"
    return f"{min(max(part / whole * 100, 0.8), 100):.1f}%"
