"""Hostile MQTT: forbidden topics, floods of bytes, nonsense, wrong logins. Readers see nothing, the hub goes on."""

from __future__ import annotations

import json
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from firehose.testing import HubProcess, StartHub

SETTINGS = """
[[mqtt.logins]]
user = "deployer"
source = "deploys"
secret_env = "DEPLOY_SECRET"
[[mqtt.logins]]
user = "other"
source = "others"
secret_env = "OTHER_SECRET"
[sources.deploys]
kind = "inbox"
[sources.others]
kind = "inbox"
"""
SECRETS = {"DEPLOY_SECRET": "s3cret-of-deploys", "OTHER_SECRET": "s3cret-of-others"}
MIB = 2**20


@pytest.fixture
def hub(start_hub: StartHub) -> HubProcess:
    return start_hub(SETTINGS, environ=SECRETS)


class Client:
    """A client that does as it is told, and remembers what it was answered."""

    def __init__(self, hub: HubProcess, user: str = "", password: str = "") -> None:
        self.got: list[str] = []
        self.reason = ""
        self.granted: list[int] = []
        self.ended = False
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, f"hostile-{uuid.uuid4().hex[:8]}", reconnect_on_failure=False
        )
        if user:
            self._client.username_pw_set(user, password)
        self._client.on_message = lambda _c, _u, message: self.got.append(message.topic)
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._gone
        self._client.on_subscribe = self._subscribed
        self._client.connect("127.0.0.1", hub.mqtt_port)
        self._client.loop_start()
        until(lambda: bool(self.reason) or self.ended, "the broker does not answer")

    def _connected(self, _c: Any, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
        self.reason = str(reason)

    def _gone(self, *_: Any) -> None:
        self.ended = True

    def _subscribed(self, _c: Any, _u: Any, _mid: Any, reasons: Any, _p: Any) -> None:
        self.granted += [reason.value for reason in reasons]

    def publish(self, topic: str, body: bytes | str, qos: int = 1) -> bool:
        """Whether the broker acknowledged it, before it hung up."""
        told = self._client.publish(topic, body, qos=qos)

        def taken() -> bool:
            try:
                return told.is_published()
            except RuntimeError:  # paho's word for: the connection ended before or while it was sent
                return False

        until(lambda: taken() or self.ended, "neither acknowledged nor cut off")
        return taken()

    def subscribe(self, *filters: str) -> None:
        before = len(self.granted)
        self._client.subscribe([(each, 0) for each in filters])
        until(lambda: len(self.granted) >= before + len(filters) or self.ended, "no answer to a subscription")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def client(hub: HubProcess) -> Iterator[Callable[..., Client]]:
    made: list[Client] = []

    def make(user: str = "", password: str = "") -> Client:
        made.append(Client(hub, user, password))
        return made[-1]

    yield make
    for each in made:
        each.close()


def until(what: Callable[[], bool], why: str) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end, why
        time.sleep(0.01)


def verdicts(hub: HubProcess, name: str = "deploys") -> dict[str, int]:
    (found,) = [health for health in hub.get("/v1/sources")["sources"] if health["name"] == name]
    return {verdict: count for verdict, count in found["verdicts"].items() if count}


def event(number: int) -> str:
    return json.dumps(
        {
            "specversion": "1.0",
            "id": f"d{number}",
            "source": "https://deploy.example",
            "type": "a.deploy.done",
            "data": {},
        }
    )


def good(hub: HubProcess, client: Callable[..., Client], number: int) -> None:
    """The hub goes on: a proper event of a proper producer arrives."""
    before = verdicts(hub).get("event", 0)
    assert client("deployer", SECRETS["DEPLOY_SECRET"]).publish("in/deploys/x", event(number))
    until(lambda: verdicts(hub).get("event", 0) == before + 1, "the hub takes nothing any more")


@pytest.mark.parametrize(
    ("user", "password"),
    [("deployer", "wrong"), ("deployer", ""), ("nobody", "x"), ("hub-deployer", "x"), ("hub", "hub"), ("mirror", "x"),
     ("deployer", SECRETS["OTHER_SECRET"])],
)  # fmt: skip
def test_a_wrong_login_is_refused(client: Callable[..., Client], user: str, password: str) -> None:
    found = client(user, password)
    until(lambda: found.ended, "the connection stays open")
    assert found.reason != "Success"


def test_what_is_published_where_it_may_not_reaches_nobody(hub: HubProcess, client: Callable[..., Client]) -> None:
    reader = client()
    reader.subscribe("#", "events/#", "$meta/#")
    until(lambda: "$meta/sources" in reader.got, "no retained message")
    forged = ("events/deploys/a/b", "in/deploys/x", "in/others/x", "private/x/y", "$meta/head", "deploys/own")
    for user, password in (("", ""), ("deployer", SECRETS["DEPLOY_SECRET"])):
        for topic in forged:
            if user and topic == "in/deploys/x":
                continue
            client(user, password).publish(topic, event(1), qos=0)
            client(user, password).publish(topic, event(1), qos=1)
    good(hub, client, 2)
    until(lambda: any(topic.startswith("events/deploys/") for topic in reader.got), "the good one is missing")
    assert {topic for topic in reader.got if not topic.startswith("$meta/")} == {"events/deploys/deploy/done"}
    assert reader.got.count("events/deploys/deploy/done") <= 2  # `#` and `events/#` overlap
    assert verdicts(hub) == {"event": 1}
    assert verdicts(hub, "others") == {}
    until(lambda: len(hub.get("/v1/events?since=earliest")["events"]) == 1, "the history lacks it")
    assert hub.get("/v1/events?since=earliest")["events"][0]["id"] == "d2"


@pytest.mark.parametrize(
    ("topic", "filters"),
    [("in/#", "in/#"), ("producers", "in/deploys/#"), ("server", "$SYS/#"), ("engine", "$JS/#"), ("inbox", "_INBOX/#")],
)
def test_nobody_reads_what_producers_send(
    hub: HubProcess, client: Callable[..., Client], topic: str, filters: str
) -> None:
    reader = client()
    reader.subscribe(filters)
    good(hub, client, 1)
    assert reader.got == [], topic


def test_nonsense_of_a_known_producer_is_refused_and_kept(hub: HubProcess, client: Callable[..., Client]) -> None:
    producer = client("deployer", SECRETS["DEPLOY_SECRET"])
    bodies = [b"", b"\xff\xfe", b"no json", b"[" * 100_000, b'{"specversion":"1.0"}', b"null", event(1).encode()[:-9]]
    for body in bodies:
        assert producer.publish("in/deploys/x", body)
    until(lambda: verdicts(hub).get("refused", 0) == len(bodies), f"{verdicts(hub)}")
    kept = hub.get("/v1/sources")["sources"]
    assert all("Traceback" not in json.dumps(health) for health in kept)
    good(hub, client, 2)
    assert "Traceback" not in hub.log.read_text()


@pytest.mark.parametrize("size", [MIB + 1, 3 * MIB + MIB // 2, 5 * MIB])
def test_a_flood_of_bytes_is_refused_and_the_hub_goes_on(
    hub: HubProcess, client: Callable[..., Client], size: int
) -> None:
    producer = client("deployer", SECRETS["DEPLOY_SECRET"])
    taken = producer.publish("in/deploys/x", b'"' + b"x" * size + b'"')
    # Over the engine's limit the connection is cut; below it the hub refuses, counts and tells the cause.
    assert taken == (size < 4 * MIB)
    if taken:
        until(lambda: verdicts(hub).get("refused", 0) == 1, f"not refused: {verdicts(hub)}")
    good(hub, client, 1)


def test_broken_bytes_and_strange_topics_close_one_connection_only(
    hub: HubProcess, client: Callable[..., Client]
) -> None:
    reader = client()
    reader.subscribe("events/#")
    for junk in (b"GET / HTTP/1.1\r\n\r\n", b"\x10\xff\xff\xff\x7f", b"\x00" * 64, b"\x30\x05\x00\x03a b"):
        with socket.create_connection(("127.0.0.1", hub.mqtt_port), timeout=30) as connection:
            connection.sendall(junk)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
    producer = client("deployer", SECRETS["DEPLOY_SECRET"])
    producer.publish("in/deploys/with a blank", event(1), qos=0)
    good(hub, client, 2)
    until(lambda: "events/deploys/deploy/done" in reader.got, "the reader was cut")


def test_a_thousand_filters_of_one_reader_hurt_nobody(hub: HubProcess, client: Callable[..., Client]) -> None:
    greedy, reader = client(), client()
    reader.subscribe("events/#")
    for start in range(0, 5_000, 500):
        greedy.subscribe(*(f"events/+/+/+/p{number}/#" for number in range(start, start + 500)))
    good(hub, client, 1)
    until(lambda: "events/deploys/deploy/done" in reader.got, "the reader does not get it")
