"""One number of a query as a small SVG badge for a README: what it counts, and how many in the span.

In: a request and a label. Out: SVG without scripts, styles or outside fonts. The span is the request's, else the last
24 hours; a query that asks for one outcome of failure or error is red as soon as there is one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from xml.sax.saxutils import escape

from litestar import Response

from firehose.query import params
from firehose.query.explain import explain, plain
from firehose.web.api.extent import extent
from firehose.web.hub import Hub

BAD: Final = frozenset(("failure", "error", "critical"))
GREY, BLUE, RED = "#5f6b6f", "#0a6780", "#bb2835"
"""Of the pages' tokens: ink-3, accent, bad. White letters stand on them, so that light and dark are the same."""
LETTER: Final = 6.6
"""Width of an average letter at 11 px; `textLength` makes every font fit it."""
MOST: Final = 60


async def answer(hub: Hub, wanted: params.Request, label: str) -> Response[Any]:
    """The badge of a request."""
    asked = await extent(hub, wanted)
    counts = await hub.reader.counts(asked.node, by="outcome", since=asked.since, until=asked.until, limit=1_000)
    total = sum(count.count for count in counts)
    words = plain(explain(wanted.node, hub.now()))
    bad = bool(total) and all((count.group or "") in BAD for count in counts)
    return Response(
        draw(label or words.rstrip("."), f"{total:,} {span(asked.begin, asked.end)}", RED if bad else BLUE).encode(),
        media_type="image/svg+xml",
        headers={"cache-control": "public, max-age=60"},
    )


def span(since: datetime, until: datetime) -> str:
    """The span in a word or two: `today`-like words would need the reader's time zone."""
    minutes = max(1, round((until - since) / timedelta(minutes=1)))
    if minutes < 120 and minutes != 60:
        return f"in {minutes} min"
    hours = round(minutes / 60)
    return f"in {hours} h" if hours <= 48 else f"in {round(hours / 24)} days"


def draw(label: str, value: str, colour: str) -> str:
    """Label on grey, value on a colour."""
    label = label if len(label) <= MOST else label[: MOST - 1] + "\u2026"
    left, right = round(len(label) * LETTER) + 12, round(len(value) * LETTER) + 12
    width = left + right
    name = escape(f"{label}: {value}", {'"': "&quot;"})
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" viewBox="0 0 {width} 20" role="img" '
        f'aria-label="{name}"><title>{name}</title><clipPath id="r"><rect width="{width}" height="20" rx="3"/>'
        f'</clipPath><g clip-path="url(#r)"><rect width="{left}" height="20" fill="{GREY}"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="6" y="14" textLength="{left - 12}" lengthAdjust="spacingAndGlyphs">{escape(label)}</text>'
        f'<text x="{left + 6}" y="14" textLength="{right - 12}" lengthAdjust="spacingAndGlyphs">{escape(value)}</text>'
        f"</g></svg>"
    )
