"""A Mailman archive: a real HyperKitty's pages, read from where they were left."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.journeys.reader import everywhere, listening, search, sink, source
from tests.servers.hook import Receiver

from firehose.bus.engine import free_port
from firehose.testing import StartHub, peer

PROGRAM = Path(__file__).parents[1] / "servers" / "hyperkitty_archive.py"
LIST = "devel@lists.lumen.example"
SETTINGS = """
[sources.lists]
kind = "mailinglist"
archive = "{url}"
every = 1
lists = {{ "devel.lists.lumen.example" = "lumen/atlas" }}
"""


class Archive:
    """A running HyperKitty, which gets mail."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [peer("hyperkitty"), str(PROGRAM), str(folder), str(port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self._read() == "ready"

    def put(self, number: int, title: str, answers: int = -1) -> str:
        """Archive a mail; its hash."""
        about = f"In-Reply-To: <{answers}@lumen.example>\n" if answers >= 0 else ""
        mail = (
            f"From: Mira Novak <mira@lumen.example>\nTo: {LIST}\nSubject: {title}\n{about}"
            f"Message-ID: <{number}@lumen.example>\nDate: Thu, 09 Oct 2025 09:20:00 +0000\n\nHello\n"
        )
        assert self._process.stdin is not None
        self._process.stdin.write(f"{LIST} {base64.b64encode(mail.encode()).decode()}\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    found = Archive(tmp_path)
    yield found
    found.stop()


def test_a_discussion_in_the_archive_is_one_thread_and_nothing_is_missed_over_pages(
    start_hub: StartHub, archive: Archive, receiver: Receiver
) -> None:
    first = archive.put(0, "Fast tiles")
    hub = start_hub(SETTINGS.format(url=archive.url) + sink(receiver))
    assert len(search(hub, "source:lists", 1)) == 1
    with listening(hub, "events/lists/#") as reader:
        second = archive.put(1, "Re: Fast tiles", answers=0)
        reader.wait(1)
    new, answer = search(hub, "source:lists", 2)
    assert [event["topic"] for event in (new, answer)] == [
        "events/lists/thread/created/lumen/atlas", "events/lists/comment/added/lumen/atlas",
    ]  # fmt: skip
    assert new["subject"] == answer["subject"] == f"thread/{first}"
    assert everywhere(answer, reader, receiver) == (
        "comment.added", "lumen/atlas", "Mira Novak", "Mira Novak answered on devel: Fast tiles",
        f"{archive.url}/list/{LIST.replace('@', '%40')}/message/{second}/",
        f"list/devel.lists.lumen.example mail/{first}",
    )  # fmt: skip
    assert "mira" not in str([event["data"] for event in (new, answer)])
    hub.kill()
    for number in range(2, 122):
        archive.put(number, f"News {number}")
    hub.start()
    found = search(hub, "source:lists", 122)
    assert [event["summary"].rpartition(" ")[2] for event in found[2:]] == [str(number) for number in range(2, 122)]
    assert source(hub, "lists")["verdicts"]["duplicate"] == 0
