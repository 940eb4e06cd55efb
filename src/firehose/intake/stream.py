"""One long connection: held, read, resumed, and its gaps recovered. Each line is a delivery to the gate.

In: a source instance that asked for `SshLines`, and the doors to gate, bus and ledger. Out: deliveries in order, and
events about the source itself when it falls silent or when missed events cannot be brought back. The cursor moves
only after the gate has stored what it covers, so a crash repeats lines (the gate knows their ids) and skips none.
What to do is decided in `watch.py` and by the source; here it is only done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

import msgspec
import structlog

from firehose.errors import TryLater
from firehose.intake import watch
from firehose.intake.instance import Instance
from firehose.intake.judge import too_large
from firehose.intake.lines import Lines, Oversize
from firehose.intake.poll import recover
from firehose.intake.session import USUAL, Doors, Pace, Session, obey
from firehose.intake.ssh import SETTINGS_WAIT, Ended, Link, connect, start
from firehose.plumbing.clock import Now, monotonic
from firehose.source import Delivery, SshLines

log = structlog.get_logger("stream")


class Stream(Session):
    """The connection of one source. `run()` never returns."""

    def __init__(self, instance: Instance, lines: SshLines, doors: Doors, now: Now, pace: Pace = USUAL) -> None:
        super().__init__(instance, doors, now, pace)
        self._lines = lines
        self._next_try = now()
        self._plain = False
        self._gaps = "none yet"

    async def run(self) -> None:
        """Connect, read, and again, without end."""
        self._state = await self._restore()
        waits = self._waits()
        while True:
            began = monotonic()
            try:
                await self._hold()
            except TryLater as error:
                why, wait = error.detail, error.after if error.after >= SETTINGS_WAIT else None
            except Ended as error:
                why, wait = error.detail, None
                if error.unknown and not self._plain and not self._lines.only_exact:
                    self._plain, wait = True, 0.0
            obey()
            if monotonic() - began >= self._pace.good:
                waits, self._plain = self._waits(), False
            self._say(f"not connected to {self._place}", down=why)
            log.info("not connected", source=self._instance.name, why=why)
            await self._rest(next(waits) if wait is None else wait)

    @property
    def _place(self) -> str:
        return f"{self._lines.host}:{self._lines.port}"

    def _say(self, connection: str, *, down: str = "") -> None:
        self._doors.report(connection, down, self._gaps)

    async def _hold(self) -> None:
        """One connection, from opening to its end."""
        first = self._state.seen is None
        link, chunk, command, resumed = await self._open()
        try:
            if resumed:
                self._gaps = "resumes exactly"
            elif not first:
                self._state = watch.owe(self._state, self._now())
            self._say(f"SSH {self._place}: {command}")
            await self._pay()
            self._say(f"SSH {self._place}: {command}")
            splitter = Lines()
            while True:
                if chunk:
                    await self._take(splitter.feed(chunk))
                await self._tick(link)
                obey()
                chunk = await link.read(self._pace.tick)
        finally:
            await link.close()
            await self._keep(now=True)

    async def _open(self) -> tuple[Link, bytes, str, bool]:
        """The link, what it said at once, the command in words, and whether that goes on after the cursor."""
        lines = self._lines
        if lines.exact is not None and not self._plain:
            self._begin()
            fresh, command = lines.exact(""), lines.exact(self._state.cursor)
            link = await self._linked(command)
            try:
                return link, await link.read(self._pace.settle), fresh, command != fresh
            except Ended as error:
                await link.close()
                if not error.unknown:
                    raise
                if lines.only_exact:
                    raise TryLater(f"{self._place} does not know {fresh!r}", after=SETTINGS_WAIT) from None
            self._plain = True
        return await self._linked(lines.command), b"", lines.command, False

    async def _linked(self, command: str) -> Link:
        """An open link with the command at work."""
        connection = await connect(self._lines)
        try:
            await self._expect()
        except BaseException:
            connection.abort()
            raise
        return await start(connection, self._lines, command)

    async def _expect(self) -> None:
        """From the first command on, what comes is owed, also if the hub dies before the first line: so it is kept
        before the server begins to talk. Without that there is no command (`TryLater`)."""
        if self._state.seen is not None:
            return
        state = msgspec.structs.replace(self._state, seen=self._now())
        await self._doors.save(msgspec.json.encode(state))
        self._state, self._saved = state, (state, monotonic())

    def _begin(self) -> None:
        """Give a connection that broke before its first line a cursor."""
        state, since = self._state, self._lines.since
        if not state.cursor and state.seen is not None and since is not None:
            self._state = msgspec.structs.replace(state, cursor=since(state.seen))

    async def _take(self, items: Sequence[bytes | Oversize]) -> None:
        """Pass lines on; the cursor follows when all of them are stored."""
        before = self._state
        cursor = before.cursor
        missed = False
        now = self._now()
        deliveries: list[Delivery] = []
        for item in items:
            if isinstance(item, Oversize):
                self._doors.refuse(too_large(item.size))
                continue
            step = self._step(item, cursor)
            cursor, missed = step.cursor, missed or step.dropped or step.broke
            if step.fresh:
                deliveries.append(Delivery(source=self._instance.name, body=item, received=now, channel="ssh"))
        if not items:
            return
        await self._pass(deliveries)
        self._moved(cursor, now)
        await self._resolve()
        if missed:
            self._state = watch.owe(self._state, self._now(), before)
            await self._pay()

    async def _pay(self) -> None:
        """Recover what is owed, if it is due."""
        owed = self._state.owed
        if owed is None:
            return
        name, now = self._instance.name, self._now()
        found = await recover(self._instance.kind, owed.gap(), self._instance.settings, self._doors.fetch)
        if found.way:
            count = await self._recovered(found.lines, now)
            self._gaps = f"{count} events by {found.way}, {now:%Y-%m-%d %H:%M} UTC"
        elif found.later and owed.tries < watch.TRIES:
            self._next_try = now + watch.retry_after(owed.tries)
            tried = msgspec.structs.replace(owed, tries=owed.tries + 1)
            self._state = msgspec.structs.replace(self._state, owed=tried)
            self._gaps = f"to be recovered: {found.why}"
            return
        else:
            await self._doors.announce(watch.lost(name, self._instance.settings.url, owed, found.why))
            self._gaps = f"not recovered since {owed.since:%Y-%m-%d %H:%M} UTC: {found.why}"
        log.info("gap", source=name, since=str(owed.since), way=found.way, lines=len(found.lines), why=found.why)
        self._state = msgspec.structs.replace(self._state, owed=None)
        await self._keep(now=True)

    async def _recovered(self, lines: Sequence[bytes], now: datetime) -> int:
        """Pass recovered lines on, but for those that the stream told already under another id; how many were new."""
        cursor = self._state.cursor
        deliveries: list[Delivery] = []
        for line in lines:
            step = self._step(line, cursor)
            cursor = step.cursor
            if step.fresh:
                deliveries.append(Delivery(source=self._instance.name, body=line, received=now, channel="poll"))
        await self._pass(deliveries)
        self._state = msgspec.structs.replace(self._state, cursor=cursor)
        return len(deliveries)

    async def _tick(self, link: Link | None) -> None:
        """What is due beside reading: alarm, debts, the kept cursor."""
        now = self._now()
        if self._is_overdue():
            await self._alarm(link is not None and await link.probe(self._lines.probe))
            if link is not None:
                raise Ended(f"no line for {int((now - self._heard).total_seconds())} s")
        if link is not None and self._state.owed is not None and now >= self._next_try:
            await self._pay()
        await self._keep()

    async def _rest(self, seconds: float) -> None:
        """Wait before the next connection; silence is an alarm then, too."""
        until = monotonic() + seconds
        while True:
            try:
                await self._tick(None)
            except TryLater as error:
                log.info("the hub's stream is away", why=error.detail)
            left = until - monotonic()
            if left <= 0:
                return
            await asyncio.sleep(min(left, self._pace.tick))
