"""The connections that the configured sources ask for, made ready to run: spool, state in the bus, requests, reports.

In: source instances and the hub's gate, bus and ledger. Out: `Held` values, whose jobs the composition root starts.
One source is one connection, so several Gerrits are several of them. It refuses to know what lines mean and how a
connection is held; it only joins the parts.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from firehose import subject as subjects
from firehose.bus.contract import Bus, Message
from firehose.errors import Refused
from firehose.event import Event, encode
from firehose.intake.gate import Gate
from firehose.intake.instance import Instance
from firehose.intake.ledger import Ledger
from firehose.intake.poll import fetcher
from firehose.intake.spool import Spool
from firehose.intake.stream import Doors, Stream
from firehose.plumbing.clock import Now
from firehose.plumbing.http import Client
from firehose.source import SshLines

BUCKET: Final = "connections"


class Held:
    """A source's connection: `jobs()` to run, `close()` at the end."""

    def __init__(self, name: str, stream: Stream, spool: Spool, client: Client) -> None:
        self.name = name
        self._stream = stream
        self._spool = spool
        self._client = client

    def jobs(self) -> Sequence[tuple[str, Coroutine[Any, Any, None]]]:
        """Named, without end."""
        return ((f"spool {self.name}", self._spool.run()), (f"stream {self.name}", self._stream.run()))

    async def close(self) -> None:
        """Let go of files and of connections for requests; the jobs must have ended."""
        self._spool.close()
        await self._client.close()


def connections(
    instances: Mapping[str, Instance], hub: tuple[Gate, Bus, Ledger], folder: Path, now: Now
) -> Iterator[Held]:
    """One for each instance whose settings ask for a connection. Their spools lie in `folder`."""
    for instance in instances.values():
        lines = instance.kind.lines(instance.settings) if instance.kind.lines else None
        if lines is not None:
            yield _held(instance, lines, hub, folder / f"{instance.name}.jsonl", now)


def _held(instance: Instance, lines: SshLines, hub: tuple[Gate, Bus, Ledger], file: Path, now: Now) -> Held:
    gate, bus, ledger = hub
    name = instance.name
    # A Gerrit drops events when its reader is slow, so lines go to disk when the stream is away.
    spool = Spool(file, gate.accept)
    fetch, client = fetcher(instance.settings)

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

    doors = Doors(spool.accept, refuse, announce, load, save, report, fetch)
    return Held(name, Stream(instance, lines, doors, now), spool, client)


def own(instance: Instance, event: Event) -> Message:
    """An event of the hub's own about a source, to the readers of that source's events."""
    shown = msgspec.structs.replace(event, audience=instance.settings.audience)
    topic = subjects.topic(instance.name, shown.kind, shown.project, shown.audience)
    return Message(subjects.to_nats(topic), shown.identity, encode(instance.name, shown))
