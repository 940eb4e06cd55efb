"""The only reader of the wall clock. Whoever needs the time takes it from here, so tests can hand in another."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Now = Callable[[], datetime]


def now() -> datetime:
    """The time, UTC."""
    return datetime.fromtimestamp(time.time(), UTC)


def monotonic() -> float:
    """Seconds that never go back, for measuring spans."""
    return time.monotonic()
