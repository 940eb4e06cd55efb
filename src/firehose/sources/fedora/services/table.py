"""All tables of the services together, and the search in them.

In: a topic without its prefix. Out: the rule for it: the one with the same words, else the most exact pattern (`*` is
any word, `#` any rest). Messages without a rule, or whose rule does not fit them, are shown under their topic.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from firehose.sources.fedora.services import (
    builders,
    builds,
    checks,
    community,
    composes,
    octocat,
    operations,
    packagedb,
    pagure,
    releases,
    repositories,
)
from firehose.sources.fedora.services.rules import Body, Said, Table, apply, kinds
from firehose.sources.fedora.wire import Told

TABLE: Final[Table] = {
    topic: rule
    for part in (
        releases,
        builds,
        builders,
        checks,
        composes,
        pagure,
        octocat,
        repositories,
        packagedb,
        community,
        operations,
    )
    for topic, rule in part.TABLE.items()
}
KINDS: Final = {topic: kinds(found.kind) for topic, found in sorted(TABLE.items())}
GENERIC: Final = "message.published"


@lru_cache(maxsize=4_096)
def rule(topic: str) -> str:
    """The pattern of the rule for a topic without its prefix; "" when there is none."""
    if topic in TABLE:
        return topic
    words = topic.split(".")
    fitting = [pattern for pattern in TABLE if _fits(pattern.split("."), words)]
    return max(fitting, key=_exactness, default="")


def _fits(pattern: list[str], words: list[str]) -> bool:
    if pattern[-1] == "#":
        pattern, words = pattern[:-1], words[: len(pattern) - 1]
    return len(pattern) == len(words) and all(want in ("*", word) for want, word in zip(pattern, words, strict=True))


def _exactness(pattern: str) -> tuple[int, int]:
    words = pattern.split(".")
    return sum(word not in ("*", "#") for word in words), "#" not in words


def say(message: Told, accounts: Mapping[str, str]) -> Said:
    """What a message means, in the words of its service. accounts: the account behind a nick or an address."""
    body = Body(message, accounts)
    if pattern := rule(message.service):
        return apply(TABLE[pattern], body, _plain(message))
    return Said(kind=GENERIC, summary=_plain(message), project=message.service.partition(".")[0])


def _plain(message: Told) -> str:
    who = f" by {message.people[0]}" if len(message.people) == 1 else ""
    what = f" about {', '.join(message.packages)}" if message.packages else ""
    return f"{message.service}{who}{what}"
