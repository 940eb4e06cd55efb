"""Mail and queues over TLS with an authority of one's own: the right name gets in, anything else gets no password."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.reader import PATIENCE, search, source, until
from tests.servers.certificates import Authority
from tests.servers.dovecot import PASSWORD, USER, Dovecot
from tests.servers.rabbitmq import PROGRAM, RabbitMQ

from firehose import source as sources
from firehose.bus.engine import free_port
from firehose.testing import HubProcess, StartHub, need

MAIL = (
    b"From: ada@example.org\r\nMessage-ID: <1@example.org>\r\nList-Id: <dev.lists.example.org>\r\n"
    b"Subject: Hello\r\n\r\nx\r\n"
)
STORY = Path(sources.__file__).parent / "sources" / "storyboard" / "samples" / "story_created__amqp.json"


def mailbox(name: str, place: str, tls: str, ca: Path | None) -> str:
    return (
        f'[sources.{name}]\nkind = "mailinglist"\nimap = "{place}"\nimap_user = "{USER}"\n'
        f'imap_secret_env = "IMAP_SECRET"\nimap_tls = "{tls}"\n' + (f'imap_ca_file = "{ca}"\n' if ca else "")
    )


def queue(name: str, url: str, ca: Path | None) -> str:
    return (
        f'[sources.{name}]\nkind = "storyboard"\nurl = "https://stories.lumen.example"\namqp = "{url}"\n'
        f'amqp_queue = "{name}"\namqp_secret_env = "AMQP_SECRET"\nall_stories_public = true\n'
        + (f'amqp_ca_file = "{ca}"\n' if ca else "")
    )


def connected(hub: HubProcess, name: str, way: str) -> None:
    """Wait until a source is connected. A server that is too busy to log somebody in makes a reader wait a minute."""
    deadline = time.monotonic() + 4 * PATIENCE
    while not (health := source(hub, name))["connection"].startswith(way):
        assert time.monotonic() < deadline, health
        time.sleep(0.1)


def kept_out(hub: HubProcess, name: str, why: str) -> None:
    """A source that is not connected, and says why."""

    def found() -> dict[str, Any] | None:
        health = source(hub, name)
        return health if health["state"] == "down" and why in json.dumps(health).lower() else None

    assert until(found, f"{name} kept out by {why!r}: {source(hub, name)}")["connection"].startswith("not connected to")


def test_mail_is_read_from_the_server_that_the_authority_names(
    start_hub: StartHub, tls_dovecot: Dovecot, dovecot: Dovecot, tmp_path: Path
) -> None:
    ca = tmp_path / "ca" / "authority.pem"
    imaps, imap = tls_dovecot.imaps, tls_dovecot.port
    tls_dovecot.put(MAIL)
    before = logins(tls_dovecot)
    hub = start_hub(
        mailbox("implicit", f"localhost:{imaps}", "implicit", ca)
        + mailbox("starttls", f"localhost:{imap}", "starttls", ca)
        + mailbox("othername", f"127.0.0.1:{imaps}", "implicit", ca)
        + mailbox("othername2", f"127.0.0.1:{imap}", "starttls", ca)
        + mailbox("unknown", f"localhost:{imaps}", "implicit", None)
        + mailbox("unknown2", f"localhost:{imap}", "starttls", None)
        + mailbox("stripped", f"localhost:{dovecot.port}", "starttls", ca)
        + mailbox("nofile", f"localhost:{imaps}", "implicit", tmp_path / "none.pem"),
        environ={"IMAP_SECRET": PASSWORD},
    )
    for name in ("implicit", "starttls"):
        connected(hub, name, "IMAP localhost")
    found = search(hub, "source:implicit OR source:starttls", 2)
    assert {event["topic"].split("/")[1] for event in found} == {"implicit", "starttls"}
    kept_out(hub, "othername", "mismatch")
    kept_out(hub, "othername2", "mismatch")
    kept_out(hub, "unknown", "unable to get local issuer")
    kept_out(hub, "unknown2", "unable to get local issuer")
    kept_out(hub, "stripped", "starttls")
    kept_out(hub, "nofile", "no such file")
    # The two that were let in, each again when Dovecot was busy with the other: nobody else said a password.
    assert 2 <= logins(tls_dovecot) - before <= 2 + len(breaks(hub, "starttls", "implicit"))
    assert logins(dovecot) == 1


def logins(server: Dovecot) -> int:
    """How often somebody logged in."""
    return (server.folder / "dovecot.log").read_text().count("imap-login: Info: Login:")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[tuple[RabbitMQ, int, Path]]:
    """A RabbitMQ with TLS beside its plain port, its certificate for `localhost`; the TLS port, its authority."""
    program = need(PROGRAM if Path(PROGRAM).exists() else None, "RabbitMQ")
    issued, port = Authority(tmp_path / "ca").issue("broker", "localhost"), free_port()
    config = (
        f"listeners.ssl.default = 127.0.0.1:{port}\nssl_options.cacertfile = {issued.authority}\n"
        f"ssl_options.certfile = {issued.certificate}\nssl_options.keyfile = {issued.key}\n"
        "ssl_options.verify = verify_none\n"
    )
    server = RabbitMQ(program, tmp_path / "broker", config)
    server.start()
    yield server, port, issued.authority
    server.close()


def test_a_queue_is_consumed_from_the_broker_that_the_authority_names(
    start_hub: StartHub, broker: tuple[RabbitMQ, int, Path]
) -> None:
    server, port, ca = broker
    hub = start_hub(
        queue("good", f"amqps://guest@localhost:{port}/", ca)
        + queue("othername", f"amqps://guest@127.0.0.1:{port}/", ca)
        + queue("unknown", f"amqps://guest@localhost:{port}/", None)
        + queue("nofile", f"amqps://guest@localhost:{port}/", ca.with_name("none.pem")),
        environ={"AMQP_SECRET": "guest"},
    )
    connected(hub, "good", "AMQP localhost")
    server.publish("storyboard", "story", STORY.read_bytes())
    (event,) = search(hub, "source:good")
    assert (event["kind"], event["subject"]) == ("ticket.created", "story/425")
    kept_out(hub, "othername", "mismatch")
    kept_out(hub, "unknown", "self-signed certificate in certificate chain")
    kept_out(hub, "nofile", "certificates cannot be used")
    # The one that was let in, and again where the broker was busy: nobody else said a password.
    assert 1 <= entries(server, port) <= 1 + len(breaks(hub, "good"))


def entries(server: RabbitMQ, port: int) -> int:
    """How often somebody logged in at a port."""
    log = (server.folder / "rabbitmq.log").read_text().splitlines()
    return sum(f":{port})" in row and "authenticated and granted access to vhost" in row for row in log)


def breaks(hub: HubProcess, *names: str) -> list[str]:
    """The lines of the hub's log about connections of sources that ended, or never were."""
    log = [row for row in hub.log.read_text().splitlines() if '"not connected"' in row]
    return [row for row in log if any(f'"{name}"' in row for name in names)]
