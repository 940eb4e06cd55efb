"""Long-lived tasks: named, watched, never orphaned.

Every background task of the hub is started by `Crew.start`; one that ends or fails when it should not is logged and
brings the crew down, so that a half-dead hub cannot look alive. The raw `asyncio.create_task` is a lint error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from firehose.plumbing.clock import monotonic

log = structlog.get_logger(__name__)
AGAIN: Final = 0.5
"""Seconds after which a task that was asked to end is asked again."""


class Crew:
    """The tasks of one process. `wait()` returns when one fails or `stop()` was called."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._ended = asyncio.Event()
        self._stopping = False
        self.failure: BaseException | None = None

    def start(self, name: str, job: Coroutine[Any, Any, Any], *, may_end: bool = False) -> asyncio.Task[Any]:
        """Run `job` under a name. Unless `may_end`, its end is a failure of the crew."""
        task = asyncio.get_running_loop().create_task(job, name=name)
        self._tasks[name] = task
        task.add_done_callback(self._watch(name, may_end))
        return task

    def _watch(self, name: str, may_end: bool) -> Callable[[asyncio.Task[Any]], None]:
        def ended(task: asyncio.Task[Any]) -> None:
            if self._tasks.get(name) is task:
                del self._tasks[name]
            if task.cancelled() or self._stopping:
                return
            error = task.exception()
            if error is None and may_end:
                return
            log.error("task ended unexpectedly", task=name, error=repr(error), exc_info=error)
            self.failure = self.failure or error or RuntimeError(f"task {name} ended")
            self._ended.set()

        return ended

    async def wait(self) -> None:
        """Until a task fails or somebody asks to stop."""
        await self._ended.wait()

    def ask_to_stop(self) -> None:
        """Let `wait()` return."""
        self._ended.set()

    async def stop(self, grace: float = 5.0) -> None:
        """Cancel what runs, last started first, and wait up to `grace` seconds for it."""
        self._stopping = True
        self._ended.set()
        until = monotonic() + grace
        running = list(reversed(self._tasks.values()))
        # Before Python 3.12 `asyncio.wait_for`, which libraries use, can swallow a cancellation; so ask again.
        while running and monotonic() < until:
            for task in running:
                task.cancel()
            _, pending = await asyncio.wait(running, timeout=AGAIN)
            running = [task for task in running if task in pending]
