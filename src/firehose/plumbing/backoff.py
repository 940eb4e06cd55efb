"""Waiting times between tries: pure, so that the loops that wait stay short."""

from __future__ import annotations

import random
from collections.abc import Iterator


def delays(first: float = 0.5, most: float = 60.0, factor: float = 1.8, jitter: float = 0.2) -> Iterator[float]:
    """Seconds to wait before the 1st, 2nd, … further try: growing, bounded, and spread by `jitter` (0 to 1)."""
    wait = first
    while True:
        yield wait * (1 + random.uniform(-jitter, jitter))
        wait = min(most, wait * factor)
