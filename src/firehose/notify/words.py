"""What a message says: the events, why it came, and the links to make it less or stop it. Pure.

In: events of one place, the rules that asked, links. Out: a `Note`, whatever carries it. Text from outside is one tame
line each; every note says why in one sentence and where to change that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from firehose.chat.words import tame
from firehose.event import Recorded, identity, line
from firehose.notify.rules import Place, Rule

SHOWN: Final = 50
"""Events that a digest spells out."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An event in a note: when, its kind and project, the sentence, where it leads, its page here."""

    time: str
    kind: str
    project: str
    text: str
    link: str
    page: str


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A message. id: the same for every try. items: the events, the first ones of a digest; count: all of them.
    thread: the same for notes about one thing, "" for digests. because: the reason in a sentence; why, stop: links."""

    id: str
    title: str
    items: tuple[Item, ...]
    count: int
    thread: str = ""
    because: str
    why: str
    stop: str


def single(event: Recorded, place: Place, rules: Sequence[Rule], hub: tuple[str, str], links: tuple[str, str]) -> Note:
    """The note of one event. hub: name and address; links: why and stop."""
    envelope = event.envelope
    project = f"[{envelope.project}] " if envelope.project else ""
    return Note(
        id=note_id(place.id, identity(envelope.source, envelope.id)),
        title=line(tame(f"{project}{envelope.summary or f'{envelope.kind} {envelope.subject}'}"), 200),
        items=(item(event, hub[1]),), count=1, thread=identity(envelope.source, envelope.subject),
        because=because(rules, hub[0]), why=links[0], stop=links[1],
    )  # fmt: skip


def digest(
    events: Sequence[Recorded], place: Place, rules: Sequence[Rule], hub: tuple[str, str], links: tuple[str, str],
    mark: str,
) -> Note:  # fmt: skip
    """The note of several events, which came first to last. mark: the same at every try, whatever it still tells."""
    count, last = len(events), events[-1].envelope
    return Note(
        id=note_id(place.id, f"digest {mark}"),
        title=line(tame(f"{count} event{'s' if count > 1 else ''}, the last: {last.summary or last.kind}"), 200),
        items=tuple(item(event, hub[1]) for event in events[:SHOWN]), count=count,
        because=because(rules, hub[0]), why=links[0], stop=links[1],
    )  # fmt: skip


def item(event: Recorded, base: str) -> Item:
    """An event as notes show it. Only web addresses are links."""
    envelope = event.envelope
    page = f"{base}/events/{event.cursor}"
    link = envelope.link if envelope.link.startswith(("https://", "http://")) else page
    return Item(
        time=f"{envelope.time:%Y-%m-%d %H:%M} UTC", kind=tame(envelope.kind), project=tame(envelope.project),
        text=line(tame(envelope.summary or f"{envelope.kind} {envelope.subject}")), link=tame(link), page=page,
    )  # fmt: skip


def because(rules: Sequence[Rule], hub: str) -> str:
    """Why somebody gets it."""
    titles = [f"“{rule.title}”" for rule in rules[:3]]
    more = f" and {len(rules) - 3} more" if len(rules) > 3 else ""
    word = "rule" if len(rules) == 1 else "rules"
    return f"{hub} tells you because of the {word} {', '.join(titles)}{more}."


def plain(note: Note) -> str:
    """A note as text."""
    rows = []
    for one in note.items:
        rows += [f"{one.time}  {one.kind}  {one.project}".rstrip(), f"  {one.text}", f"  {one.link}", ""]
    if note.count > len(note.items):
        rows += [f"and {note.count - len(note.items)} more", ""]
    return "\n".join([*rows, "-- ", note.because, f"Why this, less of it, or stop: {note.why}"]) + "\n"


def lines(note: Note) -> list[str]:
    """A note as lines of chat."""
    shown = [f"{one.text}  {one.link}" for one in note.items[:5]]
    more = [f"and {note.count - len(shown)} more"] if note.count > len(shown) else []
    return [*shown, *more, f"({note.because} Less or stop: {note.why})"]


def note_id(place: str, what: str) -> str:
    """A message's id from what it is about."""
    return hashlib.sha256(f"{place}\n{what}".encode()).hexdigest()[:32]
