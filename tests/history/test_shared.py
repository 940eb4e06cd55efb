"""One SQLite history for several processes: they may make it at once, and one writes while the others read."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

from firehose.access.tokens import Tokens
from firehose.history.sqlite import SqliteStore
from firehose.ops.bench.world import World

PROCESSES = 6
ENVIRON = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "src")}
OPENER = """
import sys
from pathlib import Path
from firehose.access.tokens import Tokens
from firehose.history.sqlite import SqliteStore
print("here", flush=True)
sys.stdin.readline()
store = SqliteStore(Path(sys.argv[1]) / "history.db")
Tokens(Path(sys.argv[1]) / "access.sqlite").close()
print(store.span().count, flush=True)
store.close()
"""
WRITER = """
import sys
from itertools import islice
from firehose.history.sqlite import SqliteStore
from firehose.ops.bench.world import World
store = SqliteStore(sys.argv[1])
first, count = int(sys.argv[2]), int(sys.argv[3])
for event in World().events(count, first=first):
    store.append([event])
store.close()
"""


def test_processes_that_make_it_at_once_do_not_collide(tmp_path: Path) -> None:
    for turn in range(5):
        folder = tmp_path / str(turn)
        folder.mkdir()
        openers = [
            subprocess.Popen(
                [sys.executable, "-c", OPENER, str(folder)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRON,
            )
            for _ in range(PROCESSES)
        ]  # fmt: skip
        for opener in openers:
            assert opener.stdout is not None
            assert opener.stdout.readline() == "here\n"
        for opener in openers:
            assert opener.stdin is not None
            opener.stdin.write("\n")
            opener.stdin.flush()
        told = [opener.communicate(timeout=60) for opener in openers]
        assert told == [("0\n", "")] * PROCESSES


def test_two_writers_and_a_reader_wait_for_each_other(tmp_path: Path) -> None:
    file = tmp_path / "history.db"
    store = SqliteStore(file)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file), str(first), "300"], stderr=subprocess.PIPE, env=ENVIRON
        )
        for first in (1, 1)  # the same events: two recorders may meet, and each event is there once
    ]
    seen = 0
    while any(writer.poll() is None for writer in writers):
        count = store.span().count
        assert count >= seen
        seen = count
    assert [writer.communicate()[1] for writer in writers] == [b"", b""]
    events = [event for chunk in store.replay(0) for event in chunk]
    assert [event.sequence for event in events] == list(range(1, 301))
    assert [event.json for event in events] == [event.json for event in islice(World().events(300), 300)]
    assert store.span().count == 300
    store.close()
    assert Tokens(tmp_path / "access.sqlite").all() == []
