"""The original gerritbot, asked what it would say: run by its own environment's Python, which has none of ours.

In: a channel configuration as the first line (JSON), then one Gerrit event a line. Out: for each event one line of
JSON, the [channel, line] pairs that it sent to IRC; null where it fell over.
"""

import configparser
import json
import sys
import types

sys.modules["ConfigParser"] = configparser  # it was written for Python 2
sys.modules.setdefault("pyinotify", types.ModuleType("pyinotify"))

from gerritbot import bot  # noqa: E402 - after the old name is there


class Said:
    """In place of the IRC connection."""

    def __init__(self):
        self.lines = []

    def send(self, channel, text):
        self.lines.append([channel, text])


class Channels(dict):
    """Keys as Python 2 gave them: a list, which may change while it is walked."""

    def keys(self):
        return list(super().keys())


said = Said()
watcher = bot.Gerrit(said, bot.ChannelConfig(Channels(json.loads(sys.stdin.readline()))), "", "")
for line in sys.stdin:
    said.lines = []
    try:
        watcher._read(json.loads(line))
    except Exception:
        said.lines = None
    print(json.dumps(said.lines))
