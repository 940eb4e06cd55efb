"""Settings of sinks that can never work are told when the hub starts, in a sentence with the sink and the setting."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from firehose.delivery.room import outlets, transport
from firehose.errors import Broken
from firehose.plumbing.clock import now
from firehose.settings import build
from firehose.sink import Outlet, Tools

WEBHOOK = {"kind": "webhook", "url": "https://hooks.example/x"}
MQTT = {"kind": "mqtt", "url": "mqtt://broker.example"}
NATS = {"kind": "nats", "url": "nats://nats.example"}
IRC = {"kind": "irc", "host": "irc.example", "channels": {"#a": ""}}
FEDORA = {"kind": "fedora", "amqp_url": "amqps://me@mq.example/v"}
MATRIX = {"kind": "matrix", "url": "https://matrix.example", "rooms": {"#a:matrix.example": ""}}
ZUUL = {"kind": "zuul", "url": "https://zuul.example", "tenant": "t", "pipeline": "p", "issuer": "i", "audience": "a"}
PLAIN = {"webhook": WEBHOOK, "mqtt": MQTT, "nats": NATS, "irc": IRC, "fedora": FEDORA, "matrix": MATRIX, "zuul": ZUUL}


SECRET = b"whsec_" + base64.b64encode(bytes(32))


def sinks(table: dict[str, Any]) -> list[Outlet]:
    return outlets(build({"sinks": {"lab": table}}), now)


def connected(table: dict[str, Any]) -> None:
    (outlet,) = sinks(table)
    transport(outlet, Tools(secret=lambda word: SECRET, sign=lambda words: b"", now=now))


@pytest.mark.parametrize("table", PLAIN.values(), ids=PLAIN)
async def test_what_can_work_is_taken(table: dict[str, Any]) -> None:
    connected(table | {"allow": ["10.1.2.0/24", "10.1.2.7", "::1", "hooks.example", "localhost", "an_old-host."]})


@pytest.mark.parametrize(
    ("kind", "more", "named"),
    [
        ("webhook", {"url": ""}, "url: it is empty"),
        ("webhook", {"url": "hooks.example/SECRET"}, "url: "),
        ("webhook", {"url": "htp://hooks.example/SECRET"}, "url: "),
        ("webhook", {"url": "https://me:SECRET@hooks.example"}, "login"),
        ("webhook", {"url": "https://hooks.example:99999/SECRET"}, "port"),
        ("webhook", {"url": "http://[::1/SECRET"}, "host"),
        ("webhook", {"timeout": 0}, "timeout"),
        ("webhook", {"timeout": -1.5}, "timeout"),
        ("webhook", {"timeout": float("nan")}, "timeout"),
        ("webhook", {"allow": ["10.1.2.0/33"]}, "allow: '10.1.2.0/33'"),
        ("webhook", {"allow": ["https://hooks.example"]}, "allow: "),
        ("webhook", {"allow": ["10.0.0.0/8", "10.1.2.999"]}, "allow: '10.1.2.999'"),
        ("webhook", {"allow": ["*.example"]}, "allow: "),
        ("webhook", {"allow": [""]}, "allow: "),
        ("zuul", {"url": "https://zuul.example:99999"}, "url"),
        ("zuul", {"timeout": 0}, "timeout"),
        ("mqtt", {"url": "mqtt://broker.example:99999"}, "url: "),
        ("mqtt", {"url": "broker.example"}, "url: "),
        ("mqtt", {"version": "3.1.1", "mode": "binary"}, "mode: "),
        ("mqtt", {"topic": ""}, "topic: "),
        ("mqtt", {"topic": "//"}, "topic: "),
        ("mqtt", {"topic": "a\0b"}, "topic: "),
        ("mqtt", {"topic": "a/#"}, "topic: "),
        ("nats", {"url": "nats://a,http://b"}, "url: "),
        ("nats", {"url": "nats://a:99999"}, "url: "),
        ("nats", {"url": ""}, "url: "),
        ("irc", {"most_channels": 0}, "most_channels: "),
        ("irc", {"nick": " "}, "nick: "),
        ("irc", {"nick": ""}, "nick: "),
        ("irc", {"nick": "fire hose"}, "nick: "),
        ("irc", {"nick": "7up"}, "nick: "),
        ("irc", {"host": ""}, "host: "),
        ("irc", {"port": 990_000}, "port: "),
        ("irc", {"port": 0}, "port: "),
        ("irc", {"account": "me"}, "account: "),
        ("irc", {"pace": -1}, "pace: "),
        ("fedora", {"priority": 300}, "priority: "),
        ("fedora", {"priority": -1}, "priority: "),
        ("fedora", {"amqp_url": "amqp://me:SECRET@mq.example"}, "amqp_url: "),
        ("fedora", {"amqp_url": "amqp://mq.example:99999"}, "amqp_url: "),
        ("matrix", {"url": "matrix.example"}, "url: "),
    ],
)  # fmt: skip
def test_what_cannot_work_is_named(kind: str, more: dict[str, Any], named: str) -> None:
    with pytest.raises(Broken) as error:
        sinks(PLAIN[kind] | more)
    assert error.value.code == 2
    assert error.value.detail.startswith("sinks.lab: ")
    assert named in error.value.detail
    assert "SECRET" not in error.value.detail
    assert "\n" not in error.value.detail


NONE = {"ca_file": "/nowhere/ca.pem"}
OURS = {"cert_file": "/nowhere/cert.pem"}


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("mqtt", {"url": "mqtts://broker.example", **NONE}),
        ("nats", NONE),
        ("nats", OURS),
        ("nats", {"creds_file": "/nowhere/creds"}),
        ("fedora", NONE),
        ("fedora", OURS),
        ("irc", NONE),
        ("matrix", NONE),
    ],
)
async def test_a_file_that_is_missing_is_named(kind: str, more: dict[str, Any]) -> None:
    with pytest.raises(Broken) as error:
        connected(PLAIN[kind] | more)
    assert error.value.code == 2
    assert error.value.detail.startswith("sinks.lab: ")
    assert all(word in error.value.detail for word in list(more.items())[-1])


async def test_a_file_that_holds_no_certificate_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_text("nothing")
    with pytest.raises(Broken, match="ca_file"):
        connected(IRC | {"ca_file": str(empty)})


@pytest.mark.parametrize("error", [ValueError("a port is a number"), FileNotFoundError(2, "No such file")])
def test_what_a_library_raises_names_the_sink(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    (outlet,) = sinks(WEBHOOK)

    def fail(*_: object, **__: object) -> Any:
        raise error

    monkeypatch.setattr("firehose.sinks.webhook.transport.Client", fail)
    with pytest.raises(Broken, match=r"^sinks\.lab: .*(a port|No such file)") as raised:
        transport(outlet, Tools(secret=lambda _: b"", sign=lambda _: b"", now=now))
    assert raised.value.code == 2
