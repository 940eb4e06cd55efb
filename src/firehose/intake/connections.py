"""The connections that the configured sources ask for, made ready to run: spool, state in the bus, requests, reports.

In: source instances and the hub's gate, bus and ledger. Out: `Held` values, whose jobs the composition root starts.
One source is one connection, so several Gerrits are several of them. It refuses to know what lines mean and how a
connection is held; it only joins the parts. Each protocol's module is imported when a source asks for it: the SSH
and AMQP libraries take half of the hub's time to start.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from firehose import subject as subjects
from firehose.bus.contract import Bus, Message
from firehose.errors import Refused
from firehose.event import Event, encode
from firehose.intake import places
from firehose.intake.gate import Gate
from firehose.intake.instance import Instance
from firehose.intake.ledger import Ledger
from firehose.intake.poll import Fetch, fetcher, look
from firehose.intake.session import Doors
from firehose.intake.spool import Spool
from firehose.plumbing.clock import Now
from firehose.plumbing.http import Answer, Client, Limits
from firehose.source import Hold, Inventory, JsonLines, Mailbox, Poll, Queue, Request, Znodes

BUCKET: Final = "connections"


class Runner(Protocol):
    """A connection of any protocol."""

    async def run(self) -> None:
        """Hold it, without end."""
        ...


class Held:
    """A source's connection: `jobs()` to run, `close()` at the end."""

    def __init__(self, name: str, runner: Runner, spool: Spool | None, client: Client) -> None:
        self.name = name
        self._runner = runner
        self._spool = spool
        self._client = client

    def jobs(self) -> Sequence[tuple[str, Coroutine[Any, Any, None]]]:
        """Named, without end."""
        jobs = [(f"stream {self.name}", self._runner.run())]
        return [(f"spool {self.name}", self._spool.run()), *jobs] if self._spool is not None else jobs

    async def close(self) -> None:
        """Let go of files and of connections for requests; the jobs must have ended."""
        if self._spool is not None:
            self._spool.close()
        await self._client.close()


Parts = tuple[Gate, Bus, Ledger]


class Shelf:
    """A connection's larger memory, in parts, beside its state in the bus."""

    def __init__(self, bus: Bus, name: str) -> None:
        self._bus = bus
        self._name = name

    async def get(self, part: str) -> bytes | None:
        """A part; None when it was never put."""
        return await self._bus.get(BUCKET, f"{self._name}.{part}")

    async def put(self, part: str, value: bytes) -> None:
        """Keep a part."""
        await self._bus.put(BUCKET, f"{self._name}.{part}", value)


def connections(instances: Mapping[str, Instance], hub: Parts, folder: Path, now: Now) -> Iterator[Held]:
    """One for each instance whose settings ask for a connection. Spools lie in `folder`."""
    for instance in instances.values():
        kind = instance.kind
        if kind.lines and (lines := kind.lines(instance.settings)):
            from firehose.intake.stream import Stream

            # A Gerrit drops events when its reader is slow, so lines go to disk when the stream is away.
            spool = Spool(folder / f"{instance.name}.jsonl", hub[0].accept)
            fetch, client = fetcher(instance.settings)
            yield Held(instance.name, Stream(instance, lines, _doors(instance, hub, spool, fetch), now), spool, client)
        elif kind.holds and (hold := kind.holds(instance.settings)):
            yield _holding(instance, hold, hub, now)


def _holding(instance: Instance, hold: Hold, hub: Parts, now: Now) -> Held:
    """What can be asked again waits at the service while the stream is away, so it needs no spool."""
    urls = [request.url for request in places.asked(hold)]
    limits = Limits(read=hold.silence) if isinstance(hold, JsonLines) else None
    fetch, client = fetcher(instance.settings, urls, limits)
    doors = _doors(instance, hub, None, fetch)

    async def ask(request: Request, conditions: Mapping[str, str]) -> Answer:
        return await look(client, request, instance.settings, conditions)

    match hold:
        case Poll():
            from firehose.intake.polling import Polling

            return Held(instance.name, Polling(instance, hold, doors, ask, now), None, client)
        case Mailbox():
            from firehose.intake.mailbox import MailboxReader

            return Held(instance.name, MailboxReader(instance, hold, doors, now), None, client)
        case Queue():
            from firehose.intake.amqp import QueueReader

            return Held(instance.name, QueueReader(instance, hold, doors, now), None, client)
        case Znodes():
            from firehose.intake.zookeeper import TreeReader

            shelf = Shelf(hub[1], instance.name)
            return Held(instance.name, TreeReader(instance, hold, doors, shelf, now), None, client)
        case Inventory():
            from firehose.intake.inventory import InventoryReader

            # The memory of another way to the same things would be no measure for this one.
            shelf = Shelf(hub[1], f"{instance.name}.listed")
            return Held(instance.name, InventoryReader(instance, hold, doors, shelf, now), None, client)
        case JsonLines():
            from firehose.intake.flow import FlowReader

            return Held(instance.name, FlowReader(instance, hold, doors, client, now), None, client)


def _doors(instance: Instance, hub: Parts, spool: Spool | None, fetch: Fetch) -> Doors:
    gate, bus, ledger = hub
    name = instance.name

    def refuse(problem: Refused) -> None:
        gate.refuse(name, problem)

    def report(connection: str, down: str, gaps: str) -> None:
        ledger.connected(name, connection, down=down, gaps=gaps)

    async def announce(event: Event) -> None:
        await gate.publish(name, own(instance, event))

    async def load() -> bytes | None:
        return await bus.get(BUCKET, name)

    async def save(state: bytes) -> None:
        await bus.put(BUCKET, name, state)

    return Doors(spool.accept if spool else gate.accept, refuse, announce, load, save, report, fetch)


def own(instance: Instance, event: Event) -> Message:
    """An event of the hub's own about a source, to the readers of that source's events."""
    shown = msgspec.structs.replace(event, audience=instance.settings.audience)
    topic = subjects.topic(instance.name, shown.kind, shown.project, shown.audience)
    return Message(subjects.to_nats(topic), shown.identity, encode(instance.name, shown))
