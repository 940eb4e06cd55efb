"""One event in one line, as a chat room reads it, and many events as few lines.

In: events. Out: plain text without line breaks or control characters: whoever sends the payload chose the words, and
a room must not be made to see two messages, colours or commands. Links are the event's own, else its page here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import itemgetter
from typing import Final
from urllib.parse import quote, urlencode

from firehose.event import Recorded

MANY: Final = 4
"""So many events of one kind in one project and one batch are said as a number."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_IES: Final = re.compile(r"[^aeiou]y$")
_ES: Final = re.compile(r"(s|x|z|ch|sh)$")


def tame(text: str) -> str:
    """Text that is one line and nothing but text."""
    return _CONTROL.sub(" ", text).strip()


def line(event: Recorded, page: str = "") -> str:
    """`summary  link`; without a summary the kind and the subject. `page` is this hub's page of the event."""
    envelope = event.envelope
    said = envelope.summary or f"{envelope.kind} {envelope.subject}"
    return tame("  ".join(part for part in (said, envelope.link or page) if part))


def plural(noun: str) -> str:
    """Several of a thing: changes, branches, repositories."""
    if _IES.search(noun):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if _ES.search(noun) else f"{noun}s"


def gathered(
    events: Iterable[Recorded],
    pages: str = "",
    many: int = MANY,
    say: Callable[[Recorded], Sequence[str]] | None = None,
) -> list[str]:
    """The lines of a batch in order. Groups of at least `many` of one kind in one project become one line:
    `12 changes merged in openstack/nova`, with the address `pages` + query if given. `say` words a single event."""
    groups: dict[tuple[str, str], list[Recorded]] = {}
    for event in events:
        groups.setdefault((event.envelope.kind, event.envelope.project), []).append(event)
    found: list[tuple[int, str]] = []
    for (kind, project), own in groups.items():
        if len(own) >= many:
            found.append((own[0].sequence, _counted(kind, project, own, pages)))
        else:
            found += [(event.sequence, text) for event in own for text in (say or partial(_plainly, pages))(event)]
    return [text for _, text in sorted(found, key=itemgetter(0))]


def _plainly(pages: str, event: Recorded) -> list[str]:
    return [line(event, f"{pages}/events/{event.cursor}" if pages else "")]


def _counted(kind: str, project: str, events: Sequence[Recorded], pages: str) -> str:
    thing, _, done = kind.partition(".")
    noun = thing if len(events) == 1 else plural(thing)
    where = f" in {project}" if project else ""
    # `until` is not included, so it is the cursor after the last event's.
    window = {"since": events[0].cursor, "until": f"{events[-1].sequence + 1:020d}"}
    query = urlencode({"kind": kind} | ({"project": project} if project else {}) | window, quote_via=quote, safe="/")
    link = f"  {pages}/search?{query}" if pages else ""
    return tame(f"{len(events)} {noun} {done.replace('.', ' ')}{where}{link}")
