"""What is known of a tree of znodes: which paths count, what was there, what is new, what is gone. Pure.

In: patterns, listings and contents as `zookeeper.py` read them. Out: observations in the order of their transactions.
The memory is kept in parts, so that a change writes a small piece of it. It refuses to know the client library and
what is in a znode.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from operator import itemgetter
from typing import Final

import msgspec

from firehose.source import Inventory, Observed, Seen, Znodes

PARTS: Final = 16


class Known(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of a znode. `mzxid` 0: it was listed, but not told yet. Of a root, under its path and `/`, `mzxid`
    counts the znodes that were ever made in it."""

    czxid: int = 0
    mzxid: int = 0
    memory: str = ""


@dataclass(frozen=True)
class Listing:
    """The names below a path. made: how many znodes were ever made there. pzxid: the last change of the names."""

    path: str
    names: frozenset[str]
    czxid: int
    pzxid: int
    made: int


@dataclass
class Reading:
    """What one look at ZooKeeper found. missing: paths that were asked for and are not there."""

    seen: list[Seen] = field(default_factory=list)
    listings: list[Listing] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)


class Tree:
    """Which paths count."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = [tuple(pattern.strip("/").split("/")) for pattern in patterns]
        tops = {"/" + "/".join(pattern[: pattern.index("*")]) for pattern in self._patterns}
        self.roots: tuple[str, ...] = tuple(sorted(tops))

    def is_record(self, path: str) -> bool:
        """Whether its content counts."""
        levels = path.strip("/").split("/")
        return any(len(pattern) == len(levels) and _fits(pattern, levels) for pattern in self._patterns)

    def has_more(self, path: str) -> bool:
        """Whether something below it counts."""
        levels = path.strip("/").split("/")
        return any(len(pattern) > len(levels) and _fits(pattern, levels) for pattern in self._patterns)

    def counts(self, path: str) -> bool:
        """Whether it, or anything below it, counts."""
        levels = path.strip("/").split("/")
        return any(len(pattern) >= len(levels) and _fits(pattern, levels) for pattern in self._patterns)


def _fits(pattern: Sequence[str], levels: Sequence[str]) -> bool:
    return all(fnmatchcase(level, wanted) for wanted, level in zip(pattern, levels, strict=False))


class Memory:
    """All that is known, by path, in parts."""

    def __init__(self, parts: Mapping[str, bytes]) -> None:
        self._known: dict[str, Known] = {}
        self._below: dict[str, set[str]] = {}
        self._changed: set[str] = set()
        for part in parts.values():
            for path, known in msgspec.json.decode(part, type=dict[str, Known]).items():
                self._put(path, known)
        self._changed.clear()

    def changed(self) -> Iterator[tuple[str, bytes]]:
        """The parts that differ from what was kept, as they are to be kept."""
        wanted = sorted(self._changed)
        parts: dict[str, dict[str, Known]] = {part: {} for part in wanted}
        for path, known in self._known.items():
            if (part := part_of(path)) in parts:
                parts[part][path] = known
        for part in wanted:
            yield part, msgspec.json.encode(parts[part])
            self._changed.discard(part)

    def recall(self, path: str) -> bytes:
        """The source's memory of a znode."""
        known = self._known.get(path)
        return known.memory.encode() if known else b""

    def listed(self, listing: Listing, *, root: bool) -> tuple[list[tuple[int, Known, str]], int]:
        """Take a listing: what is gone, as (transaction, what was known, path), and how many znodes of a root came and
        went unseen."""
        before = self._below.get(listing.path, set())
        gone = [
            (listing.pzxid, self._known[path], path)
            for name in sorted(before - listing.names)
            for path in self._with_below(f"{listing.path}/{name}")
        ]
        fresh = listing.names - before
        for name in fresh:
            self._put(f"{listing.path}/{name}", Known())
        unseen = 0
        if root:
            own = listing.path + "/"
            then = self._known.get(own)
            if then is not None and then.czxid == listing.czxid:
                unseen = max(0, listing.made - then.mzxid - len(fresh))
            if then is None or then.mzxid != listing.made or then.czxid != listing.czxid:
                self._put(own, Known(listing.czxid, listing.made))
        return gone, unseen

    def missing(self, path: str) -> list[tuple[int, Known, str]]:
        """The same for a path that was asked for and is not there."""
        paths = self._with_below(path)
        return [(self._known[one].mzxid, self._known[one], one) for one in paths]

    def news(self, seen: Seen) -> list[Seen]:
        """What a content tells: nothing when it is known, its predecessor's end before it when it was made anew."""
        known = self._known.get(seen.path, Known())
        if known.czxid and known.czxid != seen.czxid:
            return [Seen(seen.path, None, known.czxid, known.mzxid), seen]
        return [] if seen.mzxid <= known.mzxid else [seen]

    def observe(self, seen: Seen, want: Znodes | Inventory) -> Observed:
        """Let the source look, and remember what it says."""
        known = self._known.get(seen.path, Known())
        observed = want.observe(seen, known.memory.encode(), self.recall)
        if seen.data is None:
            self._forget(seen.path)
        else:
            self._put(seen.path, Known(seen.czxid, seen.mzxid, observed.memory.decode()))
        return observed

    def _with_below(self, path: str) -> list[str]:
        """A path and what is known below it, deepest first."""
        below = [one for name in sorted(self._below.get(path, ())) for one in self._with_below(f"{path}/{name}")]
        return [*below, path] if path in self._known else below

    def _put(self, path: str, known: Known) -> None:
        self._known[path] = known
        self._changed.add(part_of(path))
        above, _, name = path.rpartition("/")
        if name:
            self._below.setdefault(above, set()).add(name)

    def _forget(self, path: str) -> None:
        self._known.pop(path, None)
        self._changed.add(part_of(path))
        above, _, name = path.rpartition("/")
        names = self._below.get(above, set())
        names.discard(name)
        if not names:
            self._below.pop(above, None)


def part_of(path: str) -> str:
    """The part that a path is kept in."""
    return f"znodes{zlib.crc32(path.encode()) % PARTS}"


def ordered(found: list[tuple[int, Seen]]) -> list[Seen]:
    """By transaction."""
    return [seen for _, seen in sorted(found, key=itemgetter(0))]
