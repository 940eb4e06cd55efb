"""When a message is tried again: pure. The schedule is the one that Standard Webhooks recommends.

In: how many tries failed, and what the receiver asked for. Out: seconds until the next one, or None: no more.
"""

from __future__ import annotations

import random
from typing import Final

SCHEDULE: Final = (0.0, 5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Seconds before the 1st, 2nd, … try: 0 s, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h."""
JITTER: Final = 0.2
LONGEST_PAUSE: Final = 86_400.0
"""A receiver may ask for a pause of a day at most."""
PROBES: Final = (5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds between looks at a receiver that does not answer at all."""


def again(failures: int, wished: float = 0.0) -> float | None:
    """Seconds until the try after so many failed ones, never less than the receiver wished; None: give up."""
    if failures >= len(SCHEDULE):
        return None
    return max(_spread(SCHEDULE[failures]), min(wished, LONGEST_PAUSE))


def probe(looks: int) -> float:
    """Seconds until the next look at a receiver that is away, after so many of them."""
    return _spread(PROBES[min(looks, len(PROBES) - 1)])


def _spread(seconds: float) -> float:
    # Only upwards: a receiver that asked for five seconds gets at least five.
    return seconds * (1 + random.uniform(0, JITTER))
