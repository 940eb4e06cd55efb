"""Emission: happenings leave as native bytes, each by the protocol of its service, at the pace of the world's clock.

In: a world, a stage (`stage.py`: the fake Gerrit and the secrets) and the hub's addresses. Out: SSH lines, signed
webhooks, MQTT messages; each is told to the oracle before it leaves and again when the hub has promised to keep it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from functools import partial

import msgspec
import structlog

from firehose.plumbing.clock import now
from firehose.plumbing.tasks import Crew
from firehose.simulator.happening import Happening, Post
from firehose.simulator.hooks import Hooks
from firehose.simulator.native import render
from firehose.simulator.oracle import Oracle, digest
from firehose.simulator.publisher import Publisher
from firehose.simulator.stage import Stage

log = structlog.get_logger("simulator")
LANES = 8
LANE_ROOM = 50
PAST_RATE = 1_500
"""Deliveries a second at which a past is told: fast, and slow enough that the services' lines stay abreast."""
PAST_BREATH = 50
PAST_SPAN = 600.0
"""Seconds of a past that are all answered before the next ones: webhooks are slower than lines."""
Told = tuple[str, str, bytes, list[str]]


class Addresses(msgspec.Struct, frozen=True):
    """Where the hub is: `http` such as `http://127.0.0.1:8080`, `mqtt` such as `127.0.0.1:1883`."""

    http: str
    mqtt: str


class Emitter:
    """The services' side of all connections. Use it as `async with`."""

    def __init__(self, stage: Stage, addresses: Addresses, *, oracle: Oracle | None = None) -> None:
        self.stage = stage
        self.oracle = oracle or Oracle()
        self.counts: Counter[str] = Counter()
        self._crew = Crew()
        self._hooks = Hooks(addresses.http, stage.hook_secrets)
        self._publishers = {
            service: Publisher(addresses.mqtt, service, password, f"simulated-{service}")
            for service, password in stage.passwords.items()
        }
        self._lanes: dict[str, asyncio.Queue[Told]] = {}
        self._posting = 0

    async def __aenter__(self) -> Emitter:
        for publisher in self._publishers.values():
            await publisher.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._crew.stop()
        await self._hooks.close()
        for publisher in self._publishers.values():
            await publisher.close()

    async def connected(self) -> None:
        """Until the hub reads the fake Gerrit's stream and takes both MQTT logins."""
        await self.stage.gerrit.listening(1)
        for publisher in self._publishers.values():
            await publisher.connected()

    async def send(self, happening: Happening) -> None:
        """Let one happening leave; waits when its service's queue is full."""
        native = render(happening)
        if native is None:
            return
        service, name, body = native
        marks = self.oracle.sent(service, body)
        self.counts[service] += 1
        if service == "gerrit":
            await self.stage.gerrit.emit(msgspec.json.decode(body))
            # What is in Gerrit's log can be had again: the hub must get it, whatever happens.
            self.oracle.promised(marks)
        elif service in self._publishers:
            promise = partial(self.oracle.promised, marks)
            if not await self._publishers[service].publish(name, body, promise):
                self.counts[f"{service} dropped"] += 1
        elif isinstance(happening, Post):
            # What happens to one ticket goes in order; forges send the rest side by side.
            lane = happening.ticket.number % LANES if happening.ticket else LANES
            await self._lane(f"{service} {happening.project.name} {lane}").put((service, name, body, marks))

    async def settled(self, seconds: float = 30.0) -> bool:
        """Until nothing is under way; False when that takes longer."""
        end = asyncio.get_running_loop().time() + seconds
        while self.open:
            if asyncio.get_running_loop().time() > end:
                return False
            await asyncio.sleep(0.02)
        return True

    @property
    def open(self) -> int:
        """How many messages the hub has not answered yet."""
        return (
            sum(publisher.open for publisher in self._publishers.values())
            + sum(lane.qsize() for lane in self._lanes.values())
            + self._posting
        )

    def _lane(self, name: str) -> asyncio.Queue[Told]:
        if name not in self._lanes:
            self._lanes[name] = asyncio.Queue(LANE_ROOM)
            self._crew.start(name, self._run_lane(self._lanes[name]))
        return self._lanes[name]

    async def _run_lane(self, lane: asyncio.Queue[Told]) -> None:
        while True:
            service, name, body, marks = await lane.get()
            self._posting += 1
            try:
                answer = await self._hooks.post(service, name, body, digest(body.decode()) + "00000000")
            finally:
                self._posting -= 1
            self.counts[f"{service} {answer.status or 'no answer'}"] += 1
            if answer.promised:
                self.oracle.promised(marks)


async def play(
    emitter: Emitter, happenings: Iterable[Happening], stop: asyncio.Event, *, most: float = PAST_RATE
) -> None:
    """Send what happens at its time by the wall clock; what lies in the past at `most` a second."""
    span = 0.0
    for count, happening in enumerate(happenings):
        if stop.is_set():
            return
        wait = happening.time - now().timestamp()
        if wait > 0 or count % PAST_BREATH == 0:
            try:
                async with asyncio.timeout(max(wait, PAST_BREATH / most)):
                    await stop.wait()
                return
            except TimeoutError:
                pass
        if wait < -PAST_SPAN and happening.time // PAST_SPAN != span:
            span = happening.time // PAST_SPAN
            await emitter.settled()
        await emitter.send(happening)
