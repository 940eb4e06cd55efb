"""Where everything stands, for somebody who wonders why nothing moves: `kill -USR1` and a process tells, and goes on.

In: the signal. Out: on standard error each thread's stack, and of each task where it waits, outermost call first.
"""

from __future__ import annotations

import asyncio
import faulthandler
import signal
import sys
from collections.abc import Iterator
from typing import Any, Final

END: Final = "--- end of stacks"


def on_request(loop: asyncio.AbstractEventLoop) -> None:
    """Tell whenever SIGUSR1 comes."""
    loop.add_signal_handler(signal.SIGUSR1, _tell, loop)


def waiting(loop: asyncio.AbstractEventLoop | None = None) -> Iterator[str]:
    """A line for each task: its name, and the calls that it is in."""
    for task in sorted(asyncio.all_tasks(loop), key=lambda one: one.get_name()):
        yield f"task {task.get_name()}: " + " > ".join(_calls(task.get_coro()))


def _calls(coroutine: Any) -> Iterator[str]:
    while coroutine is not None:
        kind = next((kind for kind in ("cr", "gi", "ag") if hasattr(coroutine, f"{kind}_frame")), "")
        frame = getattr(coroutine, f"{kind}_frame", None)
        if frame is None:
            yield type(coroutine).__name__
            return
        module = frame.f_globals.get("__name__", "?")
        yield f"{module}.{frame.f_code.co_name}:{frame.f_lineno}"
        coroutine = getattr(coroutine, "gi_yieldfrom" if kind == "gi" else f"{kind}_await", None)


def _tell(loop: asyncio.AbstractEventLoop) -> None:
    sys.stderr.write("--- stacks\n")
    sys.stderr.flush()
    faulthandler.dump_traceback(all_threads=True)
    sys.stderr.write("\n".join([*waiting(loop), END, ""]))
    sys.stderr.flush()
