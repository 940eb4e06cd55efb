"""The things of the simulated world that live and change: changes, patch sets, builds, queue items, tickets.

They are mutable; lives (`lives.py`, `forge_lives.py`) change them, and whoever turns a happening into bytes reads
them before the world goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from firehose.simulator.cast import Person, Project


@dataclass
class PatchSet:
    """One version of a change."""

    number: int
    revision: str
    parent: str
    uploader: Person
    created: float
    kind: str
    insertions: int
    deletions: int


@dataclass
class Change:
    """A Gerrit change. `verified` is what the check pipeline last said, `checking` that it is at work."""

    number: int
    project: Project
    owner: Person
    change_id: str
    subject: str
    topic: str
    story: int
    created: float
    status: str = "NEW"
    wip: bool = False
    patch_sets: list[PatchSet] = field(default_factory=list)
    reviewers: list[Person] = field(default_factory=list)
    votes: dict[tuple[str, str], int] = field(default_factory=dict)
    hashtags: list[str] = field(default_factory=list)
    verified: int = 0
    checking: bool = False

    @property
    def last(self) -> PatchSet:
        """The newest patch set."""
        return self.patch_sets[-1]


@dataclass
class Build:
    """A build of a queue item; `result` is "" while it runs."""

    job: str
    uuid: str
    voting: bool
    start: float
    end: float
    result: str
    log_url: str


@dataclass
class Item:
    """A Zuul queue item: changes, or a ref of a project."""

    uuid: str
    buildset: str
    event: str
    pipeline: str
    enqueued: float
    changes: list[Change] = field(default_factory=list)
    project: Project | None = None
    ref: str = ""
    revision: str = ""
    builds: list[Build] = field(default_factory=list)
    retried: list[Build] = field(default_factory=list)
    result: str = ""


@dataclass
class Ticket:
    """An issue or a pull (merge) request on a forge; `merge` says which."""

    project: Project
    number: int
    id: int
    title: str
    author: Person
    created: float
    merge: bool
    state: str = "open"
    label: str = ""
    sha: str = ""
    merged: bool = False

    @property
    def branch(self) -> str:
        """The branch that a request comes from."""
        return f"{self.author.username}-{self.number}"
