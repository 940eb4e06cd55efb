"""A real RabbitMQ of the tests' own: own node, own folder, free ports, no plugins; ended with its epmd."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pika
import pika.credentials
import pika.exceptions
import pytest

from firehose.bus.engine import free_port
from firehose.testing import need

PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"


class RabbitMQ:
    """url: `amqp://guest@127.0.0.1:port/`; the password is `guest`."""

    def __init__(self, program: str, folder: Path, config: str = "", plugins: str = "") -> None:
        """config: lines of rabbitmq.conf, after those for TLS alone when there are any; plugins: names, by commas."""
        self.port = free_port()
        self.folder = folder
        self.url = f"amqp://guest@127.0.0.1:{self.port}/"
        self._log = folder / "rabbitmq.log"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "plugins").write_text(f"[{plugins}].")
        self._env = os.environ | {
            "HOME": str(folder), "RABBITMQ_NODENAME": f"t{uuid.uuid4().hex[:8]}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1", "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()), "ERL_EPMD_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"), "RABBITMQ_LOG_BASE": str(folder), "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"), "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }  # fmt: skip
        if config:
            (folder / "rabbitmq.conf").write_text(config)
            self._env["RABBITMQ_CONFIG_FILE"] = str(folder / "rabbitmq.conf")
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Serve, and wait until it does."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([self._program], env=self._env, stdout=log, stderr=log)
        deadline = time.monotonic() + 120
        while True:
            try:
                self.greet()
                return
            except (pika.exceptions.AMQPError, OSError):
                assert self._process.poll() is None, self._log.read_text()[-2000:]
                assert time.monotonic() < deadline, self._log.read_text()[-2000:]
                time.sleep(0.2)

    def greet(self) -> None:
        """A first connection; raises while there is nobody."""
        self.connect().close()

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

    def delete(self, queue: str) -> None:
        """Take a queue away, with what is in it and from under who reads it."""
        connection = self.connect()
        connection.channel().queue_delete(queue)
        connection.close()

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


class PublicBroker(RabbitMQ):
    """One that is set up as Fedora's public broker is: TLS alone, and a client certificate is the login; the virtual
    host's name begins with a slash. `ca`, `cert`, `key` are the files for clients; `url` has no password."""

    def __init__(self, program: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ca, self.cert, self.key = (folder / name for name in ("ca.crt", "fedora.crt", "fedora.key"))
        _certificates(folder)
        super().__init__(
            program, folder, plugins="rabbitmq_auth_mechanism_ssl", config=(
                "listeners.tcp = none\n"
                f"ssl_options.cacertfile = {self.ca}\nssl_options.certfile = {folder / 'server.crt'}\n"
                f"ssl_options.keyfile = {folder / 'server.key'}\nssl_options.verify = verify_peer\n"
                "ssl_options.fail_if_no_peer_cert = true\nauth_mechanisms.1 = EXTERNAL\n"
                "ssl_cert_login_from = common_name\ndefault_user = fedora\ndefault_vhost = /public_pubsub\n"
            )
        )  # fmt: skip
        self.url = f"amqps://fedora@localhost:{self.port}/%2Fpublic_pubsub"
        with (folder / "rabbitmq.conf").open("a") as config:
            config.write(f"listeners.ssl.default = 127.0.0.1:{self.port}\n")
        self._env.pop("RABBITMQ_NODE_PORT")
        self._env.pop("RABBITMQ_NODE_IP_ADDRESS")

    def connect(self) -> pika.BlockingConnection:
        """A client's connection, by its certificate."""
        context = ssl.create_default_context(cafile=str(self.ca))
        context.load_cert_chain(self.cert, self.key)
        return pika.BlockingConnection(
            pika.ConnectionParameters(
                "localhost", self.port, "/public_pubsub", pika.credentials.ExternalCredentials(),
                ssl_options=pika.SSLOptions(context, "localhost"),
            )
        )  # fmt: skip


def _certificates(folder: Path) -> None:
    """An authority, a server's certificate for localhost, and the one that everybody has."""

    def openssl(*words: object) -> None:
        subprocess.run(["openssl", *map(str, words)], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-days", 2, "-subj",
            "/CN=Test authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
    # From Python 3.13 on a chain without key identifiers and usages is refused (`VERIFY_X509_STRICT`).
    (folder / "names").write_text(
        "subjectAltName=DNS:localhost\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
        "keyUsage=critical,digitalSignature,keyEncipherment\n"
    )
    for name, common in (("server", "localhost"), ("fedora", "fedora")):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj",
                f"/CN={common}")  # fmt: skip
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days",
                2, "-extfile", "names", "-out", f"{name}.crt")  # fmt: skip


@pytest.fixture(scope="session")
def public_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicBroker]:
    """A running RabbitMQ like Fedora's public one."""
    program = need(PROGRAM if Path(PROGRAM).exists() else None, "RabbitMQ")
    server = PublicBroker(program, tmp_path_factory.mktemp("public-broker"))
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A running RabbitMQ for all tests of a run."""
    program = need(PROGRAM if Path(PROGRAM).exists() else None, "RabbitMQ")
    server = RabbitMQ(program, tmp_path_factory.mktemp("rabbitmq"))
    server.start()
    yield server
    server.close()
