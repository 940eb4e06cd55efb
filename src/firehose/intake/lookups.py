"""Names for numbers: what a service can be asked about the things that its messages only number.

In: deliveries, and the source's `lookups`. Out: the same deliveries, in order, with the answers. An answer is kept as
long as the source says, a failure for five minutes: a service that is away costs one wait and no event. It refuses to
know what answers mean.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import structlog

from firehose.errors import GiveUp, Refused, TryLater
from firehose.intake.poll import Fetch
from firehose.plumbing.clock import monotonic
from firehose.source import Delivery, Request, SourceKind

log = structlog.get_logger("lookups")
SECONDS: Final = 10.0
"""How long deliveries wait for names, all of a batch together."""
FAILED: Final = 300.0
MOST: Final = 5_000
"""Answers that are kept."""
LARGEST: Final = 65_536
"""Bytes of an answer that is kept; a name is in less."""
ABREAST: Final = 4
LEVELS: Final = 3
"""How often an answer may lead to a further question."""


class Lookups:
    """The answers of one source's service."""

    def __init__(self, kind: SourceKind, settings: Any, fetch: Fetch) -> None:
        assert kind.lookups is not None
        self._wanted = kind.lookups
        self._settings = settings
        self._fetch = fetch
        self._kept: OrderedDict[str, tuple[float, bytes | None]] = OrderedDict()
        self._away_until = 0.0

    async def fill(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """The deliveries with what is known about them; those whose questions have no answer stay as they are."""
        found = list(deliveries)
        until = monotonic() + SECONDS
        for _ in range(LEVELS):
            wanted = [self._questions(delivery) for delivery in found]
            await self._ask({one.url: one for some in wanted for one in some}, until)
            found = [self._with(delivery, some) for delivery, some in zip(found, wanted, strict=True)]
            if not any(wanted):
                break
        return found

    def _questions(self, delivery: Delivery) -> list[Request]:
        try:
            return [one for one in self._wanted(delivery, self._settings) if one.about not in delivery.known]
        except Refused:
            return []  # the gate says what is wrong with it

    def _with(self, delivery: Delivery, asked: Sequence[Request]) -> Delivery:
        answers = {one.about: self._kept.get(one.url, (0.0, None))[1] for one in asked}
        told = {about: body for about, body in answers.items() if body is not None}
        return msgspec.structs.replace(delivery, known={**delivery.known, **told}) if told else delivery

    async def _ask(self, wanted: dict[str, Request], until: float) -> None:
        now = monotonic()
        missing = [one for url, one in wanted.items() if self._kept.get(url, (0.0, None))[0] <= now]
        lanes = asyncio.Semaphore(ABREAST)
        await asyncio.gather(*(self._one(request, lanes, until) for request in missing))

    async def _one(self, request: Request, lanes: asyncio.Semaphore, until: float) -> None:
        async with lanes:
            left = until - monotonic()
            if left <= 0 or monotonic() < self._away_until:
                return
            try:
                async with asyncio.timeout(left):
                    body = await self._fetch(request)
            except (TryLater, TimeoutError) as error:
                self._away_until = monotonic() + FAILED
                log.info("names cannot be looked up", about=request.about, why=str(error) or "no answer in time")
            except GiveUp as error:
                log.debug("nothing to look up", about=request.about, why=error.detail)
                self._keep(request.url, None, FAILED)
            else:
                self._keep(request.url, body if len(body) <= LARGEST else None, request.keep)

    def _keep(self, url: str, body: bytes | None, seconds: float) -> None:
        self._kept[url] = (monotonic() + seconds, body)
        self._kept.move_to_end(url)
        if len(self._kept) > MOST:
            self._kept.popitem(last=False)
