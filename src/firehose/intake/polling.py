"""Addresses that are asked again and again: politely, conditionally, and each new thing handed to the gate once.

In: a source instance that asked for `Poll`, the doors, and how a request is made. Out: deliveries in order, oldest
round first. An address is asked with `If-None-Match` and `If-Modified-Since`; what its last answer held already is
left out before the gate sees it; `Retry-After` and 410 are obeyed. One address that fails does not hold up the others,
and is named on the Sources page. Silence is watched by `freshness.py`, as for all sources that are not one connection.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec
import structlog

from firehose.errors import GiveUp, Refused, TryLater
from firehose.intake.instance import Instance
from firehose.intake.poll import MOST_PAGES
from firehose.intake.session import USUAL, Doors, Session, obey
from firehose.intake.watch import Mark
from firehose.plumbing.clock import Now, monotonic
from firehose.plumbing.http import Answer
from firehose.source import Delivery, Poll, Request

log = structlog.get_logger("polling")
Look = Callable[[Request, Mapping[str, str]], Awaitable[Answer]]
MOST_HELD: Final = 1_000
"""Digests kept of one address: more than any feed holds."""


class Polling(Session):
    """The rounds of one source. `run()` never returns."""

    def __init__(self, instance: Instance, poll: Poll, doors: Doors, look: Look, now: Now) -> None:
        super().__init__(instance, doors, now)
        self._poll = poll
        self._look = look
        self._not_before: dict[str, float] = {}

    async def run(self) -> None:
        """Round after round, without end."""
        self._state = await self._restore()
        while True:
            began = monotonic()
            self._report(await self._round())
            await self._keep(now=True)
            await self._rest(self._poll.every - (monotonic() - began))

    async def _round(self) -> dict[str, str]:
        """Ask all addresses; the troubles by address."""
        troubles: dict[str, str] = {}
        for request in self._poll.requests(self._state.cursor):
            mark = self._state.marks.get(request.url, Mark())
            if mark.gone:
                troubles[request.url] = f"{_place(request)} is gone for good (410): take it out of the settings"
                continue
            if monotonic() < self._not_before.get(request.url, 0.0):
                troubles[request.url] = f"{_place(request)} asked to wait"
                continue
            try:
                await self._ask(request, mark)
            except TryLater as error:
                self._not_before[request.url] = monotonic() + max(error.after, self._poll.every)
                troubles[request.url] = error.detail
            except (GiveUp, Refused) as error:
                troubles[request.url] = error.detail
            obey()
        return troubles

    async def _ask(self, request: Request, mark: Mark) -> None:
        """One address, page by page. The mark follows when everything in it is stored."""
        answer = await self._look(request, _conditions(mark))
        if answer.status == 304:
            return
        if answer.status == 410:
            self._mark(request.url, msgspec.structs.replace(mark, gone=True))
            return
        pages, digests = await self._pages(request, answer.body, mark)
        # Pages go from new to old, so the last one is handed over first.
        await self._hand_over([body for page in reversed(pages) for body in page])
        etag, modified = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
        self._mark(request.url, Mark(etag, modified, tuple(digests[-MOST_HELD:])))

    async def _pages(self, request: Request, body: bytes, mark: Mark) -> tuple[list[list[bytes]], list[str]]:
        """What is new on each page, until one holds nothing new, and the digests of all that was there."""
        kind, settings = self._instance.kind, self._instance.settings
        assert kind.recovered is not None
        held, cursor = set(mark.held), self._state.cursor
        pages: list[list[bytes]] = []
        digests: list[str] = []
        for _ in range(MOST_PAGES):
            bodies = kind.recovered(request, body, settings)
            fresh = [one for one in bodies if _digest(one) not in held and self._step(one, cursor).fresh]
            pages.append(fresh)
            digests += map(_digest, bodies)
            following = kind.more(request, body, settings) if kind.more else None
            if following is None or not fresh:
                return pages, digests
            request, body = following, (await self._look(following, {})).body
        raise GiveUp(f"{_place(request)} has more than {MOST_PAGES} pages of news; what is older stays out")

    async def _hand_over(self, bodies: list[bytes]) -> None:
        cursor, now = self._state.cursor, self._now()
        deliveries: list[Delivery] = []
        for body in bodies:
            step = self._step(body, cursor)
            cursor = step.cursor
            if step.fresh:
                deliveries.append(Delivery(source=self._instance.name, body=body, received=now, channel="poll"))
        if not deliveries:
            return
        await self._pass(deliveries)
        self._moved(cursor, now)

    def _mark(self, url: str, mark: Mark) -> None:
        self._state = msgspec.structs.replace(self._state, marks={**self._state.marks, url: mark})

    def _report(self, troubles: Mapping[str, str]) -> None:
        count = len(self._poll.requests(self._state.cursor))
        connection = f"polls {count} {'address' if count == 1 else 'addresses'} every {self._poll.every:g} s"
        told = "; ".join(list(troubles.values())[:5])
        if troubles and len(troubles) < count:
            connection += f"; {len(troubles)} of them in trouble: {told}"
        down = told if len(troubles) == count else ""
        if troubles:
            log.info("not all could be asked", source=self._instance.name, why=told)
        self._doors.report(connection, down, "asked again each round")

    async def _rest(self, seconds: float) -> None:
        until = monotonic() + max(seconds, USUAL.first)
        while (left := until - monotonic()) > 0:
            await self._keep()
            await asyncio.sleep(min(left, self._pace.tick))


def _conditions(mark: Mark) -> dict[str, str]:
    """Headers of a conditional request; never empty, so that 410 comes back as an answer."""
    found = {"If-None-Match": mark.etag, "If-Modified-Since": mark.modified}
    return {name: value for name, value in found.items() if value} or {"Accept": "*/*"}


def _digest(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=8).hexdigest()


def _place(request: Request) -> str:
    parts = urlsplit(request.url)
    return f"{parts.hostname}{parts.path}"
