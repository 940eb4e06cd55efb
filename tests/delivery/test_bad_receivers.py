"""A receiver in trouble for an hour, and names that lead inside: nothing lost, nothing doubled, no request inside.

The runner, the webhook transport and the receivers are real, a new runner takes over halfway as after a restart; only
the hour is the stage's.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.delivery.stage import Stage, stage

from firehose.bus.engine import free_port
from firehose.delivery import deadletters
from firehose.delivery.runner import Runner
from firehose.plumbing.http import Client
from firehose.plumbing.signing import Signer
from firehose.plumbing.tasks import Crew
from firehose.sink import Outlet, Tools
from firehose.sinks.webhook.transport import Transport
from firehose.sinks.webhook.webhook import SINK, WebhookSettings

MINUTES = 60
THINGS = [f"thing{number}-" for number in range(7)]


class Receiver:
    """An HTTP server. answer: its status line and headers, "" to never answer. taken: numbers and things of the
    events that it said 200 to; connections: how often somebody came."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.host = host
        self.port = port
        self.answer = "200 OK"
        self.taken: list[tuple[int, str]] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                fields = dict(line.split(": ", 1) for line in head.strip().split("\r\n")[1:])
                body = json.loads(await reader.readexactly(int(fields["content-length"])))
                if not self.answer:
                    await reader.read()
                    break
                if self.answer.startswith("200"):
                    number = int(body["id"].removeprefix(body["subject"]))
                    self.taken.append((number, body["subject"]))
                writer.write(f"HTTP/1.1 {self.answer}\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        """While the body runs it listens."""
        server = await asyncio.start_server(self.serve, self.host, self.port)
        try:
            yield
        finally:
            server.close()


class Endless:
    """Look-ups of a name that says one address and then the other, for ever."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return [self.addresses[(self.asked - 1) % len(self.addresses)]]


@asynccontextmanager
async def sending(
    on: Stage, folder: Path, url: str, resolver: Callable[..., object] | None = None, **more: object
) -> AsyncIterator[Runner]:
    """A webhook sink at work; the same name goes on where the one before it was."""
    given = {"kind": "webhook", "url": url, "since": "earliest", "allow": ("127.0.0.1",), **more}
    settings = WebhookSettings(**given)  # type: ignore[arg-type]
    tools = Tools(secret=lambda word: b"", sign=Signer(folder / "key").sign, now=on.clock)
    transport, crew = Transport(settings, tools), Crew()
    if resolver is not None:
        transport.client = Client(settings.allow, resolver=resolver)  # type: ignore[arg-type]
    runner = Runner(Outlet(name="hook", kind=SINK, settings=settings), transport, on.ears)
    crew.start("hook", runner.run())
    try:
        yield runner
    finally:
        await crew.stop()
        await runner.close()


def idle(runner: Runner, cursor: int) -> Callable[[], bool]:
    """Whether it has read so far and tries nothing at the moment."""
    return lambda: runner._cursor >= cursor and runner._lanes.busy == 0


def looked(names: Endless) -> Callable[[], bool]:
    """Whether a name was looked up again since."""
    before = names.asked
    return lambda: names.asked > before


async def pass_minutes(on: Stage, runner: Runner, minutes: range) -> None:
    """Each minute something happens, and the runner does what is due."""
    for minute in minutes:
        await on.publish(THINGS[minute % len(THINGS)])
        on.clock.pass_(60)
        runner._stir.set()
        await on.until(idle(runner, minute + 1))


def settled(receiver: Receiver, count: int) -> None:
    """Each event once, and those of one thing in order: the stage numbers its events in their ids."""
    assert sorted(number for number, _ in receiver.taken) == list(range(1, count + 1))
    for thing in THINGS:
        numbers = [number for number, subject in receiver.taken if subject == thing]
        assert numbers == sorted(numbers)


@pytest.mark.parametrize("trouble", ["nobody there", "500 Oops", "301 Moved", "never answers"])
async def test_an_hour_of_trouble_costs_nothing(trouble: str, tmp_path: Path) -> None:
    receiver, inside = Receiver(free_port()), Receiver(free_port())
    receiver.answer = {
        "301 Moved": f"301 Moved\r\nLocation: http://127.0.0.1:{inside.port}/hook", "never answers": "",
    }.get(trouble, trouble)  # fmt: skip
    url = f"http://127.0.0.1:{receiver.port}/hook"
    async with stage(tmp_path) as on, inside.up():
        listening = receiver.up()
        if trouble != "nobody there":
            await listening.__aenter__()
        patience = 0.2 if trouble == "never answers" else 20.0
        async with sending(on, tmp_path, url, timeout=patience) as runner:
            await pass_minutes(on, runner, range(MINUTES // 2))
            assert runner.health().state == "away"
            tried = runner.health().failed
        async with sending(on, tmp_path, url, timeout=patience) as runner:
            await on.until(lambda: runner.health().open == MINUTES // 2)
            await pass_minutes(on, runner, range(MINUTES // 2, MINUTES))
            assert receiver.taken == []
            assert runner.health().open == MINUTES
            # It looks now and then; sixty events that are each tried again would be far more.
            assert tried < runner.health().failed < MINUTES
        receiver.answer = "200 OK"
        if trouble == "nobody there":
            await listening.__aenter__()
        on.clock.pass_(400)
        async with sending(on, tmp_path, url) as runner:
            await on.until(lambda: len(receiver.taken) == MINUTES)
            await on.until(lambda: runner.health().open == 0)
            assert runner.health().dead == 0
        await listening.__aexit__(None, None, None)
        settled(receiver, MINUTES)
        assert inside.connections == 0
        assert await deadletters.letters(on.bus) == []


async def test_one_that_says_410_keeps_its_events_until_it_is_switched_on_again(tmp_path: Path) -> None:
    receiver = Receiver(free_port())
    receiver.answer = "410 Gone"
    async with stage(tmp_path) as on, receiver.up():
        url = f"http://127.0.0.1:{receiver.port}/hook"
        async with sending(on, tmp_path, url) as runner:
            await on.publish(*THINGS[:1])
            await on.until(lambda: runner.health().state == "disabled")
            asked = receiver.connections
        receiver.answer = "200 OK"
        async with sending(on, tmp_path, url) as runner:
            await on.publish(*THINGS[1:])
            on.clock.pass_(3_600)
            await on.until(lambda: runner._begun and on.reader.head == len(THINGS))
            runner._stir.set()
            assert runner.health().state == "disabled"
            assert (receiver.connections, receiver.taken) == (asked, [])
            await runner.obey(deadletters.Order(sink="hook", action="enable"))
            await on.until(lambda: len(receiver.taken) == len(THINGS))
        settled(receiver, len(THINGS))


async def test_a_name_that_leads_inside_is_not_followed_and_its_events_wait_for_the_settings(tmp_path: Path) -> None:
    inside = Receiver(free_port())
    url = f"http://localhost:{inside.port}/hook"
    async with stage(tmp_path) as on, inside.up():
        async with sending(on, tmp_path, url, allow=()) as runner:
            await pass_minutes(on, runner, range(20))
            trouble = runner.health().trouble
            assert trouble is not None
            assert "localhost points to" in trouble.detail
            assert "loopback" in trouble.detail
            assert (runner.health().open, runner.health().dead, inside.connections) == (20, 0, 0)
        async with sending(on, tmp_path, url, allow=("localhost",)) as runner:
            on.clock.pass_(7_300)
            runner._stir.set()
            await on.until(lambda: len(inside.taken) == 20)
        settled(inside, 20)


async def test_a_name_that_turns_between_check_and_connect_leads_nobody_inside(tmp_path: Path) -> None:
    outside = Receiver(free_port(), "127.0.0.2")
    inside = Receiver(outside.port, "127.0.0.1")
    names = Endless("127.0.0.2", "127.0.0.1")
    url = f"http://rebind.example:{outside.port}/hook"
    async with stage(tmp_path) as on, outside.up(), inside.up():
        async with sending(on, tmp_path, url, names, allow=("127.0.0.2/32",)) as runner:
            await on.publish(*THINGS)
            await on.until(idle(runner, len(THINGS)))
            while len(outside.taken) < len(THINGS):
                more = looked(names)
                on.clock.pass_(7_300)
                runner._stir.set()
                await on.until(more)
                await on.until(idle(runner, len(THINGS)))
            # Every second look-up said the inside, and that was the end of that try.
            assert runner.health().failed >= names.asked - len(THINGS) > 0
        settled(outside, len(THINGS))
        assert inside.connections == 0
