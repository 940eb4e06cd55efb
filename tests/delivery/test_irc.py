"""From Gerrit's webhook through a real hub to a channel of a real ngircd, in gerritbot's words."""

from __future__ import annotations

import json
import signal
from contextlib import suppress
from pathlib import Path

from tests.delivery.test_kill import bearer, publish, until
from tests.delivery.test_matrix import told
from tests.servers.ngircd import Irc

from firehose.testing import StartHub

CHANNELS = "dev: {events: [patchset-created, change-merged], projects: [^acme/.*], branches: [master]}"
SETTINGS = """
[sources.gerrit]
kind = "gerrit"
secret_env = "HOOK_SECRET"
[sinks.chat]
kind = "irc"
host = "127.0.0.1"
port = {port}
tls = false
pace = 0.0
gerritbot = "{file}"
[sinks.chat.channels]
"#mine" = "kind:change.* project:acme/widget"
"""


def test_a_channel_is_told_in_gerritbots_words_and_another_in_ours(
    start_hub: StartHub, irc_port: int, tmp_path: Path
) -> None:
    file = tmp_path / "channels.yaml"
    file.write_text(CHANNELS)
    ada = Irc(irc_port, "ada")
    ada.hear(" 001 ")
    ada.send("JOIN #dev")
    ada.send("JOIN #mine")
    hub = start_hub(SETTINGS.format(port=irc_port, file=file), environ={"HOOK_SECRET": "s3cret"})
    account = {"name": "Ada Lind", "username": "ada", "email": "ada@example.org"}
    change = {
        "project": "acme/widget", "branch": "master", "id": "I" + "a" * 40, "number": 1201, "owner": account,
        "subject": "Count the widgets twice", "url": "https://review.example.org/c/acme/widget/+/1201", "status": "NEW",
    }  # fmt: skip
    patch_set = {
        "number": 1,
        "revision": "1" * 40,
        "ref": "refs/changes/01/1201/1",
        "uploader": account,
        "author": account,
    }
    payload = {
        "type": "patchset-created", "change": change, "patchSet": patch_set, "uploader": account,
        "eventCreatedOn": 1_730_000_000,
    }  # fmt: skip
    status, answer = hub.post(
        "/in/gerrit?token=s3cret", json.dumps(payload).encode(), {"content-type": "application/json"}
    )
    assert status == 202, answer
    proposed = (
        "Ada Lind proposed acme/widget master: Count the widgets twice  https://review.example.org/c/acme/widget/+/1201"
    )
    text = ada.hear(f"PRIVMSG #dev :{proposed}", "PRIVMSG #mine :")
    assert text.count(proposed) == 1
    ada.socket.close()


KILLED = """
[sources.inbox]
kind = "inbox"
url = "https://inbox.example"
[sinks.chat]
kind = "irc"
host = "127.0.0.1"
port = {port}
tls = false
pace = 0.0
since = "earliest"
[sinks.chat.channels]
"#one" = "subject:thing-*"
"#two" = "subject:thing-*"
"""


def test_a_hub_that_dies_while_it_speaks_loses_no_line(start_hub: StartHub, irc_port: int) -> None:
    ada = Irc(irc_port, "ada")
    ada.hear(" 001 ")
    ada.send("JOIN #one,#two")
    hub = start_hub(KILLED.format(port=irc_port), environ={"FIREHOSE_CRASH": "delivery.after-send:3"})
    names = [f"thing-{number}-" for number in range(30)]
    headers = bearer(hub)
    assert hub.process is not None
    with suppress(OSError):
        for name in names:
            publish(hub, headers, name)
    assert hub.process.wait(30) == -signal.SIGKILL
    hub.start()
    publish(hub, headers, *names)
    events: list[str] = []

    def recorded() -> bool:
        found = hub.get("/v1/events?q=subject:thing-*&limit=100&order=asc")["events"]
        events[:] = [event["sequence"] for event in found]
        return len(events) == 30

    until(recorded, hub)
    for channel in ("#one", "#two"):
        heard: set[str] = set()

        def everything(channel: str = channel, heard: set[str] = heard) -> bool:
            for row in ada.read().split("\r\n"):
                _, spoken, line = row.partition(f"PRIVMSG {channel} :")
                heard.update(told(line, events) if spoken and line.count("  http") == 1 else ())
            return heard == set(events)

        until(everything, hub)
    ada.socket.close()
