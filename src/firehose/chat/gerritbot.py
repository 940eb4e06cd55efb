"""A gerritbot channel configuration, read unchanged, and the lines gerritbot says.

In: the YAML of `channels.yaml` (`<channel>: {events, projects, branches}`; an entry that starts with `^` is a regular
expression that must be found, any other must be equal) and Gerrit's own payloads. Out: channel and line. A channel
hears of an event when its events, projects and branches all contain it; `ref-updated` goes by the event alone.

Source of the words and rules: openstack-infra/gerritbot, `gerritbot/bot.py`. On purpose different: the four `x-` events
look for `Verified` and `Code-Review` as well (Gerrit stopped sending `VRIF` and `CRVW` in 2.8, so they never fired),
speak only of a vote that this comment gave, and do not need `comment-added` in the same channel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import re2
import yaml

from firehose.errors import Broken, Refused
from firehose.wild import Wild, decode

EVENTS: Final = (
    "patchset-created", "change-merged", "comment-added", "ref-updated",
    "x-vrif-minus-2", "x-vrif-plus-2", "x-crvw-minus-2", "x-crvw-plus-2",
)  # fmt: skip
_VOTES: Final = {
    ("Verified", "-2"): ("x-vrif-minus-2", "Verification of a change to {project} failed: {subject}  {url}"),
    ("Verified", "2"): ("x-vrif-plus-2", "Verification of a change to {project} succeeded: {subject}  {url}"),
    ("Code-Review", "-2"): ("x-crvw-minus-2", "A change to {project} has been rejected: {subject}  {url}"),
    ("Code-Review", "2"): ("x-crvw-plus-2", "A change to {project} has been approved: {subject}  {url}"),
}
_LABELS: Final = {"VRIF": "Verified", "CRVW": "Code-Review"}
_TAGS: Final = "refs/tags/"


@dataclass(frozen=True)
class Entries:
    """One list of a channel: the entries that are equal, and the ones that are found."""

    equal: frozenset[str]
    found: tuple[Any, ...]

    def __contains__(self, text: object) -> bool:
        return text in self.equal or any(pattern.search(text) for pattern in self.found)


@dataclass(frozen=True)
class Channel:
    """What one channel hears."""

    name: str
    events: Entries
    projects: Entries
    branches: Entries

    def hears(self, event: str, change: Wild | None) -> bool:
        """Whether an event of a change (None: of a ref) is for this channel."""
        if event not in self.events:
            return False
        if change is None:
            return True
        return _text(change, "project") in self.projects and _text(change, "branch") in self.branches


def read(text: str, file: str = "channels.yaml") -> tuple[Channel, ...]:
    """The channels of a configuration; `Broken` (settings) names the channel and the entry that is wrong."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Broken(f"{file} is not YAML: {error}", code=2) from None
    if not isinstance(found, dict):
        raise Broken(f"{file} must map channels to events, projects and branches", code=2)
    return tuple(_channel(str(name), own, file) for name, own in found.items())


def _channel(name: str, own: Any, file: str) -> Channel:
    lists = []
    for key in ("events", "projects", "branches"):
        value = own.get(key) if isinstance(own, dict) else None
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise Broken(f"{file}: channel {name!r} needs a list of texts as {key!r}", code=2)
        lists.append(_entries(value, f"{file}: {name}.{key}"))
    # The old configuration leaves the first `#` out, since YAML would read it as a comment.
    return Channel(name if name.startswith("#") else f"#{name}", *lists)


def _entries(texts: list[str], where: str) -> Entries:
    found = []
    for text in texts:
        if text.startswith("^"):
            try:
                found.append(re2.compile(text))
            except re2.error as error:
                raise Broken(f"{where}: {text!r} is no regular expression: {error}", code=2) from None
    return Entries(frozenset(text for text in texts if not text.startswith("^")), tuple(found))


def lines(channels: tuple[Channel, ...], payload: bytes) -> Iterator[tuple[str, str]]:
    """(channel, line) for each line that a Gerrit event makes; nothing for what gerritbot does not speak of."""
    try:
        event = decode(payload)
    except Refused:
        return
    kind = _text(event, "type")
    if kind == "ref-updated":
        said = [(kind, _tagged(event))]
        change = None
    else:
        change = event["change"]
        said = list(_of_change(kind, event, change))
    for name, line in said:
        for channel in channels:
            if line and channel.hears(name, change):
                yield channel.name, line


def _of_change(kind: str, event: Wild, change: Wild) -> Iterator[tuple[str, str]]:
    words = {name: _text(change, name) for name in ("project", "branch", "subject", "url")}
    match kind:
        case "patchset-created":
            by = person(event.at("patchSet", "uploader"))
            yield kind, f"{by} proposed {words['project']} {words['branch']}: {words['subject']}  {words['url']}"
        case "change-merged":
            yield kind, f"Merged {words['project']} {words['branch']}: {words['subject']}  {words['url']}"
        case "comment-added":
            yield (
                kind,
                f"A comment has been added to a proposed change to {words['project']}: "
                f"{words['subject']}  {words['url']}",
            )
            for vote in _given(event):
                if vote in _VOTES:
                    name, form = _VOTES[vote]
                    yield name, form.format_map(words)


def _given(event: Wild) -> Iterator[tuple[str, str]]:
    """Label and value of the votes this comment gave: Gerrit lists the standing ones, too, without `oldValue`."""
    try:
        votes = list(event["approvals"].each())
    except Refused:
        return
    for vote in votes:
        label, value = _text(vote, "type"), _text(vote, "value").removeprefix("+")
        if label in _LABELS or _text(vote, "oldValue") not in ("", value):
            yield _LABELS.get(label, label), value


def _tagged(event: Wild) -> str:
    update = event["refUpdate"]
    ref = _text(update, "refName")
    if not ref.startswith(_TAGS):
        return ""
    return f"{person(event['submitter'], 'username')} tagged project {_text(update, 'project')} with {ref[10:]}"


def person(account: Wild, first: str = "name") -> str:
    """How gerritbot names an account: name, else username, else e-mail address."""
    found = (_text(account, field) for field in (first, "name", "username", "email"))
    return next((text for text in found if text), "UNKNOWN USER")


def _text(value: Wild, name: str) -> str:
    """A leaf as text, "" when it is missing or something else: the bot says what it can."""
    try:
        return value[name].word("")
    except Refused:
        return ""
