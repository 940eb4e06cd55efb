"""Events as rows of a list: what each column says. The scripts make the same rows from the same attributes.

In: recorded events and the families of the sources. Out: `Row`, which the template `parts/rows.html` writes down.
`static/js/rows.js` is its twin for events that arrive live; a test in a browser holds them together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from firehose.event import Recorded
from firehose.web.pages.families import family_of

MARKS: Final = {
    "success": ("ok", "o-ok", "success"),
    "failure": ("bad", "o-bad", "failure"),
    "error": ("warn", "o-warn", "error"),
    "cancel": ("skip", "o-skip", "cancelled"),
    "skipped": ("skip", "o-skip", "skipped"),
    "running": ("run", "o-run", "running"),
    "queued": ("queue", "o-queue", "queued"),
    "": ("none", "o-dot", "no outcome"),
}
"""Outcome -> state for colour, icon for shape, word."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a list. `group` and `name` are the project before and after its last slash."""

    sequence: int
    time: datetime
    state: str
    icon: str
    outcome: str
    source: str
    family: str
    noun: str
    predicate: str
    project: str
    group: str
    name: str
    summary: str
    actor: str
    subject: str
    refs: str

    @property
    def kind(self) -> str:
        """`noun.predicate`."""
        return f"{self.noun}.{self.predicate}" if self.predicate else self.noun

    @property
    def href(self) -> str:
        """The event's page."""
        return f"/events/{self.sequence}"


def row(event: Recorded, known: Mapping[str, str]) -> Row:
    """The row of an event."""
    envelope = event.envelope
    state, icon, word = MARKS.get(envelope.outcome, ("none", "o-unknown", envelope.outcome))
    noun, _, predicate = envelope.kind.partition(".")
    group, slash, name = envelope.project.rpartition("/")
    return Row(
        sequence=event.sequence,
        time=envelope.time,
        state=state,
        icon=icon,
        outcome=word,
        source=event.name,
        family=family_of(event.name, envelope.kind, known),
        noun=noun,
        predicate=predicate,
        project=envelope.project,
        group=group + slash,
        name=name,
        summary=envelope.summary or f"{envelope.kind} {envelope.subject}",
        actor=envelope.actor,
        subject=envelope.subject,
        refs=envelope.refs,
    )


def rows(events: Iterable[Recorded], known: Mapping[str, str]) -> list[Row]:
    """The rows of events, in their order."""
    return [row(event, known) for event in events]
