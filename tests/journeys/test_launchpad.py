"""Launchpad into a hub by both of its ways: bug mail through a real Dovecot, and signed webhooks."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

from tests.journeys.reader import everywhere, listening, search, sink, source, until
from tests.servers.dovecot import PASSWORD, USER, Dovecot
from tests.servers.hook import Receiver

from firehose import source as sources
from firehose.ops.explain import Payload, payloads
from firehose.testing import HubProcess, StartHub

SAMPLES = Path(sources.__file__).parent / "sources" / "launchpad" / "samples"
SECRET = "a-secret-of-the-tests"
SETTINGS = """
[sources.launchpad]
kind = "launchpad"
secret_env = "HOOK_SECRET"
imap = "127.0.0.1:{port}"
imap_user = "{user}"
imap_secret_env = "IMAP_SECRET"
imap_tls = "none"
"""


def sample(name: str) -> Payload:
    (found,) = payloads((SAMPLES / f"{name}.json").read_bytes())
    return found


def mail(name: str) -> bytes:
    return sample(name).body.replace(b"\n", b"\r\n")


def post(hub: HubProcess, name: str) -> int:
    payload = sample(name)
    digest = hmac.new(SECRET.encode(), payload.body, hashlib.sha1).hexdigest()
    return hub.post("/in/launchpad", payload.body, payload.headers | {"x-hub-signature": f"sha1={digest}"})[0]


def test_bug_mail_and_webhooks_arrive_and_nothing_is_lost_or_doubled(
    start_hub: StartHub, dovecot: Dovecot, receiver: Receiver
) -> None:
    dovecot.put(mail("mail_bug__new"))
    settings = SETTINGS.format(port=dovecot.port, user=USER) + sink(receiver)
    hub = start_hub(settings, environ={"HOOK_SECRET": SECRET, "IMAP_SECRET": PASSWORD})
    search(hub, "kind:ticket.created")
    with listening(hub, "events/launchpad/#", "launchpad/#") as reader:
        dovecot.put(mail("mail_bug__two-tasks"), mail("mail__not-launchpad"), mail("mail_bug__private"))
        dovecot.put(mail("mail_bug__multipart"))
        told = json.loads(reader.payload("launchpad/ubuntu/atlas/bug/2100001"))
        assert (told["project"], told["bug-number"], told["status"]) == ("ubuntu/atlas", "2100001", "New")
        assert [post(hub, name) for name in ("merge-proposal__merged", "bug_comment__created")] == [202, 202]
        events = reader.wait(5)
    assert sorted((event["kind"], event["project"], event.get("actor", "")) for event in events) == [
        ("change.merged", "atlas", ""),
        ("comment.added", "atlas", "mira"),
        ("comment.added", "atlas", "mira"),
        ("ticket.closed", "atlas", "mira"),
        ("ticket.updated", "ubuntu/atlas", "mira"),
    ]
    assert everywhere(search(hub, "kind:change.merged")[0], reader, receiver) == (
        "change.merged", "atlas", "", "atlas: tiles into main was merged: Draw tiles in parallel",
        "https://code.launchpad.net/~mira/atlas/%2Bgit/atlas/%2Bmerge/4711", "atlas ~mira/atlas/%2Bgit/atlas",
    )  # fmt: skip
    assert everywhere(search(hub, "kind:ticket.closed")[0], reader, receiver) == (
        "ticket.closed", "atlas", "mira",
        "mira moved from New to Fix Released bug 2100001 in atlas: Tiles are drawn one after another",
        "https://bugs.launchpad.net/bugs/2100001", "atlas",
    )  # fmt: skip
    health = source(hub, "launchpad")
    assert (health["state"], health["verdicts"]["ignored"]) == ("healthy", 2)
    assert health["connection"] == f"IMAP 127.0.0.1:{dovecot.port} INBOX: IDLE"
    assert all(b"\\Seen" not in flags for flags in dovecot.flags())

    # The hub is away, then the server: what came meanwhile is there afterwards, once.
    hub.kill()
    dovecot.put(mail("mail_bug__comment"))
    hub.start({"HOOK_SECRET": SECRET, "IMAP_SECRET": PASSWORD})
    search(hub, "subject:bug/2100001 source:launchpad", 6)
    dovecot.stop()
    until(lambda: True if source(hub, "launchpad")["state"] == "down" else None, "the lost connection")
    dovecot.start()
    dovecot.put(mail("mail_bug__reply"))
    found = search(hub, "subject:bug/2100001 source:launchpad", 7)
    assert len({event["id"] for event in found}) == len(found) == 7
    assert found[0]["link"] == "https://bugs.launchpad.net/bugs/2100001"
    assert "lumen.example" not in json.dumps([event["data"] for event in found])
    assert "Overflow in libfoo" not in json.dumps(search(hub, "source:launchpad", 8))


def test_lpmqtt_defect_mail_of_others_was_looked_at_for_ever(start_hub: StartHub, dovecot: Dovecot) -> None:
    dovecot.put(mail("mail__not-launchpad"), mail("mail_bug__new"))
    environ = {"HOOK_SECRET": SECRET, "IMAP_SECRET": PASSWORD}
    hub = start_hub(SETTINGS.format(port=dovecot.port, user=USER), environ=environ)
    search(hub, "source:launchpad")
    assert source(hub, "launchpad")["verdicts"]["ignored"] == 1
    hub.stop()
    hub.start(environ)
    dovecot.put(mail("mail_bug__comment"))
    search(hub, "source:launchpad", 2)
    verdicts = source(hub, "launchpad")["verdicts"]  # counted over the restart: only the new mail was looked at
    assert (verdicts["event"], verdicts["ignored"], verdicts["duplicate"]) == (2, 1, 0)
