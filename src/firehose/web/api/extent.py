"""Which events a chart or a badge counts: those of the request's span, else of the last 24 hours.

In: a request, whose span may be given in times or in sequences. Out: an `Extent`, which has the times in any case, or
`Refused` (400) when the span ends before it begins.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

from firehose.errors import Refused
from firehose.query import params
from firehose.query.tree import Everything, Node, both
from firehose.web import asked
from firehose.web.hub import Hub

DAY: Final = timedelta(days=1)
_TICK: Final = timedelta(microseconds=1)


class Extent(msgspec.Struct, frozen=True, kw_only=True):
    """A query within its span. `begin` (included) and `end` are times of recording; `since` and `until` are the same
    for those ends that are no sequences, which `node` holds."""

    node: Node
    begin: datetime
    end: datetime
    since: datetime | None
    until: datetime | None


async def extent(hub: Hub, wanted: params.Request) -> Extent:
    """The span of a request."""
    until, now = wanted.until, hub.now()
    end = await _end(hub, until, now)
    since = wanted.since or params.Place(moment=end - DAY)
    begin = await _begin(hub, since, now)
    low, high = since.sequence, until.sequence if until else None
    if begin > end if low is None or high is None else low > high:
        raise Refused("the parameter since is later than until, which is now where it is not given",
                      slug="bad-parameter", field="since")  # fmt: skip
    return Extent(
        node=both(wanted.node, *asked.bounds(wanted, hub.live.head)),
        begin=begin,
        end=max(begin, end),
        since=since.moment,
        until=end if until is None or until.latest else until.moment,
    )


async def _begin(hub: Hub, since: params.Place, now: datetime) -> datetime:
    """When a span begins; that of a sequence when the first of its events was recorded."""
    if since.moment is not None:
        return since.moment
    if since.latest:
        return now
    page = await hub.reader.find(Everything(), after=max((since.sequence or 0) - 1, 0), descending=False, limit=1)
    return page.events[0].recorded if page.events else now


async def _end(hub: Hub, until: params.Place | None, now: datetime) -> datetime:
    """When a span ends; that of a sequence just after the last of its events was recorded."""
    if until is not None and until.moment is not None:
        return until.moment
    if until is None or until.latest:
        return now
    page = await hub.reader.find(Everything(), before=max(until.sequence or 0, 1), descending=True, limit=1)
    return page.events[0].recorded + _TICK if page.events else now
