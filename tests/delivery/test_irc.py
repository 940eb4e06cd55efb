"""From Gerrit's webhook through a real hub to a channel of a real ngircd, in gerritbot's words."""

from __future__ import annotations

import json
from pathlib import Path

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
