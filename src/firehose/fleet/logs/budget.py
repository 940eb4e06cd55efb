"""Budgets: how many lines and bytes a publisher may have kept, as token buckets. Pure; the time comes from outside.

In: a rate a second, how many seconds of it may come at once, the time. Out: what is allowed now. What is not allowed is
never dropped by this module: whoever asks counts it.
"""

from __future__ import annotations


class Bucket:
    """`rate` a second, at most `rate * burst` at once. Starts full."""

    def __init__(self, rate: float, burst: float, moment: float) -> None:
        self._rate = rate
        self._most = rate * burst
        self._have = self._most
        self._moment = moment

    def left(self, moment: float) -> float:
        """What may be spent now."""
        # A clock that goes back gives nothing, and takes nothing away.
        self._have = min(self._most, self._have + max(0.0, moment - self._moment) * self._rate)
        self._moment = max(self._moment, moment)
        return self._have

    def spend(self, amount: float) -> None:
        """Take away. A whole that was begun may overdraw: it is paid back first."""
        self._have -= amount


class Budget:
    """A publisher's lines and bytes together with those of all publishers of its source."""

    def __init__(self, own: tuple[Bucket, Bucket], shared: tuple[Bucket, Bucket]) -> None:
        self._lines = (own[0], shared[0])
        self._bytes = (own[1], shared[1])

    def left(self, moment: float) -> tuple[float, float]:
        """Lines and bytes that may be kept now."""
        lines = min(bucket.left(moment) for bucket in self._lines)
        return lines, min(bucket.left(moment) for bucket in self._bytes)

    def spend(self, lines: int, size: int) -> None:
        """So much was kept."""
        for bucket in self._lines:
            bucket.spend(lines)
        for bucket in self._bytes:
            bucket.spend(size)
