"""A real RabbitMQ of the tests' own: own node, own folder, free ports, no plugins; ended with its epmd."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pika
import pika.exceptions
import pytest

from firehose.bus.engine import free_port
from firehose.testing import need

PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"


class RabbitMQ:
    """url: `amqp://guest@127.0.0.1:port/`; the password is `guest`."""

    def __init__(self, program: str, folder: Path) -> None:
        self.port = free_port()
        self.url = f"amqp://guest@127.0.0.1:{self.port}/"
        self._log = folder / "rabbitmq.log"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "plugins").write_text("[].")
        self._env = os.environ | {
            "HOME": str(folder), "RABBITMQ_NODENAME": f"t{uuid.uuid4().hex[:8]}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1", "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()), "ERL_EPMD_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"), "RABBITMQ_LOG_BASE": str(folder), "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"), "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }  # fmt: skip
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Serve, and wait until it does."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([self._program], env=self._env, stdout=log, stderr=log)
        deadline = time.monotonic() + 120
        while True:
            try:
                self.connect().close()
                return
            except (pika.exceptions.AMQPError, OSError):
                assert self._process.poll() is None, self._log.read_text()[-2000:]
                assert time.monotonic() < deadline, self._log.read_text()[-2000:]
                time.sleep(0.2)

    def connect(self) -> pika.BlockingConnection:
        """A client's connection."""
        login = pika.PlainCredentials("guest", "guest")
        return pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", self.port, credentials=login))

    def publish(self, exchange: str, key: str, body: bytes, properties: pika.BasicProperties | None = None) -> None:
        """One persistent message, confirmed by the broker; the exchange is declared as publishers do."""
        connection = self.connect()
        channel = connection.channel()
        if not exchange.startswith("amq."):
            channel.exchange_declare(exchange, "topic", durable=True)
        channel.confirm_delivery()
        channel.basic_publish(exchange, key, body, properties or pika.BasicProperties(delivery_mode=2))
        connection.close()

    def waiting(self, queue: str) -> int:
        """How many messages a queue holds."""
        connection = self.connect()
        count = connection.channel().queue_declare(queue, passive=True).method.message_count
        connection.close()
        return int(count)

    def stop(self) -> None:
        """End the node and its epmd."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def close(self) -> None:
        """End everything."""
        self.stop()
        epmd = shutil.which("epmd")
        if epmd:
            subprocess.run([epmd, "-kill"], env=self._env, capture_output=True, check=False)


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A running RabbitMQ for all tests of a run."""
    program = need(PROGRAM if Path(PROGRAM).exists() else None, "RabbitMQ")
    server = RabbitMQ(program, tmp_path_factory.mktemp("rabbitmq"))
    server.start()
    yield server
    server.close()
