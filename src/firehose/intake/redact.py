"""Redaction: what must not leave the hub is taken out once, at the gate, after the id was taken.

In: an event and its source's rules. Out: the same event without e-mail addresses (unless the operator wants them) and
without the fields that its source declares hidden. Everything else of the payload stays byte for byte. What is stored,
mirrored, dumped and shown as raw is this result. Rule: design, section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
import re2

from firehose.event import Event

REMOVED: Final = "redacted@redacted.invalid"
# `@` may be written \u0040 in JSON. A local part "git" is the user of a clone address, not a person's mailbox.
_ADDRESS: Final = re2.compile(
    rb"([A-Za-z0-9!#$%&'*+=?^_`{|}~.\x80-\xff-]+)(?:@|\\u0040)([A-Za-z0-9\x80-\xff](?:[A-Za-z0-9\x80-\xff-]*\.)+[A-Za-z\x80-\xff][A-Za-z0-9\x80-\xff-]+)"
)
# `atlas@2.1.0.post1` names a version: no mail domain begins with two numbers, or is one number and such a word. `.dev`
# and `.post` are domains of their own, so they count with a number only.
_VERSION: Final = re2.compile(
    rb"(?i)[0-9]+\.(?:[0-9]+(?:[.-]|$)|(?:a|b|m|rc|dev|post|pre|alpha|beta)[0-9]+$|(?:final|release|snapshot)$)"
)
# The archive of a list is named after the list's own address; Mailman writes it so.
_LIST: Final = re2.compile(r"(/list/[^/@\s]+)@([^/@\s]+/)")
_CLONE_USERS: Final = frozenset((b"git", b"gitea", b"forgejo"))


def redact(event: Event, *, addresses: bool, hidden: Sequence[str] = ()) -> Event:
    """The event as it may leave. `addresses`: remove e-mail addresses; `hidden`: payload paths to remove."""
    data = event.data
    if hidden and event.datacontenttype.partition(";")[0].endswith("json"):
        data = without(data, hidden)
    if not addresses:
        return event if data is event.data else msgspec.structs.replace(event, data=data)
    data = scrub(data)
    if data is event.data and "@" not in "".join(_texts(event)):
        return event
    clean: dict[str, Any] = {name: scrubbed(getattr(event, name)) for name, scrubbed in _SCRUBBED.items()}
    clean["refs"] = tuple(dict.fromkeys(map(scrub_place, event.refs)))
    changed = {name: value for name, value in clean.items() if value != getattr(event, name)}
    if data is event.data and not changed:
        return event
    return msgspec.structs.replace(event, data=data, **changed)


def _texts(event: Event) -> Iterator[str]:
    yield from (getattr(event, name) for name in _SCRUBBED)
    yield from event.refs


def scrub(data: bytes) -> bytes:
    """Bytes without e-mail addresses; the same object when there are none."""
    if b"@" not in data and b"\\u0040" not in data:
        return data
    clean: bytes = _ADDRESS.sub(_replacement, data)
    return clean


def scrub_text(text: str) -> str:
    """Text without e-mail addresses."""
    if "@" not in text:
        return text
    return scrub(text.encode("utf-8", "replace")).decode("utf-8", "replace")


def scrub_place(text: str) -> str:
    """A subject or a link without e-mail addresses: the address of a list in the path of its archive stays, escaped."""
    if "@" not in text:
        return text
    return scrub_text(_LIST.sub(r"\1%40\2", text))


_SCRUBBED: Final[Mapping[str, Callable[[str], str]]] = {
    **dict.fromkeys(("summary", "actor", "text", "project"), scrub_text),
    **dict.fromkeys(("subject", "link"), scrub_place),
}


def _replacement(match: Any) -> bytes:
    whole: bytes = match.group(0)
    local: bytes = match.group(1)
    if local in _CLONE_USERS or _VERSION.match(match.group(2)):
        return whole
    return REMOVED.encode()


def without(data: bytes, paths: Sequence[str]) -> bytes:
    """JSON bytes without the members at these paths (`a.b.c`; `*` is every item or member); the same object when
    none of them is there."""
    for name in _last_names(tuple(paths)):
        if name in data:
            break
    else:
        return data
    value = msgspec.json.decode(data)
    found = [_remove(value, path.split(".")) for path in paths]
    return msgspec.json.encode(value) if any(found) else data


@lru_cache(maxsize=256)
def _last_names(paths: tuple[str, ...]) -> tuple[bytes, ...]:
    """What must be in the bytes where a path leads somewhere; everything holds b""."""
    return tuple({path.rpartition(".")[2].removesuffix("*").encode(): None for path in paths})


def _remove(value: Any, path: list[str]) -> bool:
    head, rest = path[0], path[1:]
    if isinstance(value, list):
        return sum(_remove(item, rest if head == "*" else path) for item in value) > 0
    if not isinstance(value, dict):
        return False
    keys = list(value) if head == "*" else [head] if head in value else []
    if not rest:
        for key in keys:
            del value[key]
        return bool(keys)
    return sum(_remove(value[key], rest) for key in keys) > 0
