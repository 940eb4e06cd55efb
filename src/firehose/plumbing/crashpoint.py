"""Named places where a test may kill the process, to prove that nothing accepted is lost there.

`FIREHOSE_CRASH=<name>` or `<name>:<n>` ends the process with SIGKILL at the n-th pass. Unset, a pass costs one
dictionary look-up. The names are closed; `tests/faults` walks through all of them.
"""

from __future__ import annotations

import os
import signal
from typing import Final

POINTS: Final = (
    "gate.before-publish",
    "gate.after-publish",
    "recorder.before-commit",
    "recorder.after-commit",
    "mirror.after-send",
    "delivery.before-send",
    "notify.carried",
    "delivery.after-send",
)


def _armed() -> dict[str, int]:
    name, _, count = os.environ.get("FIREHOSE_CRASH", "").partition(":")
    return {name: int(count or 1)} if name in POINTS else {}


_left = _armed()


def reach(name: str) -> None:
    """Die here when this point is armed and its count is used up."""
    if not _left:
        return
    left = _left.get(name)
    if left is None:
        return
    _left[name] = left - 1
    if left <= 1:
        os.kill(os.getpid(), signal.SIGKILL)
