"""Rules that give a sender's words meaning: patterns on the type, and texts with places for values.

In: a text such as `{data.repo.name}` or `{data.service} is live`, and the values of an event. Out: the filled text.
A place names an attribute (`type`, `subject`, an extension), a header (`headers.x-request-id`), the topic it was
published to (`topic`) or a level of it (`topic.0`), or a path into the data (`data.items.0.name`). What is missing is
left empty; an object or a list at the place is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

import msgspec

from firehose.errors import Refused

_PLACE: Final = re.compile(r"\{([^{}]+)\}")
_ROOT: Final = re.compile(r"data(\..+)?|headers\.[a-z0-9-]+|topic\.[0-9]{1,2}|[a-z0-9]+")


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What events of some types mean. The first rule that fits counts; its empty fields leave the event's own.

    type: pattern on the event's type. when: place -> pattern, all must fit (`{"data.state" = "closed"}`).
    kind, subject, project, actor, summary, link, outcome, severity: texts with places. refs: one text each.
    kinds, outcomes: the sender's word -> ours, applied to the filled `kind` and `outcome`.
    """

    type: str = "*"
    when: dict[str, str] = msgspec.field(default_factory=dict)
    kind: str = ""
    subject: str = ""
    project: str = ""
    actor: str = ""
    summary: str = ""
    link: str = ""
    outcome: str = ""
    severity: str = ""
    refs: tuple[str, ...] = ()
    kinds: dict[str, str] = msgspec.field(default_factory=dict)
    outcomes: dict[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        texts = [getattr(self, name) for name in FIELDS]
        for place in [*self.when, *(place for text in (*texts, *self.refs) for place in places(text))]:
            check(place)


FIELDS: Final = ("kind", "subject", "project", "actor", "summary", "link", "outcome", "severity")


class Values:
    """The values of one event that rules may take."""

    def __init__(self, attributes: Mapping[str, str], headers: Mapping[str, str], topic: str, data: Any) -> None:
        self._attributes = {"topic": topic, **attributes}
        self._headers = headers
        self._levels = dict(enumerate(topic.split("/"))) if topic else {}
        self._data = data

    def at(self, place: str) -> str:
        """The value at a place as text, "" when there is none."""
        root, _, rest = place.partition(".")
        if root == "headers":
            return self._headers.get(rest, "")
        if root == "topic" and rest:
            return self._levels.get(int(rest), "")
        return word(self._data, rest, place) if root == "data" else self._attributes.get(place, "")

    def fill(self, text: str) -> str:
        """A text with all its places filled."""
        return _PLACE.sub(lambda match: self.at(match[1]), text)

    def fit(self, rule: Rule, type_: str) -> bool:
        """Whether a rule is for this event."""
        return fnmatchcase(type_, rule.type) and all(
            fnmatchcase(self.at(place), wanted) for place, wanted in rule.when.items()
        )


def word(data: Any, path: str, place: str) -> str:
    """The single value at a dotted path; list items by their number."""
    for key in path.split(".") if path else ():
        if isinstance(data, dict):
            data = data.get(key)
        elif isinstance(data, list) and key.isdecimal() and len(key) < 6 and int(key) < len(data):
            data = data[int(key)]
        else:
            return ""
    match data:
        case None:
            return ""
        case bool():
            return "true" if data else "false"
        case str() | int() | float():
            return str(data)
    what = "an object" if isinstance(data, dict) else "a list"
    raise Refused(f"{place} is {what}, a rule wants a single value there", slug="bad-field", status=422, field=place)


def places(text: str) -> list[str]:
    """The places in a text."""
    return _PLACE.findall(text)


def check(place: str) -> None:
    """ValueError for a place that can never have a value."""
    if not _ROOT.fullmatch(place):
        raise ValueError(f"{place!r} is no place: write data.…, headers.…, topic.0 or an attribute's name")
