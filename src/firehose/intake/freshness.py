"""The silence alarm for sources that are spoken to: webhooks and producers have no connection that could be asked.

In: the ledger's books, now and then. Out: `incident.detected` about a source that has been silent for longer than its
freshness limit, `incident.resolved` when it speaks again. Ids come from the last event's time, so a restart raises no
alarm twice. Sources with a connection of their own judge their silence themselves (`stream.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final, Literal

import msgspec
import structlog

from firehose.errors import TryLater
from firehose.event import Event
from firehose.intake import watch
from firehose.intake.connections import own
from firehose.intake.gate import Gate
from firehose.intake.instance import Instance
from firehose.intake.ledger import Health, Ledger
from firehose.plumbing.clock import Now

log = structlog.get_logger("freshness")
LOOK_SECONDS: Final = 10.0
Alarm = Literal["silent", "heard"]


def changes(reports: Collection[Health], silent: Mapping[str, datetime]) -> dict[str, tuple[Alarm, datetime]]:
    """Which sources fell silent or spoke again, with the time of the last event before the silence. `silent` are the
    ones whose alarm is raised."""
    found: dict[str, tuple[Alarm, datetime]] = {}
    for health in reports:
        raised = silent.get(health.name)
        if health.state == "quiet" and raised is None and health.last_event is not None:
            found[health.name] = ("silent", health.last_event)
        elif raised is not None and health.last_event is not None and health.last_event > raised:
            found[health.name] = ("heard", raised)
    return found


class Freshness:
    """The watch over the sources without a connection. `run()` never returns."""

    def __init__(self, instances: Mapping[str, Instance], ledger: Ledger, gate: Gate, now: Now) -> None:
        self._spoken_to = {
            name: instance
            for name, instance in instances.items()
            if instance.settings.freshness and not (instance.kind.lines and instance.kind.lines(instance.settings))
        }
        self._ledger = ledger
        self._gate = gate
        self._now = now
        self._silent: dict[str, datetime] = {}

    async def run(self) -> None:
        """Look every few seconds."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Tell what changed since the last look; what cannot be told now is told at the next."""
        reports = [health for health in self._ledger.report() if health.name in self._spoken_to]
        for name, (alarm, since) in changes(reports, self._silent).items():
            instance = self._spoken_to[name]
            make = watch.heard if alarm == "heard" else _silent
            try:
                await self._gate.publish(name, own(instance, make(name, instance.settings.url, since, self._now())))
            except TryLater as error:
                log.info("an alarm waits", source=name, error=error.detail)
                continue
            if alarm == "silent":
                self._silent[name] = since
            else:
                del self._silent[name]


def _silent(name: str, url: str, since: datetime, now: datetime) -> Event:
    event = watch.silent(name, url, since, now, answers=True)
    told = f"Source {name} has sent nothing for {int((now - since).total_seconds())} s"
    return msgspec.structs.replace(event, summary=told)
