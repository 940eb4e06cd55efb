"""What may happen in the simulated world: one type for each service, with a time in seconds since 1970.

A happening refers to living things; turn it into bytes (`gerrit_bytes`, `zuul_bytes`, `forge_bytes`, `node_bytes`)
before asking the world for the next one.
"""

from __future__ import annotations

import msgspec

from firehose.simulator.cast import Person, Project
from firehose.simulator.state import Change, Item, Ticket

Votes = tuple[tuple[str, int, int], ...]
"""Label, new and old value."""


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """Something about a change on Gerrit; `what` is Gerrit's word."""

    time: float
    what: str
    change: Change
    who: Person
    comment: str = ""
    votes: Votes = ()
    reviewer: Person | None = None
    old: str = ""


class RefUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """A ref on Gerrit moved."""

    time: float
    project: Project
    ref: str
    old: str
    new: str
    who: Person


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Zuul reports on a queue item; `action` is Zuul's word."""

    time: float
    action: str
    item: Item


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """Something on a forge; `what` is `issue`, `comment`, `merge`, `review`, `push`, `run` or `release`."""

    time: float
    what: str
    action: str
    project: Project
    who: Person
    ticket: Ticket | None = None
    text: str = ""
    number: int = 0
    sha: str = ""
    old: str = ""


class NodeStep(msgspec.Struct, frozen=True, kw_only=True):
    """A test node came or went; `step` is `ready`, `used` or `deleted`."""

    time: float
    step: str
    node: str
    label: str
    region: str
    item: Item
    number: int


Happening = Review | RefUpdate | Report | Post | NodeStep
