"""Source families: which icon and colour an event's source has, and their order on the chips.

In: the ledger's books (a source says its family), an event. Out: family names. A source that is not in the settings
any more is placed by what its event is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TITLES: Final = {
    "review": "Review",
    "ci": "CI",
    "ticket": "Tickets",
    "deploy": "Deploy",
    "cloud": "Nodes",
    "log": "Logs",
    "artifact": "Artifacts",
    "forge": "Forges",
    "people": "People",
    "hub": "Hub",
}
"""Families in the order of the chips, with the word on them."""

NOUNS: Final = {
    "change": "review",
    "pipelinerun": "ci",
    "taskrun": "ci",
    "testsuiterun": "ci",
    "testcaserun": "ci",
    "build": "ci",
    "ticket": "ticket",
    "service": "deploy",
    "environment": "cloud",
    "log": "log",
    "artifact": "artifact",
    "repository": "forge",
    "branch": "forge",
    "tag": "forge",
    "comment": "people",
    "person": "people",
}
"""What an event is about -> family, where the source itself is not known."""


def family_of(source: str, kind: str, known: Mapping[str, str]) -> str:
    """The family of an event."""
    return known.get(source) or NOUNS.get(kind.partition(".")[0], "hub")


def family_of_subject(subject: str) -> str:
    """The family of a thing by the look of its name (`story/2000643`, `openstack/nova~12345`), for references."""
    head = subject.partition("/")[0]
    if "~" in subject or head == "change":
        return "review"
    by_head = {
        "story": "ticket", "task": "ticket", "bug": "ticket", "issue": "ticket", "ticket": "ticket",
        "buildset": "ci", "build": "ci", "item": "ci", "pipeline": "ci", "event": "ci", "job": "ci",
        "node": "cloud", "topic": "review", "commit": "forge", "pull": "forge", "release": "artifact",
    }  # fmt: skip
    if "#" in subject or "!" in subject:
        return "forge"
    return by_head.get(head, "hub")
