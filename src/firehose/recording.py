"""The recorder's part of a hub: recorder, dumps and retention, within a process or as a process of its own.

`python -m firehose.recording` reads a `Job` as one line of JSON from standard input, says the recorded head in a line
of its own whenever it rises, and stops at SIGTERM or when standard input ends. `firehose up` runs it so: preparing
rows takes a core under load, which must not be the web's. Why: `docs/decisions/0006-recorder-apart.md`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import structlog
import uvloop

from firehose.bus.contract import Bus
from firehose.bus.nats import NatsBus, connect
from firehose.errors import FirehoseError
from firehose.history.dumping import dump_hourly
from firehose.history.dumps import Dumps
from firehose.history.open import open_store
from firehose.history.reader import Reader
from firehose.history.recorder import Recorder
from firehose.plumbing import collector, log, stacks
from firehose.plumbing.child import step_back
from firehose.plumbing.clock import now
from firehose.plumbing.tasks import Crew
from firehose.settings import History

logger = structlog.get_logger("recorder")
NICE: Final = 5
"""How much the recorder steps back where cores are short: what it does later is lost to nobody, an answer is waited
for."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What the process needs to know: engine and password, the data folder, `[history]`, the log level."""

    nats: tuple[str, ...]
    password: str
    data: str
    history: History
    log: str = "info"
    terminal: bool = False


def start(crew: Crew, bus: Bus, reader: Reader, data: Path, history: History) -> None:
    """Begin to record what the stream has; `reader` hears how far. Dumps and retention go along."""
    crew.start("recorder", Recorder(bus, reader.store, reader.recorded).run())
    dumps = Dumps(data / "dumps", data / "keys" / "dumps.key")
    oldest = None
    if history.keep or history.keep_dumps:
        # Imported here: reading rules needs the query language, which a recorder without rules need not hold.
        from firehose.history.retention import age, keep, rules

        oldest = age(history.keep_dumps, "history.keep_dumps")
        if history.keep:
            crew.start("retention", keep(reader.store, rules(history.keep, now()), now))
    crew.start("dumps", dump_hourly(dumps, reader, bus, now, oldest))


async def record(job: Job, crew: Crew, tell: Callable[[int], None]) -> None:
    """Record until the crew is asked to stop, or a task of it fails: that is raised."""
    client = await connect(job.nats, user="hub", password=job.password, name="recorder")
    reader = Telling(job, tell)
    try:
        start(crew, NatsBus(client), reader, Path(job.data), job.history)
        collector.settle()
        await crew.wait()
    finally:
        await crew.stop()
        reader.close()
        await client.close()
    if crew.failure is not None:
        raise crew.failure


class Telling(Reader):
    """A reader of the job's store that passes on what the recorder says."""

    def __init__(self, job: Job, tell: Callable[[int], None]) -> None:
        super().__init__(open_store(job.history, Path(job.data)), threads=1)
        self._tell = tell

    def recorded(self, head: int) -> None:
        """See `Reader.recorded`."""
        super().recorded(head)
        self._tell(head)


def say(head: int) -> None:
    """A line for the parent. One that does not read just now hears the next one."""
    with suppress(BlockingIOError, BrokenPipeError):
        os.write(1, b"%d\n" % head)


async def main() -> int:
    """The process."""
    step_back(NICE)
    line = await asyncio.to_thread(sys.stdin.buffer.readline)
    job = msgspec.json.decode(line, type=Job)
    log.configure(job.log, json=not job.terminal)
    os.set_blocking(1, False)
    crew = Crew()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, crew.ask_to_stop)
    stacks.on_request(loop)
    loop.add_reader(0, crew.ask_to_stop)  # the parent is gone: it never says anything more
    try:
        await record(job, crew, say)
    except FirehoseError as error:
        logger.error("the recorder cannot go on", cause=error.detail)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
