"""The Errbot plugin's way to the hub, without an Errbot: a stream that breaks, and one that only looks alive."""

from __future__ import annotations

import importlib.util
import json
import queue
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

import firehose
from firehose.chat.words import plural

KNOWN = ("change.merged", "story.created", "repository.created", "ticket.closed", "environment.created", "ref.updated")
FILE = Path(firehose.__file__).parent / "bots" / "errbot" / "firehose_hub.py"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n"


def load() -> Any:
    """The plugin's module, which is no part of our package's imports: it runs in an Errbot's environment."""
    spec = importlib.util.spec_from_file_location("firehose_hub", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(number: int) -> bytes:
    event = {"kind": "change.merged", "subject": f"nova~{number}", "summary": f"{number} merged"}
    return json.dumps(event | {"sequence": f"{number:020d}"}).encode() + b"\n"


def chunk(line: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(line), line)


def chunked(number: int) -> bytes:
    """An answer in chunks, cut in the middle of the second."""
    head = HEAD.replace(b"Connection: close", b"Transfer-Encoding: chunked")
    return head + chunk(row(number)) + chunk(row(number + 7))[:20]


@pytest.mark.parametrize("how", ["broken off", "broken off in a chunk", "silent"])
def test_gerritbot_defect_a_loop_that_went_wrong_was_no_disconnect(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load()
    for name, value in (("SILENCE", 0.5), ("WAITS", (0,)), ("GATHER", 0.0)):
        monkeypatch.setattr(module, name, value)
    asked: queue.Queue[str] = queue.Queue()
    said: queue.Queue[str] = queue.Queue()
    open_: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for number in (1, 2):
                connection, _ = server.accept()
                open_.append(connection)
                asked.put(connection.recv(4_096).decode().split()[1])
                half = b'{"half": ' if how == "broken off" else b""
                connection.sendall(chunked(number) if how.endswith("chunk") else HEAD + row(number) + half)
                if how != "silent":
                    connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        hub = module.Hub(f"http://127.0.0.1:{server.getsockname()[1]}")
        follower = module.Follower(hub, "kind:change.merged", "", lambda lines, _: said.put(lines[0]), lambda _: None)
        follower.start()
        assert [said.get(timeout=60).split("  ")[0] for _ in range(2)] == ["1 merged", "2 merged"]
        follower.stop()
        thread.join(60)
        for connection in open_:
            connection.close()
    # It came back, and asked for what follows the last line that it had.
    assert ["cursor=" in asked.get(timeout=60), f"cursor={1:020d}" in asked.get(timeout=60)] == [False, True]


def test_several_of_a_thing_are_called_as_the_hub_calls_them() -> None:
    plural_ = load().plural
    nouns = {kind.partition(".")[0] for kind in KNOWN} | {"repository", "branch", "status", "query", "play", "box"}
    assert {noun: plural_(noun) for noun in nouns} == {noun: plural(noun) for noun in nouns}
