"""How a part that is a process of its own gets out of the others' way."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from firehose.plumbing.child import SET_ATTRIBUTES, SLICE

SCRIPT = """
import ctypes, os, struct, threading
from pathlib import Path
from firehose.plumbing.child import SET_ATTRIBUTES, give_way, step_back
step_back(7)
give_way()
found = ctypes.create_string_buffer(48)
def look():
    ctypes.CDLL(None).syscall(SET_ATTRIBUTES[os.uname().machine] + 1, 0, found, 48, 0)
thread = threading.Thread(target=look)
thread.start()
thread.join()
_, policy, _, nice, _, runtime, _, _ = struct.unpack("=IIQiIQQQ", found.raw)
print(Path("/proc/self/autogroup").read_text().split()[-1], nice, policy == os.SCHED_BATCH, runtime)
"""


def version() -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2])


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel groups no sessions")
@pytest.mark.skipif(os.uname().machine not in SET_ATTRIBUTES, reason="the call's number is not known here")
def test_a_child_steps_back_behind_other_sessions_as_well_with_all_its_threads() -> None:
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=True)
    assert done.stdout.split()[:3] == ["7", "7", "True"]
    if version() >= (6, 12):
        assert int(done.stdout.split()[3]) == SLICE
