"""Untrusted payloads: decoded, but wild until each leaf is tamed by a check that names the path in its error.

In: bytes from a sender. Out: `Wild` values, whose leaves are taken with `text()`, `number()`, `flag()`, `each()`.
A `Wild` refuses to be compared, formatted or tested for truth, so that no unchecked value slips into an event.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, NoReturn, TypeVar
from urllib.parse import urlsplit

import msgspec

from firehose.errors import Refused

MAX_DEPTH: Final = 64
_MISSING: Final = object()
_KEEP: Final[Any] = object()
_T = TypeVar("_T")
_NAMES = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}


def decode(body: bytes) -> Wild:
    """The JSON text of a sender as a wild value; `Refused` (400) when it is not JSON, not UTF-8 or too deep."""
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        text = str(error)
        slug = "bad-encoding" if "utf-8" in text.lower() else "bad-json"
        raise Refused(f"the body is not readable as JSON: {text}", slug=slug) from None
    # A body with few opening brackets cannot be deep, and nearly all bodies are such.
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        _check_depth(value)
    return Wild(value)


def _too_deep() -> Refused:
    return Refused(f"the body nests deeper than {MAX_DEPTH} levels", slug="too-deep")


def _check_depth(value: object) -> None:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return
    raise _too_deep()


class Wild(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A value of unknown shape at a known path."""

    # A struct, since reading one delivery makes dozens of these and its constructor is not Python. The path is put
    # together only when somebody asks for it, which is when something is wrong.
    _value: Any
    _above: Wild | None = None
    _step: str | int | tuple[str, ...] = ""

    @property
    def path(self) -> str:
        """Where it stands in the payload: `change.owner.username`, `commits[2].id`; "" is the body itself."""
        steps: list[str] = []
        node: Wild | None = self
        while node is not None:
            step = ".".join(node._step) if isinstance(node._step, tuple) else node._step
            steps.append(f"[{step}]" if isinstance(step, int) else f".{step}")
            node = node._above
        return "".join(reversed(steps)).lstrip(".")

    def __getitem__(self, key: str) -> Wild:
        value = self._value
        return Wild(value.get(key, _MISSING) if type(value) is dict else _MISSING, self, key)

    def at(self, *keys: str) -> Wild:
        """The value below several keys; missing anywhere on the way is missing."""
        value = self._value
        for key in keys:
            if type(value) is not dict:
                return Wild(_MISSING, self, keys)
            value = value.get(key, _MISSING)
        return Wild(value, self, keys)

    @property
    def present(self) -> bool:
        """Whether there is a value here other than null."""
        return self._value is not _MISSING and self._value is not None

    def is_object(self) -> bool:
        """Whether this is a JSON object."""
        return isinstance(self._value, dict)

    def is_list(self) -> bool:
        """Whether this is a JSON list."""
        return isinstance(self._value, list)

    def is_text(self) -> bool:
        """Whether this is a JSON string."""
        return isinstance(self._value, str)

    def text(self, default: str = _KEEP) -> str:
        """A string. Missing or null gives the default if there is one; any other type is refused."""
        value = self._value
        if type(value) is str:
            return value
        if default is _KEEP or not (value is _MISSING or value is None):
            self._wrong("text")
        return default

    def full(self) -> str:
        """A string that is not empty: an id, a name of what something is about."""
        found = self.text()
        if not found:
            raise Refused(f"{self.path} is empty", slug="bad-field", status=422, field=self.path)
        return found

    def word(self, default: str = _KEEP) -> str:
        """A string or a number, as a string: for ids that senders write both ways (Gerrit 2.x and 3.x)."""
        if isinstance(self._value, (int, float)) and not isinstance(self._value, bool):
            if not -(2**64) < self._value < 2**64:
                self._wrong("text or a number of usual size")
            return str(self._value)
        return self.text(default)

    def count(self, default: int = 0) -> int:
        """A whole number that is not negative; missing or null gives the default."""
        if not self.present:
            return default
        found = self.number()
        if not 0 <= found < 2**63 or found != int(found):
            self._wrong("a whole number")
        return int(found)

    def number(self, default: float = _KEEP) -> float:
        """A number, also when written as a numeric string."""
        if isinstance(self._value, (int, float)) and not isinstance(self._value, bool):
            return self._value
        if isinstance(self._value, str):
            try:
                return float(self._value) if "." in self._value else int(self._value)
            except ValueError:
                self._wrong("a number")
        return self._absent("a number", default)

    def flag(self, default: bool = _KEEP) -> bool:
        """True or false."""
        if isinstance(self._value, bool):
            return self._value
        return self._absent("true or false", default)

    def moment(self) -> datetime | None:
        """A time, in UTC: RFC 3339 text, `2013-12-03 17:23:34 UTC`, or seconds since 1970. None when there is none:
        missing, null, empty, or before 1971 (senders write the years 1 and 1970 for "never"). Anything else is
        refused."""
        if not self.present or (self.is_text() and not self.text().strip()):
            return None
        try:
            if self.is_text():
                found = datetime.fromisoformat(self.text().strip().removesuffix(" UTC"))
                found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
            else:
                found = datetime.fromtimestamp(self.number(), UTC)
        except (ValueError, OverflowError, OSError):
            self._wrong("a time")
        return found if found.year > 1970 else None

    def link(self) -> str:
        """A web address that is safe to show and that `urlsplit` can read; "" when missing, or anything but http and
        https."""
        text = self.text("").strip()
        safe = text.startswith(("https://", "http://")) and text.isprintable() and " " not in text
        return text if safe and (_plain_host(text) or _splits(text)) else ""

    def each(self) -> Iterator[Wild]:
        """The items of a list; nothing when missing or null; any other type is refused."""
        if not self.present:
            return
        if not isinstance(self._value, list):
            self._wrong("a list")
        for index, item in enumerate(self._value):
            yield Wild(item, self, index)

    def fields(self) -> Iterator[tuple[str, Wild]]:
        """The members of an object; nothing when missing or null; any other type is refused."""
        if not self.present:
            return
        if not isinstance(self._value, dict):
            self._wrong("an object")
        for key, value in self._value.items():
            yield key, Wild(value, self, key)

    def json(self) -> bytes:
        """This part of the payload as JSON, for an event that is about one part only; `null` when it is missing."""
        return b"null" if self._value is _MISSING else msgspec.json.encode(self._value)

    def _absent(self, wanted: str, default: _T) -> _T:
        if self.present or default is _KEEP:
            self._wrong(wanted)
        return default

    def _wrong(self, wanted: str) -> NoReturn:
        path = self.path or "the body"
        if self._value is _MISSING:
            detail = f"{path} is missing"
        else:
            detail = f"{path} is {_NAMES.get(type(self._value), 'a number')}, wanted {wanted}"
        raise Refused(detail, slug="bad-field", status=422, field=self.path)

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError(f"{self.path or 'the body'} is wild: take it with text(), number(), flag() or each()")

    __hash__ = None  # type: ignore[assignment]
    __bool__ = __str__ = __format__ = __eq__  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Wild {self.path or '(body)'}>"


def _plain_host(address: str) -> bool:
    """Whether nothing in an address could make `urlsplit` refuse it: it is costly, and addresses are many."""
    return address.isascii() and "[" not in address and "]" not in address


def _splits(address: str) -> bool:
    try:
        urlsplit(address)
    except ValueError:
        return False
    return True
