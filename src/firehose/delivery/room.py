"""The delivery room: all sinks of the settings, each with a runner of its own, and the orders that reach them.

In: settings and the hub's stream. Out: jobs to run, the health of each sink. It joins the parts and knows no kind.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from firehose import sink as sink_kinds
from firehose.delivery import deadletters, position, runner, unsubscribe
from firehose.delivery.books import SinkHealth
from firehose.delivery.runner import Ears, Runner
from firehose.errors import Broken, Refused, TryLater, words
from firehose.plumbing import addresses
from firehose.plumbing.signing import Signer
from firehose.settings import Settings, secret
from firehose.sink import Outlet, Tools, Transport

log = structlog.get_logger("delivery")
ORDER_SECONDS: Final = 1.0
RESERVED: Final = "notifications"
"""The sink that people's rules feed; see `notify/notifier.py`."""


def outlets(settings: Settings, now: Any) -> list[Outlet]:
    """The sinks of the settings; `Broken` (code 2) names the one whose query, topics or beginning is wrong."""
    found = []
    if RESERVED in settings.sinks:
        raise Broken(f"sinks.{RESERVED}: that name is the hub's own, for [notify]; take another", code=2)
    for name, own in settings.sinks.items():
        kind = sink_kinds.load(own.kind)
        outlet = Outlet(
            name=name, kind=kind, settings=own, hub_url=settings.public_url, hub_name=settings.hub.name
        )  # fmt: skip
        try:
            runner.wanted(outlet, now())
            runner.begin(outlet, now())
        except Refused as error:
            raise Broken(f"sinks.{name}: {error.detail}", code=2) from None
        problem = kind.check(own) or _allowed(own)
        if problem:
            raise Broken(f"sinks.{name}: {problem}", code=2)
        found.append(outlet)
    return found


def signer(data: Path) -> Signer:
    """The key that webhooks are signed with; its public half is published at `/v1/keys`."""
    return Signer(data / "keys" / "webhook.key")


class Room:
    """The sinks of one process. `jobs()` to run, `close()` at the end."""

    def __init__(self, given: Sequence[Outlet], ears: Ears, sign: Signer) -> None:
        self._ears = ears
        self._runners: dict[str, Runner] = {}
        for outlet in given:
            back = partial(self._back, outlet.name)
            stopped = partial(unsubscribe.stopped, ears.bus, outlet.name)
            tools = Tools(
                secret=partial(secret, outlet.settings), sign=sign.sign, now=ears.now, back=back, stopped=stopped,
                notes=position.Notes(ears.bus, outlet.name),
            )  # fmt: skip
            linked = dataclasses.replace(
                outlet, stop_url=partial(unsubscribe.link, sign, outlet.hub_url, outlet.name)
            )  # fmt: skip
            self._runners[outlet.name] = Runner(linked, transport(linked, tools), ears)

    def jobs(self) -> Sequence[tuple[str, Coroutine[Any, Any, None]]]:
        """Named, without end."""
        own = [(f"sink {name}", running.run()) for name, running in self._runners.items()]
        return [*own, ("sink orders", self._obey())]

    def report(self) -> list[SinkHealth]:
        """Every sink, as it stands now."""
        return [running.health() for running in self._runners.values()]

    def cursor(self, name: str) -> int:
        """How far a sink has read; 0 when there is no such one."""
        running = self._runners.get(name)
        return running.cursor if running is not None else 0

    def books(self) -> bytes:
        """The same as JSON."""
        return msgspec.json.encode(self.report())

    async def close(self) -> None:
        """Save every position; the jobs must have ended."""
        await asyncio.gather(*(running.close() for running in self._runners.values()))

    def _back(self, name: str) -> None:
        self._runners[name].hurry()

    async def _obey(self) -> None:
        while True:
            try:
                for number, order in await deadletters.orders(self._ears.bus):
                    running = self._runners.get(order.sink)
                    if running is not None:
                        # On disk with the sink's position before it leaves the shelf: a crash between obeys twice.
                        await running.obey(order)
                        await self._ears.bus.unshelve(deadletters.ORDERS, number)
            except TryLater as error:
                log.debug("orders wait", error=error.detail)
            await asyncio.sleep(ORDER_SECONDS)


def transport(outlet: Outlet, tools: Tools) -> Transport:
    """The transport of a sink; `Broken` names the sink."""
    try:
        return outlet.kind.connect(outlet, tools)
    except Broken as error:
        raise Broken(f"sinks.{outlet.name}: {error.detail}", code=error.code) from None
    except (ValueError, OSError) as error:
        # What a library makes of settings that nobody here looked at; `ssl.SSLError` is an `OSError`.
        raise Broken(f"sinks.{outlet.name}: {words(error)}", code=2) from None


def _allowed(own: Any) -> str:
    problem = addresses.problem(own.allow)
    return f"allow: {problem}" if problem else ""
