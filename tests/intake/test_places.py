"""Addresses that cannot be one are told when the hub starts, with the source's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firehose.checks import misfits
from firehose.errors import TryLater
from firehose.intake import places
from firehose.intake.instance import Instance, word
from firehose.settings import Settings
from firehose.source import Mailbox, WebhookSettings, load


def of(kind: str, **more: Any) -> Instance:
    declared = load(kind)
    return Instance("one", declared, declared.settings(kind=kind, **more))


@pytest.mark.parametrize(
    ("instance", "named"),
    [
        (of("mailinglist", imap="a b:c:d"), "'a b:c:d' is not host or host:port"),
        (of("mailinglist", imap="imap.example.org:x"), "'imap.example.org:x' is not host or host:port"),
        (of("mailinglist", archive="lists", lists={"a@b": ""}), "is not http:// or https:// with a host"),
        (of("storyboard", amqp="rabbit"), "'rabbit' is not amqp:// or amqps:// with a host"),
        (of("storyboard", amqp="amqp://a:99999/"), "'amqp://…' has a host or a port that is none"),
        (
            of("fedora", amqp="https://rabbit.example.org"),
            "'https://rabbit.example.org' is not amqp:// or amqps:// with a host",
        ),
        (of("firehose", url="hub.example.org"), "is not http:// or https:// with a host"),
        (of("feeds", feeds=["ftp://a/x"]), "'ftp://…' is not http:// or https:// with a host"),
        (of("nodepool", zookeeper="zk1:2181,zk 2"), "'zk 2' is not host or host:port"),
    ],
    ids=lambda given: given.kind.name if isinstance(given, Instance) else "",
)
def test_an_address_that_cannot_be_one(instance: Instance, named: str) -> None:
    faults = list(misfits(Settings(sources={"one": instance.settings})))
    assert [fault.detail.partition(": ")[0] for fault in faults] == ["sources.one"]
    assert named in faults[0].detail
    assert faults[0].code == 2


def test_addresses_that_can_be() -> None:
    for host in ("review.example.org", "[::1]:29418"):
        gerrit = of("gerrit", ssh=f"me@{host}")
        places.check(gerrit.kind, gerrit.settings)
    assert places.mailbox(Mailbox("[2001:db8::1]:1143", "me")) == ("2001:db8::1", 1143)


@pytest.mark.parametrize(("tls", "port"), [("implicit", 993), ("starttls", 143), ("none", 143)])
def test_a_mailbox_has_a_usual_port(tls: Any, port: int) -> None:
    assert places.mailbox(Mailbox("imap.example.org", "me", tls=tls)) == ("imap.example.org", port)


def test_a_secret_that_cannot_be_read_now_is_for_later(tmp_path: Path) -> None:
    settings = WebhookSettings(kind="x", secret_file=str(tmp_path / "password"))
    with pytest.raises(TryLater, match=f"secret_file: cannot read {tmp_path / 'password'}"):
        word(settings, "secret")
    (tmp_path / "password").write_text("s3cret\n")
    assert word(settings, "secret") == "s3cret"


@pytest.mark.parametrize(
    ("instance", "shut"),
    [
        (of("github"), True),
        (of("github", open=True), False),
        (of("gerrit"), True),
        (of("gerrit", ssh="me@review.example.org"), False),
        (of("mailinglist"), True),
        (of("feeds", feeds=["https://a.example/x"]), False),
        (of("inbox"), False),
        (of("logs"), False),
        (Instance("one", load("github"), load("github").settings(kind="github"), (b"s",)), False),
        (Instance("one", load("github"), load("github").settings(kind="github"), login=True), False),
    ],
)
def test_a_source_into_which_nothing_can_come_says_so(instance: Instance, shut: bool) -> None:
    assert bool(instance.shut) is shut
    assert ("nothing can come in" in instance.opening.why) is shut
