"""The picture of a change on its way: lanes, moments, spans and what led to what, as numbers for an SVG.

In: the events tied to one thing, oldest first. Out: a `Picture` in its own units, which a template writes down; the
list beside it says the same. Runs with a start and an end are spans; everything else is a moment on its lane.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import msgspec

from firehose.event import Recorded
from firehose.web.pages import wording
from firehose.web.pages.families import TITLES, family_of

LEFT: Final = 132.0
RIGHT: Final = 1_004.0
TOP: Final = 40.0
STEP: Final = 46.0
LETTER: Final = 6.4
"""Width of a letter, about."""
WEIGHTY: Final = ("merged", "new", "abandoned", "deployed", "published")
MOST: Final = 160
PIPELINES: Final = ("check", "gate", "post", "promote", "release", "periodic", "experimental", "tag", "deploy")
LANES: Final = ("ticket", "review", "forge", "ci", "artifact", "deploy", "cloud", "log", "people", "hub")
STEPS: Final = tuple(
    timedelta(seconds=value)
    for value in (1, 5, 15, 60, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000)
)


class Lane(msgspec.Struct, frozen=True):
    """A line of one kind of thing."""

    name: str
    family: str
    y: float


class Item(msgspec.Struct):
    """A moment (width 0) or a span on a lane."""

    lane: str
    family: str
    start: datetime
    end: datetime
    state: str
    label: str
    title: str
    sequence: int
    span: bool = False
    me: bool = False
    x: float = 0.0
    width: float = 0.0
    y: float = 0.0
    text: str = ""
    text_x: float = 0.0
    text_y: float = 0.0
    inside: bool = False


class Tick(msgspec.Struct, frozen=True):
    """A time on the axis. `form`: how it is written: clock, minute, day, or dated (a day where a new one begins)."""

    x: float
    text: str
    moment: datetime
    form: str


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """Everything to draw. `now_x` is 0 when the present is not in the picture."""

    height: float
    lanes: list[Lane]
    items: list[Item]
    edges: list[str]
    ticks: list[Tick]
    now_x: float
    label: str
    took: str


def draw(events: Sequence[Recorded], me: int, families: Mapping[str, str], now: datetime) -> Picture | None:
    """The picture; None when there is nothing to put beside each other."""
    items = gather(events[-MOST:], me, families)
    if len(items) < 2:
        return None
    first, last = min(item.start for item in items), max(item.end for item in items)
    length = max(last - first, timedelta(seconds=1))
    shows_now = now - last < length * 0.3
    end = now if shows_now else last + length * 0.02
    scale = (RIGHT - LEFT - 20) / max((end - first).total_seconds(), 1)
    lanes = order(items)
    for item in items:
        item.x = round(LEFT + 10 + (item.start - first).total_seconds() * scale, 1)
        item.width = round(max((item.end - item.start).total_seconds() * scale, 7), 1) if item.span else 0
        item.y = next(lane.y for lane in lanes if lane.name == item.lane)
    now_x = round(LEFT + 10 + (now - first).total_seconds() * scale, 1) if shows_now else 0
    label_all(items, now_x - 4 if shows_now else RIGHT)
    height = lanes[-1].y + 46
    return Picture(
        height=height,
        lanes=lanes,
        items=items,
        edges=edges(items),
        ticks=ticks(first, end, scale),
        now_x=now_x,
        label=f"{len(items)} moments from {wording.exact(first)} to {wording.exact(last)}. The list says the same.",
        took=wording.span(length.total_seconds()),
    )


def gather(events: Sequence[Recorded], me: int, families: Mapping[str, str]) -> list[Item]:
    """Events as items: runs by their subject, their jobs counted into them; the rest one by one."""
    runs: dict[str, Item] = {}
    items: list[Item] = []
    for event in events:
        envelope = event.envelope
        noun, _, predicate = envelope.kind.partition(".")
        family = family_of(event.name, envelope.kind, families)
        if noun == "pipelinerun":
            run = runs.get(envelope.subject)
            if run is None:
                run = _item(event, family, lane_of(event, family), "", span=True)
                runs[envelope.subject] = run
                items.append(run)
            run.end = max(run.end, envelope.time)
            run.me = run.me or event.sequence == me
            if predicate == "finished":
                run.state = _STATES.get(envelope.outcome, "none")
                run.sequence, run.title = event.sequence, envelope.summary
        elif noun in ("taskrun", "testsuiterun") and _within(event, runs):
            inner = _within(event, runs)
            assert inner is not None
            inner.start, inner.end = min(inner.start, envelope.time), max(inner.end, envelope.time)
            inner.me = inner.me or event.sequence == me
        elif noun in ("taskrun", "testsuiterun") and predicate != "finished":
            continue
        else:
            item = _item(event, family, lane_of(event, family), word_of(event))
            item.me = event.sequence == me
            items.append(item)
    return sorted(items, key=lambda item: item.start)


_STATES: Final = {"success": "ok", "failure": "bad", "error": "bad", "running": "run", "queued": "run"}


def _within(event: Recorded, runs: Mapping[str, Item]) -> Item | None:
    return next((runs[ref] for ref in event.envelope.refs.split() if ref in runs), None)


def _item(event: Recorded, family: str, lane: str, label: str, *, span: bool = False) -> Item:
    envelope = event.envelope
    return Item(
        lane=lane,
        family=family,
        start=envelope.time,
        end=envelope.time,
        state=_STATES.get(envelope.outcome, "none"),
        label=label,
        title=envelope.summary,
        sequence=event.sequence,
        span=span,
    )


def lane_of(event: Recorded, family: str) -> str:
    """The lane's name: the family, and for pipelines their own name where it is known."""
    if family != "ci":
        return TITLES[family]
    data: Any = event.data
    name = data.get("pipeline") if isinstance(data, dict) else None
    if not isinstance(name, str):
        words = event.envelope.summary.lower().replace("(", " ").replace(")", " ").split()
        name = next((word for word in words if word in PIPELINES), "")
    return name[:14].capitalize() if name else TITLES["ci"]


def word_of(event: Recorded) -> str:
    """A short word for a moment."""
    predicate = event.envelope.kind.partition(".")[2]
    return {"reviewed": "review", "created": "new", "updated": "update", "added": ""}.get(predicate, predicate)


def order(items: Sequence[Item]) -> list[Lane]:
    """Lanes by family in their fixed order, those of one family by their first item."""
    first: dict[str, Item] = {}
    for item in items:
        first.setdefault(item.lane, item)
    found = sorted(first.values(), key=lambda item: (LANES.index(item.family), item.start))
    return [Lane(item.lane, item.family, TOP + at * STEP) for at, item in enumerate(found)]


def label_all(items: Sequence[Item], end: float) -> None:
    """Words where they do not lie over each other nor beyond `end`, the weighty ones first; the rest is in the list and
    in titles."""
    taken: dict[str, list[tuple[float, float]]] = {}
    for item in sorted(items, key=lambda item: (not item.me, item.label not in WEIGHTY)):
        width = len(item.label) * LETTER + 6
        left = min(max(item.x - width / 2, LEFT), end - width)
        others = taken.setdefault(item.lane, [])
        if item.label and all(left + width <= start or end <= left for start, end in others):
            item.text, item.text_x, item.text_y = item.label, round(left + 3, 1), item.y - 12
            others.append((left, left + width))


def edges(items: Sequence[Item]) -> list[str]:
    """Curves from what happened to what it set off: the way from each item to the next one on another lane."""
    paths: list[str] = []
    for before, after in pairwise(items):
        x1, y1, x2, y2 = before.x + before.width, before.y, after.x, after.y
        if y1 == y2 or x2 < x1 - 12 or not (before.span or after.span or after.family in ("artifact", "deploy", "log")):
            continue
        if x2 - x1 < 24:
            paths.append(
                f"M{x1:.0f} {y1:.0f}V{(y2 - 14 if y2 > y1 else y2 + 14):.0f}Q{x1:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
            )
        else:
            bend = (x2 - x1) / 2
            paths.append(f"M{x1:.0f} {y1:.0f}C{x1 + bend:.0f} {y1:.0f} {x2 - bend:.0f} {y2:.0f} {x2:.0f} {y2:.0f}")
    return paths


def ticks(first: datetime, end: datetime, scale: float) -> list[Tick]:
    """At most nine times on the axis, at whole steps; a new day says its date."""
    length = end - first
    step = next((step for step in STEPS if length / step <= 9), STEPS[-1])
    at = wording.whole(first, step) + step
    made: list[Tick] = []
    day = None
    while at <= end:
        moment = at.astimezone(UTC)
        form = "clock" if step < timedelta(minutes=1) else "minute"
        if length > timedelta(hours=20):
            form = "day" if step >= timedelta(days=1) else "dated"
        dated = form == "day" or (form == "dated" and moment.date() != day)
        clock = f"{moment:%H:%M:%S}" if form == "clock" else f"{moment:%H:%M}"
        text = f"{moment.day} {moment:%b}" if dated else clock
        made.append(Tick(round(LEFT + 10 + (at - first).total_seconds() * scale, 1), text, moment, form))
        day = moment.date()
        at += step
    return made
