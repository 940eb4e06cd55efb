"""A mailing list's mail through a real Dovecot: the discussion is one graph."""

from __future__ import annotations

from pathlib import Path

from tests.journeys.reader import everywhere, listening, search, sink
from tests.servers.dovecot import PASSWORD, USER, Dovecot
from tests.servers.hook import Receiver

from firehose import source as sources
from firehose.ops.explain import payloads
from firehose.testing import StartHub

SAMPLES = Path(sources.__file__).parent / "sources" / "mailinglist" / "samples"
SETTINGS = """
[sources.lists]
kind = "mailinglist"
imap = "127.0.0.1:{port}"
imap_user = "{user}"
imap_secret_env = "IMAP_SECRET"
imap_tls = "none"
lists = {{ "devel.lists.lumen.example" = "lumen/atlas" }}
"""


def mail(name: str) -> bytes:
    (found,) = payloads((SAMPLES / f"{name}.json").read_bytes())
    return found.body.replace(b"\n", b"\r\n")


def test_a_discussion_arrives_as_one_thread(start_hub: StartHub, dovecot: Dovecot, receiver: Receiver) -> None:
    settings = SETTINGS.format(port=dovecot.port, user=USER) + sink(receiver)
    hub = start_hub(settings, environ={"IMAP_SECRET": PASSWORD})
    with listening(hub, "events/lists/#") as reader:
        dovecot.put(mail("mail__new"), mail("mail__personal"), mail("mail__reply"))
        events = reader.wait(2)
    assert [event["topic"] for event in events] == [
        "events/lists/thread/created/lumen/atlas",
        "events/lists/comment/added/lumen/atlas",
    ]
    found = search(hub, f"subject:{events[0]['subject']}", 2)
    assert [event["actor"] for event in found] == ["Mira Novák", "Tomas Lind"]
    assert everywhere(found[1], reader, receiver) == (
        "comment.added", "lumen/atlas", "Tomas Lind", "Tomas Lind answered on devel: Fast tiles",
        "https://lists.lumen.example/devel/1", "list/devel.lists.lumen.example mail/KPZZ4WU2JMGPDPNTFHBXFMYDYLBY6F4K",
    )  # fmt: skip
    assert "tomas@lumen.example" not in str([event["data"] for event in found])
