"""Python's cyclic garbage collector, set for a process that holds many small values for long.

The hub keeps tens of thousands of events and futures alive at once and makes hardly any cycles. With the defaults the
collector walks all of them every few thousand allocations: a fifth of the gate's time, and pauses on the way out.
"""

from __future__ import annotations

import gc
from typing import Final

THRESHOLDS: Final = (50_000, 20, 50)
"""Allocations before a young, and younger generations before an older, collection."""


def settle() -> None:
    """Call once when everything has started: what is there now is never walked again, the rest more rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
