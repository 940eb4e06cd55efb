"""All readers get the same: every event once, in order, the same bytes' worth, by whatever way they listen.

A real hub with the simulator's load (Gerrit over SSH, signed webhooks, Zuul and nodes over MQTT). The listeners are
strangers' programs: mosquitto_sub, curl, paho, and in Chromium the Connect page's own examples for MQTT.js and
EventSource, on a page of somebody else's site. One session goes offline under load, one browser's line is cut.
"""

from __future__ import annotations

import asyncio
import functools
import http.server
import shlex
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page
from tests.faults.ground import toml
from tests.journeys.listeners import Cable, Heard, Paho, Program, cable
from tests.servers.chromium import ROOT

from firehose.plumbing.clock import now
from firehose.plumbing.tasks import Crew
from firehose.simulator.emit import Addresses, Emitter, play
from firehose.simulator.lives import busy
from firehose.simulator.stage import Stage
from firehose.testing import HubProcess

EVENTS = 700
RATE = 150.0
SITE = """<!doctype html><meta charset="utf-8"><title>Somebody else's page</title>
<script type="importmap">{"imports": {"mqtt": "/mqtt.esm.js"}}</script>
<script>window.got = {mqtt: [], sse: []}; window.ready = {};</script>"""
MORE = {
    "mqtt": 'client.on("message", (topic, payload) => got.mqtt.push(new TextDecoder().decode(payload)));\n'
    'client.on("connect", () => client.subscribe("$meta/head", () => { ready.mqtt = true; }));\n',
    "sse": 'hub.addEventListener("message", message => got.sse.push(message.data));\n'
    'hub.addEventListener("info", () => { ready.sse = true; });\n',
}
"""What is added to the examples: they only print. The second subscription's answer tells that the first stands."""


class InBrowser(Heard):
    """A listener on a web page; `gather` fetches what it has."""

    def __init__(self, name: str, page: Page, slot: str) -> None:
        super().__init__(name)
        self.page = page
        self.slot = slot

    async def start(self, example: str) -> None:
        """Run an example of the Connect page as a module of this page."""
        await self.page.add_script_tag(content=example + MORE[self.slot], type="module")
        await self.page.wait_for_function(f"window.ready.{self.slot}", timeout=60_000)

    async def gather(self) -> None:
        """Take what the page has got since."""
        for text in await self.page.evaluate(f"got.{self.slot}.splice(0)"):
            self.take(text)


@pytest.fixture
def site(tmp_path: Path, built: None) -> Iterator[str]:
    """A web site that is not the hub's, with MQTT.js as its package brings it for browsers."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "index.html").write_text(SITE)
    (folder / "mqtt.esm.js").write_bytes((ROOT / "node_modules/mqtt/dist/mqtt.esm.js").read_bytes())
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files, without a line for each request."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


async def until(what: Callable[[], bool], why: str, seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, why
        await asyncio.sleep(0.02)


async def examples(page: Page, hub: HubProcess) -> dict[str, str]:
    """What the Connect page gives to copy, by the tab's name."""
    await page.goto(f"{hub.url}/connect")
    found: dict[str, str] = await page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('[role=tabpanel]')]"
        ".map(each => [each.id.slice(4), each.querySelector('pre').textContent]))"
    )
    return found


@dataclass
class Room:
    """One run: the hub, its load, and everybody who listens."""

    hub: HubProcess
    emitter: Emitter
    crew: Crew
    programs: list[Program]
    clients: list[Paho]
    pages: list[InBrowser]
    line: Cable

    @property
    def everybody(self) -> list[Heard]:
        return [*self.programs, *self.clients, *self.pages]

    async def listen(self, given: dict[str, str]) -> None:
        """Bring every listener to where it is subscribed."""
        for program in self.programs:
            self.crew.start(program.name, program.run())
        for client in self.clients:
            await client.come()
        await self.pages[0].start(given["mqttjs"])
        assert self.hub.url in given["javascript"]
        relayed = given["javascript"].replace(self.hub.url, f"http://127.0.0.1:{self.line.port}")
        await self.pages[1].start(relayed)
        for program in self.programs:
            await asyncio.wait_for(program.ready.wait(), 30)

    async def load(self) -> None:
        """Several hundred events; on the way one session goes and comes back, and the browser's line is cut twice."""
        happenings = busy(5, RATE, now().timestamp()).happenings()
        away = self.clients[-1]
        for share, act in (
            (0.2, away.leave), (0.3, self.cut), (0.5, away.come), (0.6, self.cut), (0.7, away.leave), (1.0, away.come)
        ):  # fmt: skip
            goal = int(EVENTS * share)
            stop = asyncio.Event()
            self.crew.start(f"play to {goal}", play(self.emitter, happenings, stop, most=RATE), may_end=True)
            await until(lambda goal=goal: self.emitter.oracle.promises >= goal, f"no {goal} promises")  # type: ignore[misc]
            if act == away.leave:
                # A session that leaves with messages unacknowledged gets these again, and later than what is new
                # (docs/gotchas.md): this one has acknowledged everything when it goes.
                stop.set()
                await self.calm(away)
            await act()
            stop.set()
        assert await self.emitter.settled(60), "the hub has not answered everything"

    async def calm(self, reader: Heard) -> None:
        """Until a reader has everything that there is."""
        assert await self.emitter.settled(60), "the hub has not answered everything"
        wanted = {int(event["sequence"]) for event in await history(self.hub, self.emitter.oracle)}
        await until(lambda: wanted <= set(reader.sequences), "the reader is behind")

    async def cut(self) -> None:
        """Break the browser's line, and wait until it is back."""
        began = len(self.line.heads)
        assert self.line.cut() == 1
        await until(lambda: len(self.line.heads) > began, "the browser did not come back")

    async def settled(self, wanted: list[int]) -> None:
        """Until everybody has the last event that is for them, or does not get it."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            for page in self.pages:
                await page.gather()
            if all(set(wanted) <= set(heard.sequences) for heard in self.everybody if not heard.merged):
                return
            await asyncio.sleep(0.1)


async def history(hub: HubProcess, oracle: Any) -> list[dict[str, Any]]:
    """All events that were promised, once the history has them."""
    end = time.monotonic() + 60
    while True:
        found: list[dict[str, Any]] = []
        path: str | None = "/v1/events?order=asc&since=earliest&limit=1000"
        while path:
            page = await asyncio.to_thread(hub.get, path)
            found += page["events"]
            path = page["links"]["next"] if page["events"] else None
        if not oracle.missing(found) or time.monotonic() > end:
            return found


async def test_everybody_gets_the_same_events_once_and_in_order(tmp_path: Path, browser: Browser, site: str) -> None:
    async with Stage(tmp_path / "stage") as stage:
        hub = HubProcess(tmp_path / "hub", toml(stage.settings()))
        page = await browser.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        try:
            await asyncio.to_thread(hub.start)
            given = await examples(page, hub)
            await page.goto(site)
            async with (
                Emitter(stage, Addresses(hub.url, f"127.0.0.1:{hub.mqtt_port}")) as emitter,
                cable(hub.http_port) as line,
            ):
                await asyncio.wait_for(emitter.connected(), 30)
                room = Room(hub, emitter, Crew(), programs(hub, given), clients(hub), in_browser(page), line)
                try:
                    await room.listen(given)
                    await room.load()
                    events = await history(hub, emitter.oracle)
                    await room.settled([int(event["sequence"]) for event in events])
                finally:
                    await room.crew.stop()
                    for client in room.clients:
                        await client.leave()
                judge(room, events)
                assert faults == []
        finally:
            await asyncio.to_thread(hub.stop)


def programs(hub: HubProcess, given: dict[str, str]) -> list[Program]:
    """Other people's programs, with the words of the issue and those of the Connect page."""
    port = str(hub.mqtt_port)
    merged = ("mosquitto_sub", "-d", "-h", "127.0.0.1", "-p", port, "-t", "events/+/change/merged/#")
    example = shlex.split(given["mosquitto"].replace("mosquitto_sub", "mosquitto_sub -d", 1))
    return [
        Program("mosquitto_sub, merges only", *merged, merged=True),
        Program("mosquitto_sub, the page's example", *example),
        Program("curl, SSE", "curl", "-sN", f"{hub.url}/v1/stream"),
        Program("curl, NDJSON", "curl", "-sN", "-H", "accept: application/x-ndjson", f"{hub.url}/v1/stream"),
        Program("curl, the page's example", *shlex.split(given["curl"].replace("-NG", "-sNG"))),
    ]


def clients(hub: HubProcess) -> list[Paho]:
    """paho as it comes; the last one is the one that goes away."""
    return [
        Paho("paho, QoS 0", hub.mqtt_port, qos=0),
        Paho("paho, QoS 1", hub.mqtt_port, qos=1),
        Paho("paho, QoS 1, persistent, twice away", hub.mqtt_port, qos=1, session="my-reader"),
    ]


def in_browser(page: Page) -> list[InBrowser]:
    """What runs in Chromium."""
    return [
        InBrowser("MQTT.js over WebSocket, QoS 1", page, "mqtt"),
        InBrowser("EventSource, cut twice", page, "sse"),
    ]


def judge(room: Room, events: list[dict[str, Any]]) -> None:
    """Nothing lost or doubled on the way in; everybody the same, once, in order."""
    findings = room.emitter.oracle.judge(events)
    assert findings.clean, str(findings)
    assert findings.recorded >= EVENTS
    merges = [event for event in events if event["kind"] == "change.merged"]
    assert len(merges) >= 3
    print(f"\n{findings}\n{len({event['subject'] for event in events})} things, {len(merges)} merges")
    wrong = []
    for heard in room.everybody:
        wanted = merges if heard.merged else events
        differs = why(heard, wanted)
        print(f"{heard.name:<40}{len(heard.events):>6} of {len(wanted):>5}  {differs or 'the same, once, in order'}")
        wrong += [f"{heard.name}: {differs}"] if differs else []
    assert not wrong, wrong
    resumed = [head for head in room.line.heads if "last-event-id: " in head.lower()]
    assert len(resumed) == 2, room.line.heads


def why(heard: Heard, wanted: list[dict[str, Any]]) -> str:
    """How what was heard differs from what is recorded, "" when it does not."""
    missing = {int(event["sequence"]) for event in wanted} - set(heard.sequences)
    if missing:
        return f"{len(missing)} missing, first {min(missing)}"
    if len(set(heard.sequences)) != len(heard.sequences):
        return f"{len(heard.sequences) - len(set(heard.sequences))} came twice"
    if heard.sequences != sorted(heard.sequences):
        return "not in order"
    differing = [event["sequence"] for event, other in zip(wanted, heard.events, strict=False) if event != other]
    return f"other contents at {differing[:3]}" if differing or len(wanted) != len(heard.events) else ""
