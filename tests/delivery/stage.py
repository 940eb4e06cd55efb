"""A stage for runners: a bus in memory, a real history, a live ring, a clock that can be set, a sink with a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from firehose import subject as subjects
from firehose.bus.contract import Message as Stored
from firehose.bus.live import Live
from firehose.bus.memory import MemoryBus
from firehose.delivery.runner import Ears, Runner
from firehose.errors import FirehoseError
from firehose.event import Event, Recorded, encode
from firehose.history.open import open_store
from firehose.history.reader import Reader
from firehose.history.recorder import Recorder
from firehose.plumbing.tasks import Crew
from firehose.settings import History
from firehose.sink import Message, Outlet, Settings, SinkKind

PATIENCE = 20.0


class Clock:
    """The time of a test; `pass_` moves it."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Script:
    """A transport that plays a script: `answer` says what becomes of a message; what was sent is kept."""

    def __init__(self, answer: Callable[[Message], FirehoseError | None] = lambda message: None) -> None:
        self.answer = answer
        self.tries: list[str] = []
        self.sent: list[str] = []
        self.hold: asyncio.Event | None = None
        self.most = 0
        self._now = 0

    async def send(self, message: Message) -> str:
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            if self.hold is not None:
                await self.hold.wait()
            self.tries.append(message.id)
            error = self.answer(message)
            if error is not None:
                raise error
            self.sent.append(message.id)
            return "ok"
        finally:
            self._now -= 1

    async def run(self) -> None:
        pass

    async def close(self) -> None:
        pass


def render(events: Sequence[Recorded], lane: str, outlet: Outlet) -> Message | None:
    if events[0].envelope.actor == "nobody":
        return None
    return Message(id="+".join(event.envelope.id for event in events), to=lane, body=b"")


def kind(script: Any, **more: Any) -> SinkKind:
    given = {"settings": Settings, "render": render, "connect": lambda outlet, tools: script, **more}
    return SinkKind(name="script", title="Script", family="hub", **given)


class Stage:
    """The hub's inside, as far as delivery needs it."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.bus = MemoryBus(self.clock)
        self.live = Live(ring=50)
        self.store = open_store(History(), folder)
        self.reader = Reader(self.store)
        self.crew = Crew()
        self.ears = Ears(self.live, self.reader, self.bus, self.clock)
        self._number = 0

    async def publish(self, *things: str, kind: str = "change.merged", actor: str = "") -> None:
        """One event about each thing; its id is the thing and a running number."""
        messages = []
        for thing in things:
            self._number += 1
            event = Event(
                id=f"{thing}{self._number}", source="https://review.example", type="t", kind=kind, subject=thing,
                time=self.clock(), actor=actor,
            )  # fmt: skip
            messages.append(Stored(subjects.to_nats(subjects.topic("gerrit", kind)), event.identity,
                                   encode("gerrit", event)))  # fmt: skip
        await self.bus.publish(messages)

    def runner(self, script: Any, settings: Settings | None = None, name: str = "out", **more: Any) -> Runner:
        """A runner that is started."""
        own = settings or Settings(kind="script")
        runner = Runner(Outlet(name=name, kind=kind(script, **more), settings=own), script, self.ears)
        self.crew.start(name, runner.run())
        return runner

    async def until(self, what: Callable[[], object]) -> None:
        """Wait for something that the parts do."""
        async with asyncio.timeout(PATIENCE):
            while not what():
                await asyncio.sleep(0.005)


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    """A stage with its recorder at work."""
    found = Stage(folder)
    found.crew.start("live", found.live.follow(found.bus))
    found.crew.start("recorder", Recorder(found.bus, found.store, found.reader.recorded).run())
    try:
        yield found
    finally:
        await found.crew.stop()
        found.reader.close()
