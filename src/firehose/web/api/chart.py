"""How many events of a query there were, as a small SVG bar chart that stands in any web page.

In: a request. Out: SVG without scripts or styles. The span is the request's, else the last 24 hours; the bars are
minutes, hours or days, so that there are at most about a hundred.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from xml.sax.saxutils import escape

from litestar import Response

from firehose.history.store import Count
from firehose.query import params
from firehose.query.explain import explain, plain
from firehose.web.hub import Hub

WIDTH: Final = 640
HEIGHT: Final = 120
BASE: Final = 100
STEPS: Final = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}


async def answer(hub: Hub, wanted: params.Request) -> Response[Any]:
    """The chart of a request."""
    now = hub.now()
    until = wanted.until.moment if wanted.until and wanted.until.moment else now
    since = wanted.since.moment if wanted.since and wanted.since.moment else until - timedelta(days=1)
    per = step(until - since)
    counts = await hub.reader.counts(wanted.node, per=per, since=since, until=until, limit=2_000)
    return Response(
        draw(counts, per, since, until, plain(explain(wanted.node, now))).encode(),
        media_type="image/svg+xml",
        headers={"cache-control": "public, max-age=30"},
    )


def step(span: timedelta) -> str:
    """The bar's width in time for a span."""
    if span <= timedelta(hours=2):
        return "minute"
    return "hour" if span <= timedelta(days=5) else "day"


def draw(counts: Sequence[Count], per: str, since: datetime, until: datetime, words: str) -> str:
    """The bars with a title that says what they are."""
    width = STEPS[per]
    begin = _floor(since, per)
    slots = max(1, min(400, -(-(until - begin) // width)))
    heights = [0] * slots
    for count in counts:
        if count.start is not None and 0 <= (slot := (count.start - begin) // width) < slots:
            heights[slot] += count.count
    most = max(heights) or 1
    total = sum(heights)
    bar = WIDTH / slots
    bars = "".join(
        f'<rect x="{slot * bar:.2f}" y="{BASE - height * (BASE - 20) / most:.2f}" width="{max(bar - 1, 0.5):.2f}" '
        f'height="{height * (BASE - 20) / most:.2f}"/>'
        for slot, height in enumerate(heights)
        if height
    )
    title = escape(f"{words} {total:,}, at most {most if total else 0:,} per {per}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" font-family="sans-serif" font-size="11"><title>{title}</title>'
        f'<g fill="#3b6fd4">{bars}</g><path d="M0 {BASE}.5H{WIDTH}" stroke="#888"/>'
        f'<g fill="#777"><text x="0" y="{HEIGHT - 4}">{begin:%Y-%m-%d %H:%M}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 4}" text-anchor="end">{until:%Y-%m-%d %H:%M} UTC</text>'
        f'<text x="0" y="12">{total:,} events, most {most if total else 0:,} per {per}</text></g></svg>'
    )


def _floor(moment: datetime, per: str) -> datetime:
    if per == "day":
        return moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if per == "hour":
        return moment.replace(minute=0, second=0, microsecond=0)
    return moment.replace(second=0, microsecond=0)
