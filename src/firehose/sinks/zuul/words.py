"""Templates: `{data.change.number},{data.patchSet.number}` filled from an event. Pure.

In: text with fields in braces, an event. Out: text, or `GiveUp` that names the field which the event does not have.
Fields are an event's attributes and, below `data.`, whatever its payload holds: the names that queries use.
"""

from __future__ import annotations

import re
from typing import Final

from firehose.errors import GiveUp, Refused
from firehose.event import Recorded
from firehose.wild import Wild, decode

ATTRIBUTES: Final = ("id", "source", "type", "kind", "subject", "project", "actor", "link", "outcome", "topic")
_FIELD: Final = re.compile(r"\{([^{}]*)\}")
_PATH: Final = re.compile(r"data(\.[^.{}\s]+)+")


def data(event: Recorded) -> Wild:
    """The payload; of one that is no JSON nothing can be read."""
    raw = event.envelope.data
    try:
        return decode(bytes(raw) if raw else b"null")
    except Refused as error:
        raise GiveUp(f"the event's data cannot be read: {error.detail}") from None


def at(payload: Wild, path: str) -> str:
    """A word or number of the payload; "" when there is none."""
    try:
        return payload.at(*path.split(".")).word("")
    except Refused:
        return ""


def fill(template: str, event: Recorded, payload: Wild) -> str:
    """The template's text for this event."""

    def value(found: re.Match[str]) -> str:
        name = found[1]
        place = name.removeprefix("data.")
        text = at(payload, place) if place != name else str(getattr(event.envelope, name, ""))
        if not text:
            raise GiveUp(
                f"the event has no {name}, which {template!r} asks for; narrow the query or change the template"
            )
        return text

    return _FIELD.sub(value, template)


def problem(template: str) -> str:
    """What is wrong with a template; "" when nothing is."""
    for name in _FIELD.findall(template):
        if name not in ATTRIBUTES and not _PATH.fullmatch(name):
            return f"{{{name}}} is no field: write {{data.path.to.it}} or one of {', '.join(ATTRIBUTES)}"
    return ""
