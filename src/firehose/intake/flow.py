"""An HTTP answer that never ends, read line by line and resumed where it broke off.

In: a source instance that asked for `JsonLines`, and the doors. Out: lines as deliveries, in order; the cursor follows
when the gate has stored what it covers, so a break repeats some (the gate knows their ids) and skips none. A cursor
that the server no longer knows is a gap, and told as one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec
import structlog

from firehose.errors import GiveUp, Refused, TryLater
from firehose.intake import watch
from firehose.intake.instance import Instance
from firehose.intake.judge import too_large
from firehose.intake.lines import Lines, Oversize
from firehose.intake.poll import dressed, problem
from firehose.intake.session import Doors, Session, obey
from firehose.plumbing.clock import Now, monotonic
from firehose.plumbing.http import Client, Flow
from firehose.source import Delivery, JsonLines

log = structlog.get_logger("flow")
SETTINGS_WAIT = 60.0


class FlowReader(Session):
    """The stream of one source. `run()` never returns."""

    def __init__(self, instance: Instance, want: JsonLines, doors: Doors, client: Client, now: Now) -> None:
        super().__init__(instance, doors, now)
        self._want = want
        self._client = client
        self._place = urlsplit(instance.settings.url).netloc
        self._gaps = "resumes exactly"

    async def run(self) -> None:
        """Ask, read, and again, without end."""
        self._state = await self._restore()
        waits = self._waits()
        while True:
            began, wait = monotonic(), 0.0
            try:
                why = await self._hold()
            except TryLater as error:
                why, wait = error.detail, 0.0 if error.after <= 5.0 else min(error.after, SETTINGS_WAIT)
            except (GiveUp, Refused) as error:
                why, wait = error.detail, SETTINGS_WAIT
            obey()
            if monotonic() - began >= self._pace.good:
                waits = self._waits()
            self._doors.report(f"not connected to {self._place}", why, self._gaps)
            log.info("not connected", source=self._instance.name, why=why)
            await self._keep(now=True)
            await asyncio.sleep(wait or next(waits))

    async def _hold(self) -> str:
        """One connection, from the request to its end; why it ended."""
        request = self._want.request(self._state.cursor)
        async with self._client.open(request.url, dressed(request, self._instance.settings, {})) as flow:
            if flow.status != 200:
                return await self._go_on(flow, problem(request.url, flow.status, flow.headers))
            self._doors.report(f"HTTP {self._place}", "", self._gaps)
            splitter = Lines(self._instance.kind.most)
            async for chunk in flow.chunks():
                await self._take(splitter.feed(chunk))
                await self._keep()
                obey()
            return "the server ended the stream"

    async def _take(self, items: Sequence[bytes | Oversize]) -> None:
        """Pass lines on; the cursor follows when all of them are stored."""
        cursor, now = self._state.cursor, self._now()
        deliveries: list[Delivery] = []
        for item in items:
            if isinstance(item, Oversize):
                self._doors.refuse(too_large(item.size))
                continue
            try:
                step = self._step(item, cursor)
            except Refused as error:
                self._doors.refuse(error)
                continue
            cursor = step.cursor
            if step.fresh:
                deliveries.append(Delivery(source=self._instance.name, body=item, received=now, channel="stream"))
        if deliveries:
            await self._pass(deliveries)
            self._moved(cursor, now)
        else:
            self._state = msgspec.structs.replace(self._state, cursor=cursor)

    async def _go_on(self, flow: Flow, error: TryLater | GiveUp) -> str:
        """Another cursor when the server does not know ours: what lies between is a gap, and told. Else the error."""
        try:
            cursor = self._want.restart(await flow.body())
        except Refused:
            raise error from None
        if not cursor or cursor == self._state.cursor:
            raise error
        now = self._now()
        why = f"{self._place} does not have what came after the cursor {self._state.cursor}"
        if self._state.cursor != self._want.origin:
            owed = watch.Owed(self._state.seen or now, now, self._state.cursor)
            settings = self._instance.settings
            await self._doors.announce(watch.lost(self._instance.name, settings.url, owed, why))
            self._gaps = f"not recovered since {owed.since:%Y-%m-%d %H:%M} UTC: {why}"
        self._state = msgspec.structs.replace(self._state, cursor=cursor)
        return why
