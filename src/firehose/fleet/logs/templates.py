"""Templates: which kinds of lines there are, which are new, and which come much more often than usual.

In: the text of lines, scrubbed; the time. Out: what was found, for whoever makes events of it. drain3 does the mining;
nothing else knows it. What lines have in common is remembered as text, so that another miner could take over.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import msgspec
from drain3.drain import Drain

from firehose.fleet.logs.scrub import mask

MOST: Final = 4_000
"""Templates that are known at once; the one that was not seen for longest is forgotten first."""
CACHED: Final = 8_000
PERIOD: Final = 60.0
LEAST: Final = 60.0
"""Lines a minute below which nothing is a burst."""
FACTOR: Final = 10.0
QUIET: Final = 3_600.0
"""Seconds until the same template may be told to burst again."""
STEADY: Final = 3
"""Minutes after which a template has a usual rate."""


class Template(msgspec.Struct, kw_only=True):
    """A kind of lines. `number` names it for good. `text` has `<*>` where lines differ. `usual`: lines a minute, on
    average; `this`: in the minute that runs. `passing`: it was seen in a build that passed. A line that stands for
    others counts as all of them.
    """

    number: int
    text: str
    first: float
    last: float
    seen: float = 0.0
    usual: float = 0.0
    this: float = 0.0
    minutes: int = 0
    passing: bool = False
    told: bool = False
    burst: float = 0.0


class Found(msgspec.Struct, frozen=True):
    """What a line's template is, and whether it is `new` or has just begun to `burst` (with what was usual)."""

    template: Template
    new: bool = False
    burst: bool = False


class Miner:
    """The templates of one source. `changed` collects what the book must be told."""

    def __init__(self, known: list[Template], number: int, moment: float) -> None:
        self._drain = Drain(depth=4, sim_th=0.4, max_children=100, max_clusters=MOST)
        self._by_cluster: OrderedDict[int, Template] = OrderedDict()
        self._cache: OrderedDict[str, int] = OrderedDict()
        self._next = number
        self._minute = moment // PERIOD
        self.changed: dict[int, Template] = {}
        self.gone: list[int] = []
        for template in sorted(known, key=lambda one: one.last)[-MOST:]:
            cluster, _ = self._drain.add_log_message(template.text)
            self._by_cluster[cluster.cluster_id] = template

    def learn(self, text: str, moment: float, *, weight: float = 1.0, passing: bool = False) -> Found:
        """A line that stands for `weight` lines; `passing`: of a build that passed."""
        if moment // PERIOD > self._minute:
            self._turn(moment)
        template, new = self._template(mask(text), moment)
        template.seen += weight
        template.this += weight
        template.last = moment
        if passing:
            template.passing = template.told = True
        self.changed[template.number] = template
        least = max(LEAST, FACTOR * template.usual)
        rested = not template.burst or moment - template.burst > QUIET
        burst = template.minutes >= STEADY and template.this >= least and rested
        if burst:
            template.burst = moment
        return Found(template, new, burst)

    def _template(self, masked: str, moment: float) -> tuple[Template, bool]:
        cluster_id = self._cache.get(masked)
        if cluster_id is not None and cluster_id in self._by_cluster:
            self._by_cluster.move_to_end(cluster_id)
            return self._by_cluster[cluster_id], False
        cluster, _ = self._drain.add_log_message(masked)
        cluster_id = cluster.cluster_id
        self._cache[masked] = cluster_id
        if len(self._cache) > CACHED:
            self._cache.popitem(last=False)
        template = self._by_cluster.get(cluster_id)
        if template is not None:
            template.text = cluster.get_template()
            self._by_cluster.move_to_end(cluster_id)
            return template, False
        template = Template(number=self._next, text=cluster.get_template(), first=moment, last=moment)
        self._next += 1
        self._by_cluster[cluster_id] = template
        if len(self._by_cluster) > MOST:
            _, oldest = self._by_cluster.popitem(last=False)
            self.changed.pop(oldest.number, None)
            self.gone.append(oldest.number)
        return template, True

    def _turn(self, moment: float) -> None:
        """A minute is over: what was counted in it becomes part of what is usual."""
        passed = int(moment // PERIOD - self._minute)
        self._minute = moment // PERIOD
        for template in self._by_cluster.values():
            for count in (template.this, *[0.0] * min(passed - 1, 10)):
                # The first minutes are averaged as they are, so that a usual rate is soon known.
                share = max(0.1, 1.0 / (template.minutes + 1))
                template.usual += (count - template.usual) * share
                template.minutes += 1
            template.this = 0.0
