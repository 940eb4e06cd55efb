"""How many events of a query there were, as a small SVG bar chart that stands in any web page.

In: a request. Out: SVG without scripts or outside fonts, in the pages' colours, light or dark as its reader has it. The
span is the request's, else the last 24 hours; the bars are minutes, hours, days, or several days where there would be
more than `MOST_BARS` of them. What failed is the red foot of a bar.
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
from firehose.web.api.extent import extent
from firehose.web.hub import Hub

WIDTH: Final = 640
HEIGHT: Final = 120
BASE: Final = 100
MOST_BARS: Final = 400
MOST_ROWS: Final = 1_000_000
"""Of counts: more than any span has."""
INK: Final = {"flow": ("#8fa9b1", "#55707a"), "bad": ("#d6424e", "#e5575f"), "axis": ("#5f6b6f", "#8b979b"),
              "line": ("#d0d6d7", "#2f383b")}  # fmt: skip
"""The pages' chart-flow, bad-mark, chart-axis and line-2, light and dark (`tokens.css`)."""
_DARK: Final = "".join(f".{name}{{fill:{dark}}}" for name, (_, dark) in INK.items())
STYLE: Final = f"@media (prefers-color-scheme:dark){{{_DARK}}}"
BAD: Final = ("failure", "error")
STEPS: Final = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}


async def answer(hub: Hub, wanted: params.Request) -> Response[Any]:
    """The chart of a request."""
    asked = await extent(hub, wanted)
    per = step(asked.end - asked.begin)
    counts = await hub.reader.counts(
        asked.node, by="outcome", per=per, since=asked.since, until=asked.until, limit=MOST_ROWS
    )
    return Response(
        draw(counts, per, asked.begin, asked.end, plain(explain(wanted.node, hub.now()))).encode(),
        media_type="image/svg+xml",
        headers={"cache-control": "public, max-age=30"},
    )


def step(span: timedelta) -> str:
    """The unit of the bars for a span."""
    if span <= timedelta(hours=2):
        return "minute"
    return "hour" if span <= timedelta(days=5) else "day"


def draw(counts: Sequence[Count], per: str, since: datetime, until: datetime, words: str) -> str:
    """The bars with a title that says what they are; each is as many units as it takes for `MOST_BARS` to do."""
    begin = _floor(since, per)
    units = max(1, -(-(until - begin) // STEPS[per]))
    together = -(-units // MOST_BARS)
    width, slots = STEPS[per] * together, -(-units // together)
    each = f"{together} {per}s" if together > 1 else per
    heights, bad = [0] * slots, [0] * slots
    for count in counts:
        if count.start is not None and 0 <= (slot := (count.start - begin) // width) < slots:
            heights[slot] += count.count
            bad[slot] += count.count if count.group in BAD else 0
    most, total = max(heights), sum(heights)
    title = escape(f"{words} {total:,}, {sum(bad):,} of them failed, at most {most:,} per {each}", {'"': "&quot;"})
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-label="{title}" font-family="system-ui,sans-serif" font-size="11">'
        f"<title>{title}</title><style>{STYLE}</style>"
        f"{_bars(heights, most, 'flow')}{_bars(bad, most, 'bad')}"
        f'<rect {_ink("line")} y="{BASE}" width="{WIDTH}" height="1"/>'
        f'<g {_ink("axis")}><text x="0" y="{HEIGHT - 4}">{begin:%Y-%m-%d %H:%M}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 4}" text-anchor="end">{until:%Y-%m-%d %H:%M} UTC</text>'
        f'<text x="0" y="12">{total:,} events, most {most:,} per {each}</text></g></svg>'
    )


def _bars(heights: Sequence[int], most: int, name: str) -> str:
    bar = WIDTH / len(heights)
    tall = [(slot, height * (BASE - 20) / most) for slot, height in enumerate(heights) if height]
    rects = "".join(
        f'<rect x="{slot * bar:.2f}" y="{BASE - height:.2f}" width="{max(bar - 1, 0.5):.2f}" height="{height:.2f}"/>'
        for slot, height in tall
    )
    return f"<g {_ink(name)}>{rects}</g>"


def _ink(name: str) -> str:
    # The attribute is for viewers that know no styles: they get the light one.
    return f'class="{name}" fill="{INK[name][0]}"'


def _floor(moment: datetime, per: str) -> datetime:
    if per == "day":
        return moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if per == "hour":
        return moment.replace(minute=0, second=0, microsecond=0)
    return moment.replace(second=0, microsecond=0)
