"""A line of `firehose bench`: what was measured, what is to be reached, and how the rival did in the same run."""

from __future__ import annotations

import msgspec


class Line(msgspec.Struct, frozen=True):
    """One measured figure. `reach` is the least value wanted (the most, where `unit` is a time); `rival` the other
    way's value in the same unit and run, and `ratio` how many times better than it we are; None where there is none.
    `note` says what the figure does not."""

    name: str
    value: float
    unit: str
    reach: float | None = None
    rival: float | None = None
    ratio: float | None = None
    ok: bool = True
    note: str = ""
