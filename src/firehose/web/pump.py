"""One reader of a live stream: from its cursor through the history into the live end, until somebody ends it.

In: what the reader asked for and a way to write. Out: chunks, heartbeats, a goodbye with the cursor. A reader is cut
only when it takes nothing at all for `STALL` seconds; how far it is behind does not matter. It knows no HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from firehose.errors import FirehoseError
from firehose.event import Recorded
from firehose.history.replay import Step, events
from firehose.plumbing import metrics
from firehose.plumbing.clock import monotonic
from firehose.query.tree import Node
from firehose.web.encodings import Chunk, Encoding, Render, Shared, envelope
from firehose.web.hub import Hub
from firehose.web.patience import Patience

HEARTBEAT: Final = 15.0
STALL: Final = 60.0
TICK: Final = 1.0
GOODBYE_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Wish:
    """What a reader asked for. `after` is where it starts (exclusive), `before` the first sequence that it does not
    want (0 open), `since` the moment at which it begins to want them, `until` the moment at which it ends, `most`
    how many events at most (0 open). `group` is the same number for the same query."""

    node: Node
    after: int
    encoding: Encoding
    render: Render = envelope
    before: int = 0
    since: datetime | None = None
    until: datetime | None = None
    most: int = 0
    group: int = 0


@dataclass
class Pump:
    """A reader being served. `cursor` is how far it was served; `stopping`: the hub will cancel it."""

    hub: Hub
    wish: Wish
    shared: Shared
    write: Callable[[Chunk], Awaitable[None]]
    heartbeat: float = HEARTBEAT
    stall: float = STALL
    cursor: int = field(init=False)
    given: int = field(default=0, init=False)
    reason: str = field(default="", init=False)
    stopping: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.cursor = self.wish.after
        self._patience = Patience(self.stall)
        self._counter = metrics.delivered.labels(self.wish.encoding.name)

    async def run(self) -> None:
        """Serve until the wish is fulfilled or the reader stalls; cancelled when it went away or the hub stops."""
        try:
            async with self._patience.limit():
                await self._serve()
        except TimeoutError:
            await self.goodbye("stalled", f"nothing was read for {self.stall:.0f} s")
        except FirehoseError as error:
            await self.goodbye(getattr(error, "slug", "try-later"), error.detail)
        except asyncio.CancelledError:
            if self.stopping:
                await self.goodbye("shutdown", "the hub stops; come back with this cursor")
            raise

    async def _serve(self) -> None:
        live, wish = self.hub.live, self.wish
        await self._say("info", {"head": f"{live.head:020d}", "heartbeat": self.heartbeat})
        beat = monotonic() + self.heartbeat
        idle = min(TICK, self.heartbeat / 2)
        steps = events(live, self.hub.reader, wish.after, wish.node, idle=idle, bus=self.hub.bus)
        async with aclosing(steps):
            async for step in steps:
                found = self._wanted(step.events)
                if found:
                    await self._give(found)
                if not self._full():
                    self.cursor = max(self.cursor, self._reached(step))
                if self._over(step):
                    await self.goodbye("complete", "everything that was asked for was sent")
                    return
                now = monotonic()
                if now >= beat:
                    beat = now + self.heartbeat
                    await self._beat()

    def _wanted(self, found: list[Recorded]) -> list[Recorded]:
        wish = self.wish
        if wish.before and found and found[-1].sequence >= wish.before:
            found = [event for event in found if event.sequence < wish.before]
        if wish.since and found and found[0].recorded < wish.since:
            found = [event for event in found if event.recorded >= wish.since]
        late = self._late(found)
        if late:
            found = [event for event in found if event.sequence < late]
        if wish.most and len(found) > wish.most - self.given:
            found = found[: wish.most - self.given]
        return found

    def _late(self, found: list[Recorded]) -> int:
        """The sequence of the first event that was recorded too late, 0 when none was."""
        until = self.wish.until
        if until is None:
            return 0
        return next((event.sequence for event in found if event.recorded >= until), 0)

    def _reached(self, step: Step) -> int:
        """Up to where the reader is served: never beyond what it asked for, or who resumes there would miss events."""
        late = self._late(step.events)
        ends = [end - 1 for end in (self.wish.before, late) if end]
        return min([step.cursor, *ends])

    def _full(self) -> bool:
        return 0 < self.wish.most <= self.given

    def _over(self, step: Step) -> bool:
        wish = self.wish
        if self._full() or (wish.before and step.cursor >= wish.before - 1) or self._late(step.events):
            return True
        return wish.until is not None and step.cursor >= self.hub.live.head and self.hub.now() >= wish.until

    async def _give(self, found: list[Recorded]) -> None:
        wish = self.wish
        for piece in self.shared.pieces(wish.encoding, wish.group, found, wish.render):
            with self._patience:
                await self.write(piece.chunk)
            self.cursor = piece.last
            self.given += piece.events
            self._counter.inc(piece.events)

    async def _beat(self) -> None:
        head = self.hub.live.head
        await self._say("heartbeat", {"head": f"{head:020d}", "lag": max(0, head - self.cursor)})

    async def _say(self, word: str, members: dict[str, object]) -> None:
        with self._patience:
            await self.write(self.wish.encoding.control(word, self.cursor, members))

    async def goodbye(self, reason: str, detail: str) -> None:
        """The last word: why the stream ends, and the cursor to go on from."""
        self.reason = reason
        if reason != "complete":
            metrics.goodbyes.labels(reason).inc()
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                members: dict[str, object] = {"reason": reason, "detail": detail}
                await self.write(self.wish.encoding.control("goodbye", self.cursor, members))
