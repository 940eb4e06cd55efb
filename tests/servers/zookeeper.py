"""A real ZooKeeper of the tests' own: Debian's jar, own folder, free port; and a client that writes as Zuul would."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import KazooClient
from kazoo.handlers.threading import KazooTimeoutError
from tests.servers.certificates import Authority, Issued

from firehose.bus.engine import free_port
from firehose.testing import need

JAR = Path("/usr/share/java/zookeeper.jar")
NETTY = sorted(JAR.parent.glob("netty-*.jar"))
"""What it needs for TLS."""


class ZooKeeper:
    """hosts: where it listens. `client` is connected while it runs."""

    def __init__(self, java: str, folder: Path, more: str = "") -> None:
        self._java = java
        self._log = folder / "zookeeper.log"
        self.port = free_port()
        self.hosts = f"127.0.0.1:{self.port}"
        self._config = folder / "zoo.cfg"
        self._config.write_text(
            f"tickTime=500\ndataDir={folder}/data\nclientPortAddress=127.0.0.1\nclientPort={self.port}\n"
            f"admin.enableServer=false\nforceSync=no\n{more}"
        )
        self._process: subprocess.Popen[bytes] | None = None
        self.client: Any = None

    def start(self) -> None:
        """Serve, and wait until a client is connected."""
        command = [self._java, "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", ":".join(map(str, [JAR, *NETTY]))]
        main = "org.apache.zookeeper.server.ZooKeeperServerMain"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([*command, main, str(self._config)], stdout=log, stderr=log)
        self.connect()

    def connect(self) -> None:
        """Make `client` one that is connected."""
        deadline = time.monotonic() + 120
        while self.client is None:
            client = KazooClient(hosts=self.hosts, timeout=20)
            try:
                client.start(timeout=2)
                self.client = client
            except KazooTimeoutError:
                client.stop()
                client.close()
                assert self._process is not None
                assert self._process.poll() is None, self._log.read_text()[-2000:]
                assert time.monotonic() < deadline, self._log.read_text()[-2000:]

    def leave(self) -> None:
        """End the client."""
        if self.client is not None:
            self.client.stop()
            self.client.close()
            self.client = None

    def put(self, path: str, record: object) -> None:
        """Write a record, bytes as they are and anything else as JSON; made with what is above it when it is new."""
        data = record if isinstance(record, bytes) else json.dumps(record).encode()
        if self.client.exists(path):
            self.client.set(path, data)
        else:
            self.client.create(path, data, makepath=True)

    def delete(self, path: str) -> None:
        """Remove a znode and what is below it."""
        self.client.delete(path, recursive=True)

    def clear(self) -> None:
        """Remove everything that a test left."""
        for name in self.client.get_children("/"):
            if name != "zookeeper":
                self.delete(f"/{name}")

    def stop(self) -> None:
        """Kill the server; its data stay."""
        self.leave()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture(scope="session")
def _zookeeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZooKeeper]:
    java = need(shutil.which("java") if JAR.exists() else None, "ZooKeeper")
    server = ZooKeeper(java, tmp_path_factory.mktemp("zookeeper"))
    server.start()
    server.leave()
    yield server
    server.stop()


@pytest.fixture
def zookeeper(_zookeeper: ZooKeeper) -> Iterator[ZooKeeper]:
    """A running, empty ZooKeeper. Its client lasts as long as the test: it has threads, and they throw dice."""
    _zookeeper.connect()
    _zookeeper.clear()
    yield _zookeeper
    _zookeeper.leave()


class Guarded(ZooKeeper):
    """One that wants a certificate of its authority at `secure`. own: a client's."""

    def __init__(self, java: str, folder: Path) -> None:
        authority = Authority(folder)
        self.own: Issued = authority.issue("client", "hub.lumen.example")
        server = authority.issue("server", "localhost")
        both = folder / "server.both.pem"
        both.write_bytes(server.certificate.read_bytes() + server.key.read_bytes())
        port = free_port()
        self.secure = f"localhost:{port}"
        super().__init__(
            java,
            folder,
            f"secureClientPort={port}\nsecureClientPortAddress=127.0.0.1\n"
            "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory\n"
            f"ssl.keyStore.location={both}\nssl.trustStore.location={authority.certificate}\n",
        )


@pytest.fixture
def guarded_zookeeper(tmp_path: Path) -> Iterator[Guarded]:
    """A running ZooKeeper with TLS."""
    (tmp_path / "guarded").mkdir()
    server = Guarded(need(shutil.which("java") if JAR.exists() else None, "ZooKeeper"), tmp_path / "guarded")
    server.start()
    yield server
    server.stop()
