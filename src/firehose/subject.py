"""Topics and subjects: how an event is addressed on MQTT, and how that address reads on NATS.

In: names (source, kind, project). Out: topics (`events/gerrit/change/merged/openstack/nova`), NATS subjects, matches.
The translation between MQTT levels and NATS tokens is the one of nats-server's MQTT listener, measured: `.` is `//`,
an empty level is `/`. What neither protocol can carry in a level (whitespace, control characters, `*`, `>`, `+`, `#`,
and `%` itself) is percent-escaped, so that every name has exactly one topic and can be read back.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

ROOT = "events"
PRIVATE_ROOT = "private"
INBOUND_ROOT = "in"
META_ROOT = "$meta"

_UNSAFE = re.compile(r"[\s\x00-\x1f\x7f-\x9f*>+#%\u200b-\u200f\u2028-\u202f\ufeff]")
_BREAKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202f\ufeff]")
_SURROGATE = re.compile(r"[\ud800-\udfff\ufffe\uffff]")


def _escape_match(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match.group().encode("utf-8"))


def escape(level: str) -> str:
    """One name as text for a topic level; a `/` in it stays and makes more levels."""
    return _UNSAFE.sub(_escape_match, _SURROGATE.sub("\ufffd", level))


def unescape(level: str) -> str:
    """The name that `escape` was given."""
    return unquote(level)


def given(text: str) -> str:
    """A subject that somebody wrote as one already, a sender or another hub: what it says stays, so that it is the same
    thing; only what would end it in a list of them is escaped."""
    return _BREAKS.sub(_escape_match, _SURROGATE.sub("\ufffd", text))


def ref(project: str, name: str) -> str:
    """The subject of a branch or tag, the same for every source: `openstack/nova@refs/heads/master`. A name without
    `refs/` is a branch's."""
    return escape(f"{project}@{name if name.startswith('refs/') else f'refs/heads/{name}'}")


@lru_cache(maxsize=16_384)
def topic(source: str, kind: str, project: str = "", audience: str = "") -> str:
    """The canonical topic of an event: fixed depth first, the project last; no project, no further level.

    `kind` is `subject.predicate`. With an audience the topic lies below `private/<audience>/`.
    """
    noun, _, predicate = kind.partition(".")
    head = f"{PRIVATE_ROOT}/{escape(audience)}" if audience else ROOT
    parts = [head, escape(source), escape(noun), escape(predicate)]
    if project:
        parts.append(escape(project))
    return "/".join(parts)


def source_of(topic_: str) -> str:
    """The source's name in a canonical topic."""
    levels = topic_.split("/", 3)
    return unescape(levels[2] if levels[0] == PRIVATE_ROOT else levels[1])


@lru_cache(maxsize=16_384)
def to_nats(topic_: str) -> str:
    """The NATS subject that nats-server's MQTT listener uses for an MQTT topic (no wildcards)."""
    return ".".join(level.replace(".", "//") if level else "/" for level in topic_.split("/"))


def from_nats(subject: str) -> str:
    """The MQTT topic that a NATS subject appears as; the inverse of `to_nats`."""
    return "/".join("" if token == "/" else token.replace("//", ".") for token in subject.split("."))


def filter_problem(filter_: str) -> str:
    """Why a topic filter is not valid MQTT, or "" if it is: `#` only last and alone, `+` only alone."""
    if not filter_:
        return "an empty filter matches nothing"
    levels = filter_.split("/")
    for position, level in enumerate(levels, 1):
        if "#" in level and (level != "#" or position != len(levels)):
            return f"'#' must be the whole last level, here it is in level {position} ({level!r})"
        if "+" in level and level != "+":
            return f"'+' must be a whole level, here it is in level {position} ({level!r})"
    return ""


def filter_to_nats(filter_: str) -> str:
    """A valid MQTT filter as a NATS one. `x/#` becomes `x.>`, which does not match `x` itself (MQTT's does)."""
    special = {"+": "*", "#": ">"}
    return ".".join(special.get(level, to_nats(level) if level else "/") for level in filter_.split("/"))


def matches(filter_: str, topic_: str) -> bool:
    """Whether an MQTT topic filter takes a topic (MQTT 3.1.1, section 4.7): `x/#` takes `x`, `#` not `$meta/…`."""
    wanted, levels = filter_.split("/"), topic_.split("/")
    if topic_.startswith("$") and wanted[0] in ("#", "+"):
        return False
    for position, level in enumerate(wanted):
        if level == "#":
            return len(levels) >= position
        if position >= len(levels) or level not in ("+", levels[position]):
            return False
    return len(wanted) == len(levels)
