"""Small things that several services' tables say: series of names, names of builds, people behind addresses.

In: texts. Out: texts. No message, no topic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

_MENTION: Final = re.compile(r"@(\w+)")
MOST: Final = 3


def series(names: Iterable[str], most: int = MOST) -> str:
    """`a`, `a and b`, `a, b, and c`, `a, b, and 5 others`; in order of the alphabet, each once."""
    items = sorted(set(names))
    if len(items) > most:
        items[most - 1 :] = [f"{len(items) - most + 1} others"]
    return listing(items)


def listing(items: Sequence[str]) -> str:
    """The same with all of them, in the order given."""
    if not items:
        return "(nothing)"
    if len(items) == 1:
        return items[0]
    return ", ".join(items[:-1]) + (", and " if len(items) > 2 else " and ") + items[-1]


def package(build: str) -> str:
    """The package of a build: `gd` of `gd-2.1.1-1.fc22`."""
    return build.strip().rsplit("-", 2)[0]


def packages(title: str) -> list[str]:
    """The packages of an update's title: builds, separated by commas or spaces."""
    return [package(build) for build in re.split(r"[,\s]+", title) if build]


def short(text: str, most: int) -> str:
    """Text cut to so many characters, with dots where something is missing."""
    return text if len(text) <= most else text[:most] + "..."


def mentions(text: str) -> list[str]:
    """The people whom a text calls with an `@`."""
    return _MENTION.findall(text)


def account(agent: str) -> str:
    """The account behind an OpenID, a Fedora address, or a plain name; other addresses stay what they are."""
    bare = agent.strip().removeprefix("http://").removeprefix("https://").rstrip("/")
    if bare.endswith(".id.fedoraproject.org"):
        return bare.removesuffix(".id.fedoraproject.org")
    return bare.removesuffix("@fedoraproject.org")


def branch(ref: str) -> str:
    """A branch's name without `refs/heads/`."""
    return ref.removeprefix("refs/heads/")


def headline(summary: str, message: str) -> str:
    """A commit's first line, and a word when there is more."""
    return f"{summary} (..more)" if summary.strip() != message.strip() else summary
