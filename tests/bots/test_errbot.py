"""The Errbot plugin in a real Errbot, by its text backend and by IRC, against a real hub."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.servers.ngircd import Irc, wait

import firehose
from firehose.testing import HubProcess, StartHub, peer

PLUGIN = Path(firehose.__file__).parent / "bots" / "errbot"
SETTINGS = """
[sources.deploys]
kind = "inbox"
senders = ["https://deploy.example/*"]
[[sources.deploys.rules]]
type = "example.deploy.*"
kind = "service.deployed"
project = "{data.service}"
subject = "{data.service}~{data.number}"
summary = "{data.service} {data.number} is live"
"""
CONFIG = """
import sys
if sys.version_info >= (3, 13):  # Errbot's Shelf is SQLite there, and Errbot uses it from several threads
    STORAGE = "Memory"
BACKEND = {backend!r}
BOT_DATA_DIR = {folder!r}
BOT_EXTRA_PLUGIN_DIR = {plugin!r}
BOT_LOG_FILE = {log!r}
BOT_LOG_LEVEL = 10
BOT_ADMINS = ("@ada", "ada!*@*")
BOT_IDENTITY = {identity!r}
CHATROOM_PRESENCE = ("#dev",)
CORE_PLUGINS = ("ACLs", "ChatRoom", "Help", "Utils", "Plugins", "TextCmds", "CommandNotFoundFilter")
SUPPRESS_CMD_NOT_FOUND = False
"""


class Bot:
    """A real Errbot as a child; `hear(text)` waits for what it says on its output."""

    def __init__(self, folder: Path, backend: str, identity: dict[str, object], more: str = "") -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        config = folder / "config.py"
        plugin = shutil.copytree(PLUGIN, folder / "plugins" / "firehose")
        config.write_text(
            CONFIG.format(
                backend=backend,
                folder=str(folder),
                plugin=str(plugin.parent),
                log=str(folder / "log"),
                identity=identity,
            )
            + more
        )
        self.config = config
        self.output = folder / "output"
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> Bot:
        with self.output.open("a") as output:
            self.process = subprocess.Popen(
                [peer("errbot", "errbot"), "-c", str(self.config)], cwd=self.folder, stdin=subprocess.PIPE,
                stdout=output, stderr=output, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        return self

    def say(self, text: str) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def heard(self) -> str:
        return self.output.read_text(errors="replace")

    def hear(self, *texts: str) -> str:
        return wait(lambda: found if all(text in (found := self.heard()) for text in texts) else "", self.heard)

    def kill(self) -> None:
        """End it the hard way."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(20)

    def leave(self) -> None:
        """End as an operator ends it."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)

    def stop(self) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(20)
        if self.process.stdin is not None:
            self.process.stdin.close()


def deployed(hub: HubProcess, token: str, *numbers: int, service: str = "atlas") -> None:
    for number in numbers:
        event = {
            "specversion": "1.0", "id": f"{service[:5]}{number}", "source": "https://deploy.example/atlas",
            "type": "example.deploy.finished", "data": {"service": service, "number": number},
        }  # fmt: skip
        headers = {"authorization": f"Bearer {token}", "content-type": "application/cloudevents+json"}
        status, answer = hub.post("/in/deploys", json.dumps(event).encode(), headers)
        assert status == 202, answer


@pytest.fixture
def hub(start_hub: StartHub) -> HubProcess:
    return start_hub(SETTINGS)


@pytest.fixture
def text_bot(tmp_path: Path, hub: HubProcess) -> Iterator[Bot]:
    bot = Bot(tmp_path / "bot", "Text", {"username": "@firehose"}).start()
    bot.hear("Firehose")
    bot.say("!plugin config Firehose " + repr({"HUB": hub.url, "TOKEN": ""}))
    bot.hear("Plugin configuration done")
    yield bot
    bot.stop()


def test_a_text_bot_announces_answers_and_says_why(text_bot: Bot, hub: HubProcess) -> None:
    bot, token = text_bot, hub.token("publish:deploys")
    bot.say("!subscribe kind:service.deplyed AND")
    bot.hear("^")
    bot.say("!subscribe project:atlas")
    bot.hear("Subscription 1:", "!unsubscribe 1")
    deployed(hub, token, 1)
    deployed(hub, token, 2, service="other")
    bot.hear("atlas 1 is live", hub.url)
    bot.say("!why")
    bot.hear("because", "project:atlas -- Events in atlas.", "/events/" + f"{1:020d}")
    bot.say("!what atlas~1")
    bot.hear("atlas~1: 1 event")
    bot.say("!what nothing-of-the-kind")
    bot.hear("nothing is known of 'nothing-of-the-kind'")
    deployed(hub, token, *range(10, 22))
    bot.hear("12 services deployed in atlas")
    assert "other 2 is live" not in bot.heard()


def test_a_bot_that_was_away_tells_what_it_missed_once(text_bot: Bot, hub: HubProcess) -> None:
    away_and_back(text_bot, hub, text_bot.leave)


def test_a_bot_that_was_killed_tells_what_it_missed_once(tmp_path: Path, hub: HubProcess) -> None:
    # With Errbot's own storage it is Errbot that does not start again.
    more = f'STORAGE = "Memory"\nFIREHOSE = {{"HUB": "{hub.url}"}}\n'
    bot = Bot(tmp_path / "bot", "Text", {"username": "@firehose"}, more).start()
    try:
        away_and_back(bot, hub, bot.kill)
    finally:
        bot.stop()


def away_and_back(bot: Bot, hub: HubProcess, go: Callable[[], None]) -> None:
    token = hub.token("publish:deploys")
    bot.say("!subscribe project:atlas")
    bot.hear("Subscription 1:")
    deployed(hub, token, 1)
    bot.hear("atlas 1 is live")
    bot.say("!subscriptions")
    bot.hear("Told here: 1: project:atlas")
    go()
    deployed(hub, token, 2)
    bot.start()
    bot.hear("atlas 2 is live")
    assert bot.heard().count("atlas 2 is live") == 1
    assert bot.heard().count("atlas 1 is live") == 1
    bot.say("!unsubscribe 1")
    bot.hear("Stopped: 1. Nothing is told here.")


def test_on_irc_a_room_is_told_and_hostile_words_stay_one_line(tmp_path: Path, irc_port: int, hub: HubProcess) -> None:
    identity: dict[str, object] = {"nickname": "firehose", "server": "127.0.0.1", "port": irc_port, "ssl": False}
    token = hub.token("publish:deploys")
    ada = Irc(irc_port, "ada")
    ada.hear(" 001 ")
    ada.send("JOIN #dev")
    bot = Bot(tmp_path / "bot", "IRC", identity).start()
    try:
        ada.hear("firehose!", "JOIN :#dev")
        ada.send("PRIVMSG firehose :!plugin config Firehose " + repr({"HUB": hub.url, "TOKEN": ""}))
        ada.hear("Plugin configuration done")
        ada.send("PRIVMSG #dev :!subscribe project:atlas*")
        ada.hear("PRIVMSG #dev :Subscription 1:")
        deployed(hub, token, 7, service="atlas\r\nQUIT :gone")
        ada.hear("PRIVMSG #dev :atlas QUIT :gone 7 is live")
        ada.send("PRIVMSG #dev :!what 7")
        ada.hear("~7: 1 event")
    finally:
        bot.stop()
        ada.socket.close()


def test_what_is_known_of_a_change_a_story_and_a_build(tmp_path: Path, start_hub: StartHub) -> None:
    hub = start_hub(
        SETTINGS
        + '[[sources.deploys.rules]]\ntype = "example.story"\nkind = "ticket.created"\nsubject = "story/2010"\n'
        'summary = "Ada: count the widgets"\n[sources.zuul]\nkind = "zuul"\n'
        '[sources.gerrit]\nkind = "gerrit"\nsecret_env = "HOOK"\n',
        environ={"HOOK": "s3cret"},
    )
    change = sample("gerrit/samples/patchset-created__webhooks-plugin.json")
    report = sample("zuul/samples/success__artifacts-and-pause.json")["payload"]
    story = {"specversion": "1.0", "id": "1", "source": "https://deploy.example/s", "type": "example.story"}
    token = hub.token("publish:zuul", "publish:deploys")
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    hook = {"content-type": "application/json"}
    for answer in (
        hub.post("/in/gerrit?token=s3cret", json.dumps(change).encode(), hook),
        hub.post("/in/zuul", json.dumps(report).encode(), headers),
        hub.post("/in/deploys", json.dumps(story).encode(), headers | {"content-type": "application/cloudevents+json"}),
    ):
        assert answer[0] == 202, answer
    build = report["buildset"]["builds"][0]
    bot = Bot(tmp_path / "bot", "Text", {"username": "@firehose"}, f'FIREHOSE = {{"HUB": "{hub.url}"}}\n').start()
    try:
        bot.say("!what change 1201")
        bot.hear(
            "acme/widget~1201: 1 event", "ada uploaded patch set 2", "https://review.example.org/c/acme/widget/+/1201"
        )
        bot.say("!what story 2010")
        bot.hear("story/2010: 1 event", "Ada: count the widgets")
        bot.say(f"!what build {build['uuid']}")
        bot.hear(f"build/{build['uuid']}: ", f"{build['job_name']} ")
    finally:
        bot.stop()


def sample(name: str) -> Any:
    return json.loads((PLUGIN.parents[1] / "sources" / name).read_text())
