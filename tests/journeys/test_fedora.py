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

import pika.exceptions
import pytest
from tests.journeys.reader import listening, search, source, until
from tests.servers.rabbitmq import PublicBroker, RabbitMQ

from firehose.testing import HubProcess, Mosquitto, StartHub, peer

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
PUBLIC = """
[sources.inbox]
kind = "inbox"
[sinks.fedora]
kind = "fedora"
amqp_url = "{url}"
ca_file = "{ca}"
cert_file = "{cert}"
key_file = "{key}"
topic_prefix = "org.lumen.prod"
[sources.fedora]
kind = "fedora"
amqp = "{url}"
amqp_queue = "7c6b1f8e-6f0d-4a52-9f7c-1d2c3b4a5e6f"
durable = false
ca_file = "{ca}"
cert_file = "{cert}"
key_file = "{key}"
bindings = ["org.fedoraproject.#"]
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
    assert (first["subject"], first["refs"]) == ("package/rpm/NetworkManager", "user/Ralph user/mira")
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


COMMENT: dict[str, Any] = {
    "agent": "tomas",
    "comment": {"author": "tomas", "karma": 1, "text": "Works, thanks @mira", "update": {
        "alias": "LUMEN-2026-1a2b", "title": "atlas-2.1-1.fc44", "builds": [{"nvr": "atlas-2.1-1.fc44"}]}},
}  # fmt: skip


def test_a_service_speaks_in_its_own_words_at_mqtt_in_the_search_and_at_a_sink(
    start_hub: StartHub, rabbitmq: RabbitMQ, tmp_path: Path, mosquitto: Mosquitto
) -> None:
    sink = f'[sinks.lab]\nkind = "mqtt"\nurl = "mqtt://127.0.0.1:{mosquitto.port}"\nmode = "structured"\n'
    hub = start_hub(IN.format(url=rabbitmq.url, queue="in-6") + sink, environ=ENVIRON)
    until(lambda: True if source(hub, "fedora")["connection"].startswith("AMQP") else None, "the queue")
    with listening(hub, "events/fedora/#") as reader, listening(mosquitto.port) as lab:
        (id_,) = publish(rabbitmq, tmp_path, {"topic": "bodhi.update.comment", "body": COMMENT})
        (live,) = reader.wait(1)
        (sent,) = lab.wait(1)
    (found,) = search(hub, "project:rpms/atlas kind:comment.added")
    assert live == found == sent
    assert (found["id"], found["topic"]) == (id_, "events/fedora/comment/added/rpms/atlas")
    assert (found["actor"], found["subject"]) == ("tomas", "update/LUMEN-2026-1a2b")
    assert found["summary"] == "tomas commented on bodhi update atlas-2.1-1.fc44 (karma: 1)"
    assert found["link"] == "https://bodhi.fedoraproject.org/updates/LUMEN-2026-1a2b"
    assert found["refs"].split() == ["user/tomas", "user/mira", "package/rpm/atlas"]
    # What the hub kept is a message that the library itself loads.
    file = tmp_path / "kept.jsonl"
    file.write_text(json.dumps(found["data"]))
    assert json.loads(client(rabbitmq, tmp_path, "load", file)[-1]) == [
        "org.fedoraproject.prod.bodhi.update.comment", id_, 20,
    ]  # fmt: skip


def test_the_librarys_consumer_reads_ours_by_our_schema(
    start_hub: StartHub, rabbitmq: RabbitMQ, tmp_path: Path, schema_package: Path
) -> None:
    name = queue(rabbitmq, "out-1", "org.lumen.prod.firehose.#")
    hub = start_hub(OUT.format(url=rabbitmq.url), environ=ENVIRON)
    token = hub.token("publish:inbox")
    told = {"actor": "mira", "summary": "mira broke atlas", "link": "https://ci.lumen.example/8", "severity": "error",
            "refs": "user/tomas package/rpm/atlas commit/1"}  # fmt: skip
    post(hub, token, EVENT, {**EVENT, "id": "n2", "subject": "build/8", **told})
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
    # What consumers ask for without a look into the body: FMN's filters go by the headers, people read the rest.
    assert (two["summary"], two["url"], two["agent"]) == ("mira broke atlas", "https://ci.lumen.example/8", "mira")
    assert (two["severity"], two["usernames"], two["packages"]) == (40, ["mira", "tomas"], ["atlas"])
    assert {name for name, value in two["headers"].items() if value is True} == {
        "fedora_messaging_user_mira", "fedora_messaging_user_tomas", "fedora_messaging_rpm_atlas",
    }  # fmt: skip
    assert two["text"].splitlines()[:2] == ["mira broke atlas", "https://ci.lumen.example/8"]
    # A message that only claims our schema does not reach a consumer's callback: the library checks it first.
    refused = client(rabbitmq, tmp_path, "check", json.dumps({**event, "kind": "none"}), site=schema_package)
    assert refused[-1].startswith("refused: 'none' does not match")
    assert client(rabbitmq, tmp_path, "check", json.dumps(event), site=schema_package)[-1] == "taken"


def test_what_is_published_while_the_broker_is_away_comes_later_and_once(
    start_hub: StartHub, rabbitmq: RabbitMQ, tmp_path: Path, schema_package: Path
) -> None:
    name = queue(rabbitmq, "out-2", "org.lumen.prod.firehose.#")
    hub = start_hub(OUT.format(url=rabbitmq.url), environ=ENVIRON)
    token = hub.token("publish:inbox")
    post(hub, token, EVENT)
    until(lambda: True if rabbitmq.waiting(name) == 1 else None, "the first message")
    rabbitmq.stop()
    post(hub, token, {**EVENT, "id": "n2"}, {**EVENT, "id": "n3"})
    rabbitmq.start()
    until(lambda: True if rabbitmq.waiting(name) >= 3 else None, "what waited")
    hub.stop()
    hub.start(ENVIRON)
    post(hub, token, {**EVENT, "id": "n4"})
    until(lambda: True if rabbitmq.waiting(name) >= 4 else None, "what came after the restart")
    found = consume(rabbitmq, tmp_path, name, 4, schema_package)
    assert [one["body"]["id"] for one in found] == ["n1", "n2", "n3", "n4"]
    assert rabbitmq.waiting(name) == 0


def test_a_hub_with_both_ways_on_one_broker_does_not_talk_to_itself(start_hub: StartHub, rabbitmq: RabbitMQ) -> None:
    name = queue(rabbitmq, "out-3", "org.lumen.prod.#")
    both = OUT + IN.replace("{queue}", "in-3")
    hub = start_hub(both.format(url=rabbitmq.url), environ=ENVIRON)
    token = hub.token("publish:inbox")
    until(lambda: True if source(hub, "fedora")["connection"].startswith("AMQP") else None, "the queue")
    post(hub, token, EVENT)
    rabbitmq.publish("amq.topic", "org.fedoraproject.prod.teapot.boiled", b'{"litres": 2}')
    until(lambda: True if source(hub, "fedora")["verdicts"]["ignored"] == 1 else None, "our own message")
    assert len(search(hub, "source:fedora")) == 1
    # What came from the bus is not sent back to it, and our own came in as no event: one message left the hub.
    post(hub, token, {**EVENT, "id": "n2"})
    until(lambda: True if source(hub, "fedora")["verdicts"]["ignored"] == 2 else None, "our second message")
    assert rabbitmq.waiting(name) == 2
    assert len(search(hub, "source:fedora OR source:inbox", 3)) == 3


def test_two_hubs_that_hear_each_other_know_each_event_by_its_id(start_hub: StartHub, rabbitmq: RabbitMQ) -> None:
    heard = 'hubs = ["org.lumen.prod.firehose"]\n'
    one = start_hub(
        OUT.format(url=rabbitmq.url) + IN.format(url=rabbitmq.url, queue="in-4") + heard, name="one", environ=ENVIRON
    )
    two = start_hub(
        OUT.format(url=rabbitmq.url) + IN.format(url=rabbitmq.url, queue="in-5") + heard, name="two", environ=ENVIRON
    )
    for hub in (one, two):
        until(lambda hub=hub: True if source(hub, "fedora")["connection"].startswith("AMQP") else None, "the queue")
    post(one, one.token("publish:inbox"), EVENT)
    found = search(two, "source:fedora")
    original = search(one, "source:inbox")
    assert [(event["id"], event["source"], event["kind"]) for event in found] == [
        (event["id"], event["source"], event["kind"]) for event in original
    ]
    # The sender hears itself, and knows the event; the other has it once and sends nothing back.
    until(lambda: True if source(one, "fedora")["verdicts"]["duplicate"] == 1 else None, "its own message")
    assert source(two, "fedora")["verdicts"]["event"] == 1
    post(two, two.token("publish:inbox"), {**EVENT, "id": "n9"})
    assert len(search(one, "source:fedora")) == 1
    assert source(one, "fedora")["verdicts"]["duplicate"] == 1


def test_a_certificate_is_the_login_at_a_public_broker(start_hub: StartHub, public_broker: PublicBroker) -> None:
    broker = public_broker
    name = queue(broker, "public-1", "org.lumen.#")
    files = {"url": broker.url, "ca": broker.ca, "cert": broker.cert, "key": broker.key}
    hub = start_hub(PUBLIC.format(**files))
    until(lambda: True if source(hub, "fedora")["connection"].startswith("AMQP") else None, "the queue")
    broker.publish("amq.topic", "org.fedoraproject.prod.teapot.boiled", b'{"litres": 2}')
    assert search(hub, "source:fedora")[0]["summary"] == "teapot.boiled"
    post(hub, hub.token("publish:inbox"), EVENT)
    until(lambda: True if broker.waiting(name) == 1 else None, "the message")
    # The queue is the hub's own and not kept: it ends with the hub's connection, and the hole is told.
    hub.stop()
    with pytest.raises(pika.exceptions.ChannelClosedByBroker):
        broker.waiting("7c6b1f8e-6f0d-4a52-9f7c-1d2c3b4a5e6f")
    broker.publish("amq.topic", "org.fedoraproject.prod.teapot.missed", b"{}")
    hub.start()
    (hole,) = search(hub, "kind:incident.detected subject:source/fedora")
    assert "may have missed events" in hole["summary"]
    broker.publish("amq.topic", "org.fedoraproject.prod.teapot.heard", b"{}")
    assert search(hub, "source:fedora kind:message.published", 2)[1]["summary"] == "teapot.heard"


def test_without_the_certificate_the_sources_page_says_what_is_wrong(
    start_hub: StartHub, public_broker: PublicBroker
) -> None:
    broker = public_broker
    wrong = {"url": broker.url, "ca": broker.ca, "cert": broker.cert, "key": broker.folder / "not-there.key"}
    words = "the certificates cannot be used"
    # A sink without its certificate is an error of the settings; a source waits for it, as what it misses is kept.
    with pytest.raises(AssertionError, match=f"the hub ended with 2:(.|\n)*sinks.fedora: {words}: cert_file: "):
        start_hub(PUBLIC.format(**wrong), name="with-a-sink")
    hub = start_hub("[sources.fedora]" + PUBLIC.partition("[sources.fedora]")[2].format(**wrong))
    assert until(lambda: True if words in json.dumps(source(hub, "fedora")) else None, "the reason")


def test_fedora_messaging_defect_a_consumer_that_was_cancelled_heard_nothing_for_days(
    start_hub: StartHub, rabbitmq: RabbitMQ
) -> None:
    hub = start_hub(IN.format(url=rabbitmq.url, queue="in-7"), environ=ENVIRON)
    until(lambda: True if source(hub, "fedora")["connection"].startswith("AMQP") else None, "the queue")
    rabbitmq.delete("in-7")
    (hole,) = search(hub, "kind:incident.detected subject:source/fedora")
    assert "the queue in-7 was gone" in hole["summary"]
    rabbitmq.publish("amq.topic", "org.fedoraproject.prod.teapot.boiled", b"{}")
    assert search(hub, "source:fedora kind:message.published")[0]["summary"] == "teapot.boiled"
    assert len(search(hub, "kind:incident.detected")) == 1
