"""The proving ground: a real hub in a process of its own, the simulator around it, readers on it, the oracle's view.

A test starts it, breaks something, and asks for the verdict: what the oracle says of the history and what each reader
got. `table()` is printed at the end of the session.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from tests.faults.readers import Mqtt, Ndjson, Reader, Sse

from firehose.plumbing.clock import now
from firehose.plumbing.tasks import Crew
from firehose.simulator.emit import Addresses, Emitter, play
from firehose.simulator.lives import busy
from firehose.simulator.oracle import Findings
from firehose.simulator.stage import Stage
from firehose.testing import HubProcess

CATCH_UP = 60.0
"""Seconds for what was promised to arrive: a source that was away waits before it connects again."""
Rows = list[tuple[str, Findings, dict[str, str], str]]
ROWS: Rows = []


@dataclass
class Verdict:
    """Findings on the history, and per reader why it is not gap-free ("" if it is)."""

    findings: Findings
    readers: dict[str, str]
    doubles: dict[str, int] = field(default_factory=dict)


class Ground:
    """One run. `hub` may be killed and started again; the emitter and the readers go on."""

    def __init__(self, hub: HubProcess, emitter: Emitter, readers: list[Reader]) -> None:
        self.hub = hub
        self.emitter = emitter
        self.readers = readers
        self._stop = asyncio.Event()
        self._crew = Crew()

    def play(self, seed: int = 11, *, rate: float = 80.0) -> None:
        """Begin to emit so many deliveries a second."""
        world = busy(seed, rate, now().timestamp())
        self._crew.start("play", play(self.emitter, world.happenings(), self._stop, most=rate), may_end=True)

    def read(self) -> None:
        """Let the readers begin."""
        for reader in self.readers:
            self._crew.start(reader.name, reader.run(), may_end=True)

    async def until(self, what: Callable[[], bool], seconds: float, why: str) -> None:
        """Wait for something that happens outside."""
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, f"{why} within {seconds} s\n{self.hub.tail()}"
            await asyncio.sleep(0.02)

    async def promises(self, more: int, seconds: float = 30.0) -> None:
        """Until the hub has promised so many more events."""
        goal = self.emitter.oracle.promises + more
        await self.until(lambda: self.emitter.oracle.promises >= goal, seconds, f"no {more} further promises")

    async def again(self, environ: Mapping[str, str] | None = None) -> None:
        """Start the hub that has died."""
        await asyncio.to_thread(self.hub.start, environ)

    async def died(self) -> None:
        """Until the hub's process is gone by itself."""
        process = self.hub.process
        assert process is not None
        await self.until(lambda: process.poll() is not None, 30, "the hub did not reach its crash point")

    async def recorder(self, other_than: int = 0) -> int:
        """The number of the recorder's process, once there is one that is not `other_than`."""
        await self.until(
            lambda: self.hub.recorder_pid() not in (0, other_than), 30, f"no recorder other than {other_than}"
        )
        return self.hub.recorder_pid()

    async def verdict(self, name: str, note: str = "") -> Verdict:
        """Stop emitting, let everything arrive, and judge."""
        self._stop.set()
        assert await self.emitter.settled(CATCH_UP), f"{self.emitter.open} messages are still not answered"
        events = await self.history()
        end = time.monotonic() + CATCH_UP
        while self.emitter.oracle.missing(events) and time.monotonic() < end:
            await asyncio.sleep(0.2)
            events = await self.history()
        wanted = [int(event["sequence"]) for event in events]
        while any(wanted[-1] not in reader.got for reader in self.readers) and time.monotonic() < end:
            await asyncio.sleep(0.05)
        await self._crew.stop()
        # A hub that has just started has nothing in memory: now it is the store that answers.
        assert await asyncio.to_thread(self.hub.stop) == 0, self.hub.tail()
        await self.again()
        findings = self.emitter.oracle.judge(await self.history())
        readers = {reader.name: gap(reader, wanted) for reader in self.readers}
        doubles = {reader.name: len(reader.got) - len(set(reader.got)) for reader in self.readers}
        ROWS.append((name, findings, readers, note))
        return Verdict(findings, readers, doubles)

    async def history(self) -> list[dict[str, Any]]:
        """Everything that a new reader gets from the first event to the head, by the public API."""
        found: list[dict[str, Any]] = []
        head = 0
        url = f"{self.hub.url}/v1/stream/json?since=earliest"
        async with (
            httpx.AsyncClient(timeout=20, trust_env=False) as client,
            client.stream("GET", url) as answer,
        ):
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                told = json.loads(line)
                if "specversion" in told:
                    found.append(told)
                elif told["event"] == "info":
                    head = int(told["head"])
                if not head or (found and int(found[-1]["sequence"]) >= head):
                    break
        return found

    async def close(self) -> None:
        """End what is still at work."""
        self._stop.set()
        await self._crew.stop()


def gap(reader: Reader, wanted: list[int]) -> str:
    """Why a reader that began at the start did not get everything once and in order; "" if it did."""
    missing = sorted(set(wanted) - set(reader.got))
    if missing:
        return f"{len(missing)} missing, first {missing[0]}"
    if isinstance(reader, Mqtt):
        # QoS 1 is at least once; what comes again after a resumption may be old.
        return ""
    if reader.got != wanted:
        return "not each once in order"
    return ""


@asynccontextmanager
async def proving_ground(
    folder: Path,
    *,
    environ: Mapping[str, str] | None = None,
    data: Path | None = None,
    prepared: Callable[[Stage], HubProcess] | None = None,
) -> AsyncIterator[Ground]:
    """A hub with all simulated sources connected and three readers at work. `prepared` makes another kind of hub."""
    async with Stage(folder / "stage") as stage:
        hub = prepared(stage) if prepared else HubProcess(folder / "hub", toml(stage.settings()))
        if data is not None:
            hub.data = data
            hub.file.write_text(hub.file.read_text().replace(str(folder / "hub" / "data"), str(data)))
        try:
            await asyncio.to_thread(hub.start, environ)
            async with Emitter(stage, Addresses(hub.url, f"127.0.0.1:{hub.mqtt_port}")) as emitter:
                await asyncio.wait_for(emitter.connected(), 30)
                mqtt = Mqtt(hub.mqtt_port)
                ground = Ground(hub, emitter, [Sse(hub.url), Ndjson(hub.url), mqtt])
                ground.read()
                await asyncio.wait_for(mqtt.subscribed.wait(), 10)
                try:
                    yield ground
                finally:
                    await ground.close()
        finally:
            await asyncio.to_thread(hub.stop)


def toml(tables: dict[str, Any]) -> str:
    """Settings as TOML text. `[mqtt]` is already open in the file, so its logins are tables of their own."""
    lines = []
    for name, own in tables["sources"].items():
        lines.append(f"[sources.{name}]")
        lines += [f"{key} = {value(inner)}" for key, inner in own.items()]
    for login in tables["mqtt"]["logins"]:
        lines.append("[[mqtt.logins]]")
        lines += [f"{key} = {value(inner)}" for key, inner in login.items()]
    return "\n".join(lines) + "\n"


def value(inner: object) -> str:
    """A value in TOML, tables inline."""
    if isinstance(inner, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {value(own)}" for key, own in inner.items()) + "}"
    if isinstance(inner, list):
        return "[" + ", ".join(value(item) for item in inner) + "]"
    return json.dumps(inner)


def table() -> list[str]:
    """The session's runs, a line each."""
    lines = [f"{'broken':<28}{'sent':>6}{'promised':>10}{'lost':>6}{'doubled':>9}{'disorder':>10}  readers"]
    for name, found, readers, note in ROWS:
        told = ", ".join(f"{reader}: {why}" for reader, why in readers.items() if why) or "gap-free"
        lines.append(
            f"{name:<28}{found.sent:>6}{found.promised:>10}{len(found.lost):>6}{len(found.doubled):>9}"
            f"{len(found.disordered):>10}  {told}" + (f" ({note})" if note else "")
        )
    return lines
