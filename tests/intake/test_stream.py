"""The long connection against a real SSH server: nothing lost, nothing twice, whatever breaks.

Judged by event ids at a gate that collects. No sleeps: every wait is for something that must happen.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncssh
import msgspec
import pytest

from firehose.errors import Refused, TryLater, UnknownKind
from firehose.event import Event
from firehose.intake.instance import Instance
from firehose.intake.poll import fetcher
from firehose.intake.session import Doors, Pace
from firehose.intake.stream import Stream
from firehose.plumbing import clock
from firehose.plumbing.tasks import Crew
from firehose.simulator.gerrit_ssh import FakeGerrit
from firehose.source import Delivery, Ignored
from firehose.sources.gerrit import SOURCE
from firehose.sources.gerrit.options import Settings

START = 1_730_000_000
ADA = {"name": "Ada Lind", "email": "ada@example.org", "username": "ada"}
ZUUL = {"name": "Zuul", "username": "zuul"}


class World:
    """Events of a small Gerrit, each a second after the one before."""

    def __init__(self) -> None:
        self.time = START

    def _about(self, native: str, number: int, patch_set: int, **more: Any) -> dict[str, Any]:
        self.time += 1
        key = f"I{number:040d}"
        return {
            "type": native,
            "eventCreatedOn": self.time,
            "change": {
                "project": "acme/widget",
                "branch": "master",
                "id": key,
                "number": number,
                "subject": f"Count to {number}",
                "owner": ADA,
                "url": f"https://review.example.org/c/acme/widget/+/{number}",
                "commitMessage": f"Count to {number}\n\nChange-Id: {key}\n",
                "status": "MERGED" if native == "change-merged" else "NEW",
            },
            "patchSet": {
                "number": patch_set,
                "revision": f"{number * 100 + patch_set:040x}",
                "parents": [f"{1:040x}"],
                "ref": f"refs/changes/{number % 100:02d}/{number}/{patch_set}",
                "uploader": ADA,
                "author": ADA,
                "createdOn": self.time,
            },
            "project": "acme/widget",
            "refName": "refs/heads/master",
            "changeKey": {"id": key},
        } | more

    def proposed(self, number: int, patch_set: int = 1) -> dict[str, Any]:
        return self._about("patchset-created", number, patch_set, uploader=ADA)

    def commented(self, number: int, text: str, patch_set: int = 1) -> dict[str, Any]:
        said = f"Patch Set {patch_set}:{text}"
        return self._about("comment-added", number, patch_set, author=ZUUL, comment=said, approvals=[])

    def merged(self, number: int, patch_set: int = 1) -> dict[str, Any]:
        return self._about("change-merged", number, patch_set, submitter=ZUUL, newRev=f"{number * 100 + 99:040x}")

    def abandoned(self, number: int, reason: str) -> dict[str, Any]:
        return self._about("change-abandoned", number, 1, abandoner=ADA, reason=reason)

    def tagged(self, name: str) -> dict[str, Any]:
        self.time += 1
        update = {
            "oldRev": "0" * 40,
            "newRev": f"{self.time:040x}",
            "refName": f"refs/tags/{name}",
            "project": "acme/widget",
        }
        return {"type": "ref-updated", "submitter": ADA, "refUpdate": update, "eventCreatedOn": self.time}


class Desk:
    """Gate, bus and ledger in one: collects events by id, keeps the state, hears reports."""

    def __init__(self) -> None:
        self.settings = Settings(kind="gerrit")
        self.events: dict[str, Event] = {}
        self.order: list[str] = []
        self.doubles: list[str] = []
        self.deliveries: list[Delivery] = []
        self.bad: list[str] = []
        self.own: list[Event] = []
        self.kept: bytes | None = None
        self.reports: list[tuple[str, str, str]] = []
        self.away = 0
        self.may_save = asyncio.Event()
        self.may_save.set()
        self.saving = asyncio.Event()
        self.time: datetime = datetime.fromtimestamp(START, tz=clock.now().tzinfo)
        self.told = asyncio.Event()
        self._changed = asyncio.Condition()

    async def deliver(self, delivery: Delivery) -> None:
        if self.away:
            self.away -= 1
            raise TryLater("the stream is away")
        self.deliveries.append(delivery)
        try:
            found = SOURCE.read(delivery, self.settings)
        except (Refused, UnknownKind) as error:
            self.bad.append(error.detail)
            await self._tell()
            if isinstance(error, Refused):
                raise
            return
        for event in () if isinstance(found, Ignored) else found:
            if event.id in self.events:
                self.doubles.append(event.summary)
            else:
                self.order.append(event.summary)
            self.events[event.id] = event
        await self._tell()

    def refuse(self, problem: Refused) -> None:
        self.bad.append(problem.slug)

    async def announce(self, event: Event) -> None:
        self.own.append(event)
        await self._tell()

    async def load(self) -> bytes | None:
        return self.kept

    async def save(self, state: bytes) -> None:
        self.saving.set()
        await self.may_save.wait()
        self.kept = state
        await self._tell()

    def report(self, connection: str, down: str, gaps: str) -> None:
        self.reports.append((connection, down, gaps))
        self.told.set()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(true)

    async def seen(self, count: int) -> None:
        await self.until(lambda: len(self.events) >= count)

    def now(self) -> datetime:
        return self.time


@asynccontextmanager
async def reading(gerrit: FakeGerrit, desk: Desk, folder: Path, **options: Any) -> AsyncIterator[Stream]:
    """A stream that runs, logged in with a key of its own."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    key_file = folder / "key"
    key.write_private_key(key_file)
    gerrit.allow(key.export_public_key())
    settings = msgspec.convert(
        {
            "kind": "gerrit",
            "url": gerrit.url,
            "ssh": f"firehose@127.0.0.1:{gerrit.ssh_port}",
            "key_file": str(key_file),
            "host_key": gerrit.host_key,
            "freshness": 0,
        }
        | options,
        Settings,
    )
    desk.settings = settings
    assert SOURCE.lines is not None
    lines = SOURCE.lines(settings)
    assert lines is not None
    fetch, client = fetcher(settings)
    doors = Doors(desk.deliver, desk.refuse, desk.announce, desk.load, desk.save, desk.report, fetch)
    pace = Pace(tick=0.02, settle=0.2, save=0.0, first=0.01, most=0.05)
    stream = Stream(Instance("gerrit", SOURCE, settings), lines, doors, desk.now, pace)
    crew = Crew()
    crew.start("stream", stream.run())
    try:
        yield stream
    finally:
        await crew.stop()
        await client.close()


def expected(gerrit: FakeGerrit, settings: Settings) -> set[str]:
    """The ids of everything that happened at this Gerrit, as the stream would have given them."""
    found: set[str] = set()
    for event in gerrit.events:
        body = json.dumps(event).encode()
        verdict = SOURCE.read(Delivery(source="gerrit", body=body, received=clock.now()), settings)
        found |= set() if isinstance(verdict, Ignored) else {one.id for one in verdict}
    return found


async def test_lines_become_deliveries_in_order(tmp_path: Path) -> None:
    world, desk = World(), Desk()
    async with FakeGerrit() as gerrit, reading(gerrit, desk, tmp_path):
        await gerrit.listening()
        for number in range(1, 6):
            await gerrit.emit(world.proposed(number))
        await desk.seen(5)
    assert [summary.split()[3].rstrip(":") for summary in desk.order] == ["1", "2", "3", "4", "5"]
    assert {delivery.channel for delivery in desk.deliveries} == {"ssh"}
    assert desk.own == []


@pytest.mark.parametrize("way", ["events-plugin", "events-log", "query"])
async def test_a_gap_is_closed_with_nothing_lost_and_nothing_double(way: str, tmp_path: Path) -> None:
    world, desk = World(), Desk()
    async with FakeGerrit(events_plugin=way == "events-plugin") as gerrit:
        gerrit.rest.events_log = way == "events-log"
        gerrit.rest.queries = way == "query"
        async with reading(gerrit, desk, tmp_path):
            await gerrit.listening()
            await gerrit.emit(world.proposed(1))
            await gerrit.emit(world.commented(1, " Verified+1"))
            await desk.seen(2)
            await gerrit.drop(stay_closed=True)
            await gerrit.emit(world.proposed(2))
            await gerrit.emit(world.merged(1))
            await gerrit.emit(world.abandoned(2, "superseded"))
            await gerrit.emit(world.commented(1, "\n\nrecheck"))
            await gerrit.start()
            await desk.seen(6)
            await gerrit.listening()
            await gerrit.emit(world.proposed(3))
            await desk.seen(7)
    assert set(desk.events) == expected(gerrit, desk.settings)
    assert len(desk.order) == 7
    assert desk.own == []
    if way == "events-plugin":
        assert desk.doubles == []
        assert any("--resume-after" in command for command in gerrit.commands)


@pytest.mark.parametrize("plugin", [True, False])
async def test_no_server_talks_before_it_is_kept_that_it_does(plugin: bool, tmp_path: Path) -> None:
    world, desk = World(), Desk()
    world.time -= 600  # Gerrit's clock is late: its events seem older than our connection
    desk.may_save.clear()
    async with FakeGerrit(events_plugin=plugin) as gerrit:
        gerrit.rest.events_log = not plugin
        async with reading(gerrit, desk, tmp_path):
            await asyncio.wait_for(desk.saving.wait(), 20)
            # A line that came now would be lost if the hub died before this was kept.
            assert gerrit.commands == []
            desk.may_save.set()
            await gerrit.listening()
            assert desk.kept is not None
        await gerrit.emit(world.proposed(1))
        async with reading(gerrit, desk, tmp_path):
            await desk.seen(1)
    assert set(desk.events) == expected(gerrit, desk.settings)


async def test_a_restart_of_the_hub_closes_the_time_it_was_away(tmp_path: Path) -> None:
    world, desk = World(), Desk()
    async with FakeGerrit() as gerrit:
        async with reading(gerrit, desk, tmp_path):
            await gerrit.listening()
            await gerrit.emit(world.proposed(1))
            await desk.seen(1)
        await gerrit.emit(world.merged(1))
        async with reading(gerrit, desk, tmp_path):
            await desk.seen(2)
    assert [event.kind for event in desk.events.values()] == ["change.created", "change.merged"]
    assert set(desk.events) == expected(gerrit, desk.settings)


async def test_recovered_comments_whose_time_is_a_second_off_are_not_doubled(tmp_path: Path) -> None:
    # A change's message has the time of the update, the stream's event the time when it was made.
    world, desk = World(), Desk()
    async with FakeGerrit() as gerrit, reading(gerrit, desk, tmp_path, resume="query"):
        await gerrit.listening()
        await gerrit.emit(world.proposed(1))
        comment = world.commented(1, "\n\nrecheck")
        await gerrit.emit(comment)
        await desk.seen(2)
        for change in gerrit.rest.changes.query("", ["MESSAGES", "DETAILED_ACCOUNTS"], 10, 0):
            change["messages"][-1]["date"] = "2024-10-27 03:33:23.000000000"
        await gerrit.drop(stay_closed=True)
        await gerrit.emit(world.commented(1, "\n\nanother"))
        await gerrit.start()
        await desk.seen(3)
    assert len(desk.order) == 3
    assert set(desk.events) == expected(gerrit, desk.settings)


async def test_dropped_output_is_an_incident_and_starts_a_recovery(tmp_path: Path) -> None:
    world, desk = World(), Desk()
    async with FakeGerrit() as gerrit, reading(gerrit, desk, tmp_path):
        await gerrit.listening()
        await gerrit.emit(world.proposed(1))
        await gerrit.emit(world.merged(1), streamed=False)
        await gerrit.emit({"type": "dropped-output", "eventCreatedOn": world.time + 1})
        await desk.seen(3)
    kinds = sorted(event.kind for event in desk.events.values())
    assert kinds == ["change.created", "change.merged", "incident.detected"]


async def test_a_gap_that_nothing_closes_is_published(tmp_path: Path) -> None:
    world, desk = World(), Desk()
    async with FakeGerrit() as gerrit:
        gerrit.rest.queries = False
        async with reading(gerrit, desk, tmp_path):
            await gerrit.listening()
            await gerrit.emit(world.proposed(1))
            await desk.seen(1)
            await gerrit.drop()
            await desk.until(lambda: bool(desk.own))
    assert (desk.own[0].kind, desk.own[0].subject, desk.own[0].severity) == (
        "incident.detected",
        "source/gerrit",
        "error",
    )
    assert "answered 404" in desk.own[0].summary


@pytest.mark.parametrize("way", ["events-plugin", "events-log", "query"])
async def test_a_hub_that_dies_before_its_first_line_owes_what_came_since(way: str, tmp_path: Path) -> None:
    world, desk = World(), Desk()
    desk.time += timedelta(hours=3)
    async with FakeGerrit(events_plugin=way == "events-plugin") as gerrit:
        gerrit.rest.events_log = way == "events-log"
        gerrit.rest.queries = way == "query"
        await gerrit.emit(world.proposed(1))
        await gerrit.emit(world.merged(1))
        async with reading(gerrit, desk, tmp_path):
            await gerrit.listening()
            await desk.until(lambda: desk.kept is not None)
        world.time += 3 * 3_600
        await gerrit.emit(world.proposed(2))
        await gerrit.emit(world.merged(2))
        async with reading(gerrit, desk, tmp_path):
            await desk.seen(2)
            await gerrit.listening()
            await gerrit.emit(world.proposed(3))
            await desk.seen(3)
    del gerrit.events[:2]
    assert set(desk.events) == expected(gerrit, desk.settings)
    assert len(desk.order) == 3
    assert desk.own == []


async def test_a_store_of_the_events_plugin_that_was_reset_is_reconciled_otherwise(tmp_path: Path) -> None:
    world, desk = World(), Desk()
    async with FakeGerrit(events_plugin=True) as gerrit, reading(gerrit, desk, tmp_path):
        await gerrit.listening()
        await gerrit.emit(world.proposed(1))
        await desk.seen(1)
        await gerrit.drop(stay_closed=True)
        await gerrit.emit(world.merged(1))
        # The plugin kept its events in memory: after the restart it has a new store and knows none of them.
        gerrit.store, gerrit.forgotten = "6b0f5a2e-0000-4000-8000-000000000000", len(gerrit.events)
        await gerrit.start()
        await gerrit.listening()
        await gerrit.emit(world.proposed(2))
        await desk.seen(3)
    assert set(desk.events) == expected(gerrit, desk.settings)


async def test_an_unknown_host_key_is_refused_and_the_error_shows_the_one_to_add(tmp_path: Path) -> None:
    desk = Desk()
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    async with FakeGerrit() as gerrit:
        async with reading(gerrit, desk, tmp_path, host_key=" ".join(other.split()[:2])):
            await _reported(desk, lambda down: "host key" in down)
        assert gerrit.commands == []
        assert gerrit.host_key in desk.reports[-1][1]


async def test_no_host_key_at_all_is_refused_with_the_line_to_add(tmp_path: Path) -> None:
    desk = Desk()
    async with FakeGerrit() as gerrit:
        async with reading(gerrit, desk, tmp_path, host_key=""):
            await _reported(desk, lambda down: "neither host_key nor known_hosts" in down)
        assert gerrit.commands == []
        assert gerrit.host_key in desk.reports[-1][1]


async def test_a_known_hosts_file_is_enough(tmp_path: Path) -> None:
    world, desk = World(), Desk()
    async with FakeGerrit() as gerrit:
        known = tmp_path / "known_hosts"
        known.write_text(gerrit.known_hosts)
        async with reading(gerrit, desk, tmp_path, host_key="", known_hosts=str(known)):
            await gerrit.listening()
            await gerrit.emit(world.proposed(1))
            await desk.seen(1)
    assert len(desk.events) == 1


async def test_half_a_line_at_a_break_is_not_an_event_and_not_lost(tmp_path: Path) -> None:
    world, desk = World(), Desk()
    async with FakeGerrit() as gerrit, reading(gerrit, desk, tmp_path):
        await gerrit.listening()
        await gerrit.emit(world.proposed(1))
        await desk.seen(1)
        merged = await gerrit.emit(world.merged(1), streamed=False)
        await gerrit.say(json.dumps(merged).encode()[:100])
        await gerrit.drop()
        await desk.seen(2)
    assert desk.bad == []
    assert set(desk.events) == expected(gerrit, desk.settings)


async def test_a_giant_line_is_refused_and_the_next_one_read(tmp_path: Path) -> None:
    world, desk = World(), Desk()
    async with FakeGerrit() as gerrit, reading(gerrit, desk, tmp_path):
        await gerrit.listening()
        await gerrit.say(b'{"type":"' + b"x" * 1_500_000 + b'"}\n')
        await gerrit.emit(world.proposed(1))
        await desk.seen(1)
    assert desk.bad == ["too-large"]


async def test_a_line_that_is_no_json_is_quarantined_and_the_next_one_read(tmp_path: Path) -> None:
    world, desk = World(), Desk()
    async with FakeGerrit() as gerrit, reading(gerrit, desk, tmp_path):
        await gerrit.listening()
        await gerrit.say(b"\n\nnot json at all\n")
        await gerrit.emit(world.proposed(1))
        await desk.seen(1)
    assert len(desk.bad) == 1
    assert "not readable as JSON" in desk.bad[0]


async def test_gerritlib_defect_lines_already_read_waited_for_the_next_wake_up(tmp_path: Path) -> None:
    world, desk = World(), Desk()
    async with FakeGerrit() as gerrit, reading(gerrit, desk, tmp_path):
        await gerrit.listening()
        backlog = [json.dumps(world.proposed(number)).encode() for number in range(1, 501)]
        await gerrit.say(b"\n".join(backlog) + b"\n")
        await desk.seen(500)
    assert [summary.split()[3].rstrip(":") for summary in desk.order] == [str(n) for n in range(1, 501)]


class Wire:
    """A way to the server that can go dead: open, and silent in both directions, as a firewall leaves it."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._dead: set[asyncio.Event] = set()
        self._crew = Crew()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Wire:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._crew.stop()

    def go_dead(self) -> None:
        for dead in self._dead:
            dead.set()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        dead = asyncio.Event()
        self._dead.add(dead)
        self._crew.start(f"there {id(dead)}", self._pump(reader, back, dead))
        self._crew.start(f"back {id(dead)}", self._pump(there, writer, dead))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, dead: asyncio.Event) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65_536):
                if not dead.is_set():
                    writer.write(chunk)
                    await writer.drain()
        writer.close()
        await asyncio.Event().wait()


async def test_gerritlib_defect_a_dead_connection_was_held_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firehose.intake.ssh.KEEPALIVE", 0.2)
    world, desk = World(), Desk()
    async with (
        FakeGerrit() as gerrit,
        Wire(gerrit.ssh_port) as wire,
        reading(gerrit, desk, tmp_path, ssh=f"firehose@127.0.0.1:{wire.port}"),
    ):
        await gerrit.listening()
        await gerrit.emit(world.proposed(1))
        await desk.seen(1)
        wire.go_dead()
        await gerrit.emit(world.merged(1))
        await desk.seen(2)
    assert set(desk.events) == expected(gerrit, desk.settings)


async def test_germqtt_defect_no_queue_for_what_cannot_be_passed_on_now(tmp_path: Path) -> None:
    world, desk = World(), Desk()
    desk.away = 3
    async with FakeGerrit() as gerrit, reading(gerrit, desk, tmp_path):
        await gerrit.listening()
        await gerrit.emit(world.proposed(1))
        await gerrit.emit(world.proposed(2))
        await desk.seen(2)
    assert len(desk.order) == 2


async def test_silence_is_an_alarm_and_its_end_is_told(tmp_path: Path) -> None:
    world, desk = World(), Desk()
    async with FakeGerrit() as gerrit, reading(gerrit, desk, tmp_path, freshness=600):
        await gerrit.listening()
        await gerrit.emit(world.proposed(1))
        await desk.seen(1)
        desk.time += timedelta(seconds=601)
        await desk.until(lambda: len(desk.own) == 1)
        assert "gerrit version" in gerrit.commands
        await gerrit.listening(opened=2)
        await gerrit.emit(world.merged(1))
        await desk.until(lambda: len(desk.own) == 2)
    assert [event.kind for event in desk.own] == ["incident.detected", "incident.resolved"]
    assert "silent for 601 s; the server still answers" in desk.own[0].summary


async def test_silence_is_an_alarm_while_the_server_is_away(tmp_path: Path) -> None:
    desk = Desk()
    async with FakeGerrit() as gerrit, reading(gerrit, desk, tmp_path, freshness=600):
        await gerrit.listening()
        await gerrit.drop(stay_closed=True)
        desk.time += timedelta(seconds=700)
        await desk.until(lambda: len(desk.own) == 1)
    assert "the server does not answer" in desk.own[0].summary


async def test_the_exact_way_alone_says_when_the_server_does_not_have_it(tmp_path: Path) -> None:
    desk = Desk()
    async with FakeGerrit() as gerrit, reading(gerrit, desk, tmp_path, resume="events-plugin"):
        await _reported(desk, lambda down: "does not know 'events stream --ids'" in down)
    assert "gerrit stream-events" not in gerrit.commands


async def _reported(desk: Desk, wanted: Callable[[str], bool]) -> None:
    async with asyncio.timeout(20):
        while not any(wanted(down) for _, down, _ in desk.reports):
            desk.told.clear()
            await desk.told.wait()


@pytest.mark.parametrize("way", ["events-plugin", "events-log", "query"])
@pytest.mark.parametrize("seed", [1, 2])
async def test_many_breaks_at_any_moment_lose_nothing_and_double_nothing(way: str, seed: int, tmp_path: Path) -> None:
    chance, world, desk = random.Random(seed), World(), Desk()
    async with FakeGerrit(events_plugin=way == "events-plugin") as gerrit:
        gerrit.rest.events_log = way == "events-log"
        async with reading(gerrit, desk, tmp_path):
            await gerrit.listening()
            await gerrit.emit(world.proposed(1000))
            await desk.seen(1)
            for number in range(1, 61):
                later = [world.commented, lambda one, _text: world.merged(one)]
                before = chance.randint(1, number)
                await gerrit.emit(world.proposed(number))
                await gerrit.emit(chance.choice(later)(before, f"\n\nwell {number}"))
                match chance.randrange(6):
                    case 0:
                        await gerrit.drop()
                    case 1:
                        await asyncio.sleep(0)
                    case 2:
                        await gerrit.listening()
            await gerrit.listening()
            wanted = expected(gerrit, desk.settings)
            await desk.until(lambda: wanted <= set(desk.events))
    assert set(desk.events) == wanted
    assert len(desk.order) == len(wanted)
    assert desk.own == []
