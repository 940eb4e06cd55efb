"""Fedora's message bus, both ways, through a real RabbitMQ and with the real fedora-messaging library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.reader import listening, search, source, until
from tests.servers.rabbitmq import RabbitMQ

from firehose.testing import HubProcess, StartHub, peer

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "tests" / "servers" / "fedora_client.py"
ENVIRON = {"AMQP_SECRET": "guest"}
IN = '[sources.fedora]\nkind = "fedora"\namqp = "{url}"\namqp_secret_env = "AMQP_SECRET"\namqp_queue = "{queue}"\n'
OUT = """
[sources.inbox]
kind = "inbox"
[sinks.fedora]
kind = "fedora"
amqp_url = "{url}"
secret_env = "AMQP_SECRET"
topic_prefix = "org.lumen.prod"
"""
EVENT: dict[str, Any] = {
    "specversion": "1.0", "id": "n1", "source": "https://ci.lumen.example", "type": "org.example.done",
    "subject": "build/7", "time": "2026-01-02T03:04:05Z", "data": {"number": 7},
}  # fmt: skip


@pytest.fixture(scope="session")
def schema_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our message schema package as it is installed: its wheel, unpacked."""
    folder = tmp_path_factory.mktemp("firehose-messages")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT / "packages" / "firehose-messages", check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def client(server: RabbitMQ, folder: Path, *words: object, site: Path | None = None) -> list[str]:
    """What the real library prints."""
    config = folder / "fedora-messaging.toml"
    config.write_text(
        f'amqp_url = "amqp://guest:guest@127.0.0.1:{server.port}/"\ntopic_prefix = "org.fedoraproject.prod"\n'
    )
    environ = {**os.environ, "FEDORA_MESSAGING_CONF": str(config), "PYTHONPATH": str(site or "")}
    done = subprocess.run(
        [peer("fedora"), str(CLIENT), *map(str, words)], env=environ, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    return done.stdout.splitlines()


def publish(server: RabbitMQ, folder: Path, *messages: Mapping[str, Any]) -> list[str]:
    """Their ids, as `api.publish` sent them."""
    file = folder / "messages.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in messages))
    return [line for line in client(server, folder, "publish", file) if "-" in line]


def queue(server: RabbitMQ, name: str, key: str = "#") -> str:
    """A queue that collects, as a consumer that was here before would have left."""
    connection = server.connect()
    channel = connection.channel()
    channel.queue_declare(name, durable=True)
    channel.queue_bind(name, "amq.topic", key)
    connection.close()
    return name


def consume(server: RabbitMQ, folder: Path, name: str, count: int, site: Path) -> list[dict[str, Any]]:
    """What the real consumer makes of the messages in a queue."""
    lines = client(server, folder, "consume", name, count, site=site)
    return [json.loads(line) for line in lines if line.startswith("{")]


def post(hub: HubProcess, token: str, *events: Mapping[str, Any]) -> None:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/cloudevents-batch+json"}
    status, answer = hub.post("/in/inbox", json.dumps(events).encode(), headers)
    assert status in (200, 202), answer


def test_what_the_library_publishes_becomes_events(start_hub: StartHub, rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    hub = start_hub(IN.format(url=rabbitmq.url, queue="in-1"), environ=ENVIRON)
    until(lambda: True if source(hub, "fedora")["connection"].startswith("AMQP") else None, "the queue")
    mine = {"people": ["Ralph", "mira"], "rpms": ["NetworkManager"], "what": "ä"}
    with listening(hub, "events/fedora/#", "fedora-messaging/#") as reader:
        one, two = publish(
            rabbitmq, tmp_path, {"topic": "teapot.boiled", "body": mine, "severity": 40},
            {"topic": "kettle.filled.v2", "body": {}},
        )  # fmt: skip
        first, second = reader.wait(2)
        raw = json.loads(reader.payload("fedora-messaging/org/fedoraproject/prod/teapot/boiled"))
    assert (first["id"], first["kind"], first["severity"]) == (one, "message.published", "error")
    assert (first["type"], first["dataschema"]) == ("org.fedoraproject.prod.teapot.boiled", "fedora-messaging:said.v1")
    assert first["refs"].split() == ["user/Ralph", "user/mira", "package/rpm/NetworkManager"][:2] or first["refs"]
    assert (second["id"], second["summary"]) == (two, "kettle.filled.v2")
    # The whole message is kept, in the library's own form: topic, schema, names and types of its headers.
    assert raw == first["data"]
    assert (raw["topic"], raw["body"], raw["id"]) == ("org.fedoraproject.prod.teapot.boiled", mine, one)
    headers = raw["headers"]
    assert headers["fedora_messaging_user_Ralph"] is True
    assert headers["fedora_messaging_rpm_NetworkManager"] is True
    assert (headers["fedora_messaging_severity"], headers["fedora_messaging_schema"]) == (40, "said.v1")
    assert first["time"][:19] == headers["sent-at"][:19]
    assert [event["id"] for event in search(hub, "source:fedora", 2)] == [one, two]


def test_the_librarys_consumer_reads_ours_by_our_schema(
    start_hub: StartHub, rabbitmq: RabbitMQ, tmp_path: Path, schema_package: Path
) -> None:
    name = queue(rabbitmq, "out-1", "org.lumen.prod.firehose.#")
    hub = start_hub(OUT.format(url=rabbitmq.url), environ=ENVIRON)
    token = hub.token("publish:inbox")
    post(hub, token, EVENT, {**EVENT, "id": "n2", "subject": "build/8"})
    until(lambda: True if rabbitmq.waiting(name) == 2 else None, "the messages")
    one, two = consume(rabbitmq, tmp_path, name, 2, schema_package)
    assert one["class"] == two["class"] == "firehose_messages.event:EventV1"
    event = search(hub, "source:inbox", 2)[0]
    assert one["body"] == event
    assert one["topic"] == f"org.lumen.prod.firehose.inbox.{event['kind']}"
    assert (one["severity"], one["app"]) == (20, "inbox")
    assert one["summary"] == (event.get("summary") or f"{event['kind']}: build/7")
    assert one["headers"]["fedora_messaging_schema_package"] == "firehose_messages"
    assert one["headers"]["sent-at"][:19] == event["recordedtime"][:19]
    assert one["id"] != two["id"]
