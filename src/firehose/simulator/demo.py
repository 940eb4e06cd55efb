"""The demo: a day of history at once, then a world that goes on at a few events a second.

In: a folder for the stage, and the addresses of a hub that runs with the stage's settings. Out: traffic until it is
asked to stop. A world that ran before goes on where it was, so that a restarted demo does not tell its day twice.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog
from msgspec import structs

from firehose.errors import Broken
from firehose.plumbing.clock import now
from firehose.settings import Hub, Settings, build
from firehose.simulator.emit import Addresses, Emitter, play
from firehose.simulator.lives import populate
from firehose.simulator.oracle import Oracle
from firehose.simulator.stage import Stage
from firehose.simulator.world import DAY, Life, World, pace

log = structlog.get_logger("simulator")
RATE = 1.4
"""Deliveries a second, which become about three events: a report of Zuul's holds many builds."""
PATIENCE = 30.0
"""Seconds to wait for the hub's connection to the simulated Gerrit."""
WARM_UP = 900.0
"""Seconds before now in which the world speeds up to the live pace, so that builds are under way when people look."""


class Demo:
    """`stage.settings()` configures the hub; `run` plays once it is up."""

    def __init__(self, folder: Path, *, seed: int = 7) -> None:
        self.stage = Stage(folder)
        self._told = folder / "told-until"
        self._seed = seed

    def configured(self, settings: Settings) -> Settings:
        """The operator's settings with the stage's sources and logins. `Broken` when a name is taken."""
        staged = build(self.stage.settings())
        for name in staged.sources:
            if name in settings.sources:
                raise Broken(f"[sources.{name}] is a name of the simulated world; rename it for the demo", code=2)
        logins = (*settings.mqtt.logins, *staged.mqtt.logins)
        return structs.replace(
            settings,
            hub=settings.hub
            if settings.hub.name != Hub().name
            else structs.replace(settings.hub, name="Lumen (simulated)"),
            sources={**settings.sources, **staged.sources},
            mqtt=structs.replace(settings.mqtt, logins=logins),
        )

    async def run(self, addresses: Addresses, stop: asyncio.Event, *, rate: float = RATE) -> None:
        """Play until `stop` is set."""
        async with Emitter(self.stage, addresses, oracle=_Deaf()) as emitter:
            try:
                async with asyncio.timeout(PATIENCE):
                    await emitter.connected()
            except TimeoutError:
                log.warning("the hub does not read the simulated Gerrit yet; its first events may be missed")
            world = self.world(now().timestamp(), rate)
            try:
                await play(emitter, world.happenings(), stop)
            finally:
                self._told.write_text(str(world.now))
                log.info("the simulated world stops", deliveries=dict(emitter.counts))

    def world(self, time: float, rate: float) -> World:
        """A world whose last day (or the time since it was last told) is past, and which is busy at `time`."""
        begin = max(time - DAY, self._told_until())
        world = World(self._seed + int(begin), begin, rhythm=True)
        populate(world)
        world.spawn(speed_up(world, rate), after=max(0.0, time - WARM_UP - begin))
        return world

    def _told_until(self) -> float:
        try:
            return float(self._told.read_text())
        except (OSError, ValueError):
            return 0.0


def speed_up(world: World, rate: float) -> Life:
    """A life that does nothing but make the world livelier from its first moment on."""
    world.rhythm = False
    world.crowd, world.tempo = pace(rate)
    yield 0.0


def addresses(settings: Settings) -> Addresses:
    """Where a hub with these settings listens."""
    return Addresses(f"http://{settings.http.listen}", settings.mqtt.listen)


class _Deaf(Oracle):
    """The demo runs for days: nobody asks its oracle, so that keeps no books."""

    def sent(self, service: str, body: bytes) -> list[str]:
        """Nothing."""
        return []
