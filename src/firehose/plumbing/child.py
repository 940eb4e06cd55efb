"""A part of the program as a process of its own: started, watched, started again, stopped.

In: a module to run, bytes for its standard input. Out: the lines of its standard output, one call each; its log goes to
our standard error. Standard input stays open as long as we live: its end tells the child to stop, also when we were
killed. It knows nothing of what the child does.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import platform
import signal
import struct
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from firehose.plumbing.backoff import delays
from firehose.plumbing.clock import monotonic

log = structlog.get_logger("child")
STOP_SECONDS: Final = 10.0
STEADY_SECONDS: Final = 60.0
"""A child that ran so long and then ends is started again without a long pause."""
CRASH: Final = "FIREHOSE_CRASH"
SLICE: Final = 100_000
SET_ATTRIBUTES: Final = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
"""The number of sched_setattr(2), which the C library has no function for before glibc 2.41."""


class Child:
    """One supervised process: `python -m <module>`. `heard` gets each line; `ended` is called at every unwanted end."""

    def __init__(
        self,
        name: str,
        module: Sequence[str],
        told: bytes,
        heard: Callable[[bytes], None],
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.pid = 0
        self._command = [sys.executable, "-m", *module]
        self._told = told
        self._heard = heard
        self._ended = ended
        self._process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        """Keep it running, with growing pauses when it ends, until this is cancelled; then `stop()` ends it."""
        environ = dict(os.environ)
        waits = delays(first=0.1, most=15.0)
        while True:
            began = monotonic()
            code = await self._once(environ)
            # A test that let it die at a named point wants to see it come back.
            environ = {name: value for name, value in os.environ.items() if name != CRASH}
            self._ended()
            if monotonic() - began > STEADY_SECONDS:
                waits = delays(first=0.1, most=15.0)
            pause = next(waits)
            log.error("a part ended, starting it again", part=self.name, code=code, after=round(pause, 1))
            await asyncio.sleep(pause)

    async def _once(self, environ: dict[str, str]) -> int:
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environ,
            preexec_fn=die_with_parent, start_new_session=True,
        )  # fmt: skip
        self._process = process
        self.pid = process.pid
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(OSError):
            process.stdin.write(self._told + b"\n")
            await process.stdin.drain()
        while line := await process.stdout.readline():
            self._heard(line)
        return await process.wait()

    async def stop(self) -> None:
        """Ask it to stop, insist after a while. Call it when `run` was cancelled."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def step_back(nice: int) -> None:
    """Let everybody else go first where cores are short, by so much (see nice(2)). Call it before a thread is started:
    `nice` belongs to a thread, and those that are started later inherit it.

    A session of its own is a scheduling group of its own on Linux, and `nice` counts within a group only: without the
    second line a child at 19 had as much of a core as the hub (sched(7), "The autogroup feature"; where systemd has
    put the hub into a control group, the first line is enough and the second does nothing)."""
    os.nice(nice)
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(nice))


def give_way() -> None:
    """Work in slices of 0.1 ms, for a part that has much to do and nobody who waits for it. Call it as `step_back`.

    Since Linux 6.6 who runs keeps the core until its slice ends, some 3 ms, whoever wakes meanwhile; since 6.12 a
    process may choose a shorter one (earlier kernels take the call and change nothing)."""
    number = SET_ATTRIBUTES.get(platform.machine())
    if sys.platform == "linux" and number is not None:
        # struct sched_attr: size, policy, flags, nice, priority, runtime (for us the slice, in ns), deadline, period
        wanted = struct.pack("=IIQiIQQQ", 48, os.SCHED_BATCH, 0, os.nice(0), 0, SLICE, 0, 0)
        ctypes.CDLL(None).syscall(number, 0, wanted, 0)


def die_with_parent() -> None:
    """Run in a new child: the kernel ends it when its parent dies, however it dies (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
