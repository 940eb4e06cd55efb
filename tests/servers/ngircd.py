"""A real ngircd on a free port, and a person who talks there: a socket and the words of RFC 1459."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firehose.bus.engine import free_port
from firehose.testing import need


def wait(look: Callable[[], str], told: Callable[[], str], seconds: float = 60) -> str:
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, told()[-3_000:]
        time.sleep(0.05)
    return found


class Irc:
    """A person on IRC: a socket and the words of RFC 1459."""

    def __init__(self, port: int, nick: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        self.socket.settimeout(0.2)
        self.text = ""
        self.send(f"NICK {nick}\r\nUSER {nick} 0 * :{nick}")

    def send(self, text: str) -> None:
        self.socket.sendall(text.encode() + b"\r\n")

    def read(self) -> str:
        try:
            got = self.socket.recv(65_536).decode(errors="replace")
        except TimeoutError:
            return self.text
        self.text += got
        for row in got.splitlines():
            if row.startswith("PING"):
                self.send(row.replace("PING", "PONG", 1))
        return self.text

    def hear(self, *texts: str) -> str:
        return wait(lambda: found if all(text in (found := self.read()) for text in texts) else "", lambda: self.text)


@pytest.fixture
def irc_port(tmp_path: Path) -> Iterator[int]:
    program = need(shutil.which("ngircd", path=os.environ["PATH"] + ":/usr/sbin"), "ngircd")
    port = free_port()
    config = tmp_path / "ngircd.conf"
    config.write_text(
        f"[Global]\nName = irc.example.org\nInfo = test\nListen = 127.0.0.1\nPorts = {port}\n"
        "AdminInfo1 = x\nAdminEMail = a@example.org\n[Options]\nDNS = no\nIdent = no\nPAM = no\n"
        "[Limits]\nConnectRetry = 60\nMaxConnectionsIP = 0\nMaxPenaltyTime = 0\n"
    )
    with (tmp_path / "ngircd.log").open("w") as log:
        server = subprocess.Popen([program, "-n", "-f", str(config)], stdout=log, stderr=log)
    wait(lambda: "1" if listens(port) else "", (tmp_path / "ngircd.log").read_text)
    yield port
    server.terminate()
    server.wait(20)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
