"""The walk along refs: everything tied to a change, a build, a story, breadth first and bounded.

In: a subject, and a function that gives the newest events about a subject or referring to it. Out: events, oldest
first. A branch, a tag, and whatever ties too many events together (a node), is not passed through, or everything
would be tied to everything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from firehose.event import Recorded

HUB: Final = 100
"""Events of a subject beyond which the walk does not pass through it."""
DEPTH: Final = 3

Tied = Callable[[str, int], list[Recorded]]
"""(subject, most) -> the newest events about it or referring to it."""


def walk(subject: str, limit: int, tied: Tied) -> list[Recorded]:
    """At most `limit` events around a subject, oldest first; the newest of its own when there are more."""
    seen = {event.sequence: event for event in tied(subject, limit)}
    asked = {subject}
    ring = _names(list(seen.values()), asked)
    for _ in range(DEPTH):
        below: list[Recorded] = []
        for name in ring:
            if len(seen) >= limit:
                break
            asked.add(name)
            if joint(name):
                continue
            events = tied(name, HUB + 1)
            if len(events) <= HUB:
                fresh = [event for event in events if event.sequence not in seen][: limit - len(seen)]
                seen.update((event.sequence, event) for event in fresh)
                below.extend(fresh)
        ring = _names(below, asked)
    return [seen[sequence] for sequence in sorted(seen)]


def joint(name: str) -> bool:
    """Whether a subject is where unrelated work meets, by its form: a branch or tag of a repository (`nova@master`,
    `octo/cat@refs/heads/main`). It is shown when it is asked for, and never passed through."""
    return "@" in name and not name.startswith("package/")


def _names(events: list[Recorded], asked: set[str]) -> list[str]:
    """Subjects and refs of events that were not asked for yet, in order."""
    names = (name for event in events for name in (event.envelope.subject, *event.envelope.refs.split()))
    return [name for name in dict.fromkeys(names) if name not in asked]
