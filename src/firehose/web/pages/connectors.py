"""What the connectors understand, on the Sources page: what each maps and ignores, and the kinds that are not in use.

In: the kinds of the hub's sources and sinks, and every kind that is installed. Out: cards in words. Nothing here
depends on what happened: it is made once for each set of kinds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec

from firehose import sink as sink_kinds
from firehose import source as source_kinds
from firehose.sink import SinkKind
from firehose.source import SourceKind


class Reads(msgspec.Struct, frozen=True, kw_only=True):
    """A way in: `names` are the sources of this kind here; `kinds` native kind -> what it becomes, `ignored` -> why."""

    word: str
    title: str
    family: str
    names: tuple[str, ...]
    kinds: Mapping[str, str]
    ignored: Mapping[str, str]


class Writes(msgspec.Struct, frozen=True, kw_only=True):
    """A way out: `names` are the sinks of this kind here; `formats` what leaves, in words."""

    word: str
    title: str
    family: str
    names: tuple[str, ...]
    formats: tuple[str, ...]


class Connectors(msgspec.Struct, frozen=True, kw_only=True):
    """Ways in and out that are in use, and those that are not."""

    reads: Sequence[Reads]
    writes: Sequence[Writes]
    other_reads: Sequence[Reads]
    other_writes: Sequence[Writes]


@lru_cache(maxsize=8)
def known(sources: frozenset[tuple[str, str]], sinks: frozenset[tuple[str, str]]) -> Connectors:
    """Every installed kind. `sources`, `sinks`: (kind, name) of what runs. It imports them all: not in the loop."""
    read = [_reads(source_kinds.load(word), _named(word, sources)) for word in source_kinds.kinds()]
    write = [_writes(sink_kinds.load(word), _named(word, sinks)) for word in sink_kinds.kinds()]
    return Connectors(
        reads=[one for one in read if one.names],
        writes=[one for one in write if one.names],
        other_reads=[one for one in read if not one.names],
        other_writes=[one for one in write if not one.names],
    )


def _named(word: str, given: frozenset[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(sorted(name for kind, name in given if kind == word))


def _reads(kind: SourceKind, names: tuple[str, ...]) -> Reads:
    return Reads(
        word=kind.name, title=kind.title, family=kind.family, names=names,
        kinds=dict(sorted(kind.kinds.items())), ignored=dict(sorted(kind.ignored.items())),
    )  # fmt: skip


def _writes(kind: SinkKind, names: tuple[str, ...]) -> Writes:
    return Writes(word=kind.name, title=kind.title, family=kind.family, names=names, formats=tuple(kind.formats))
