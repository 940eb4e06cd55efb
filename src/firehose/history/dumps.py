"""Hourly dumps: immutable files that anybody can take, check and keep, chained by hashes and signed.

In: a store, and the moment up to which it is known to be complete. Out: `YYYY-MM-DD-HH.ndjson.zst` (events as readers
get them, by hour of recording, UTC) and `index.ndjson`, one signed entry a line, each naming the hash of the one
before. Removing a dump adds an entry that says so: the chain only ever grows. It knows no HTTP; `web/` serves it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import zstandard
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from firehose.errors import Broken
from firehose.event import rfc3339
from firehose.history.store import Store
from firehose.plumbing.signing import Signer

HOUR: Final = timedelta(hours=1)
_NAME: Final = re.compile(r"\d{4}-\d{2}-\d{2}-\d{2}\.ndjson\.zst")
_INDEX: Final = "index.ndjson"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the index. Sequences `first` to `last` (`count` of them exist), `bytes` and `sha256` of the file;
    `removed` is why the file is gone. `previous` is the SHA-256 of the line before, "" on the first. `signature`:
    ed25519 over the line as it is with an empty signature, in hex."""

    name: str
    first: int = 0
    last: int = 0
    count: int = 0
    bytes: int = 0
    sha256: str = ""
    removed: str = ""
    made: str = ""
    previous: str = ""
    signature: str = ""


Entries = list[Entry]
Names = list[str]


class Dumps:
    """The dumps of one hub. `folder` and the key file are made when they are missing."""

    def __init__(self, folder: Path, key_file: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._key = Signer(key_file)

    @property
    def public_key(self) -> str:
        """What signatures are checked with, in hex."""
        return self._key.public.hex()

    def list(self) -> Entries:
        """The dumps that can be taken, oldest first."""
        entries = [entry for entry, _ in _read(self._folder)]
        gone = {entry.name for entry in entries if entry.removed}
        return [entry for entry in entries if entry.name not in gone]

    def path(self, name: str) -> Path | None:
        """A dump's file; None when there is no such dump."""
        path = self._folder / name
        return path if _NAME.fullmatch(name) and path.is_file() else None

    def index(self) -> bytes:
        """The whole index, one JSON object a line."""
        path = self._folder / _INDEX
        return path.read_bytes() if path.exists() else b""

    def make(self, store: Store, until: datetime, *, most: int = 24) -> Entries:
        """Dump hours that ended before `until`, a moment up to which the store holds everything; at most so many.
        An hour without events has no dump."""
        made: Entries = []
        for start, after, upto in self._due(store, until):
            if len(made) >= most:
                break
            made.append(self._make(store, start, after, upto))
        return made

    def remove(self, before: datetime, why: str) -> Names:
        """Remove the files of hours that began before a moment, and say so in the index first."""
        gone = [entry.name for entry in self.list() if _hour(entry.name) < before]
        for name in gone:
            self._append(Entry(name=name, removed=why))
            (self._folder / name).unlink(missing_ok=True)
        return gone

    def _due(self, store: Store, until: datetime) -> Iterator[tuple[datetime, int, int]]:
        """Hours to dump: (start, sequence before the first, last sequence)."""
        done = [entry for entry, _ in _read(self._folder) if not entry.removed]
        after = done[-1].last if done else store.span().floor
        earliest = _hour(done[-1].name) + HOUR if done else datetime.min.replace(tzinfo=UTC)
        while True:
            following = next(iter(next(store.replay(after, chunk=1), [])), None)
            if following is None:
                return
            # A clock that was set back must not reopen an hour: what comes late goes into the next dump.
            start = max(following.recorded.replace(minute=0, second=0, microsecond=0), earliest)
            if start + HOUR > until:
                return
            upto = max(store.at_time(start + HOUR), following.sequence)
            yield start, after, upto
            after, earliest = upto, start + HOUR

    def _make(self, store: Store, start: datetime, after: int, upto: int) -> Entry:
        name = f"{start.astimezone(UTC):%Y-%m-%d-%H}.ndjson.zst"
        path, part = self._folder / name, self._folder / f".{name}.part"
        if path.exists():
            # Left by a crash between the file and its entry.
            path.unlink()
        first = last = count = 0
        with part.open("wb") as file, zstandard.ZstdCompressor(level=10).stream_writer(file, closefd=False) as writer:
            for events in store.replay(after, upto=upto):
                first, last, count = first or events[0].sequence, events[-1].sequence, count + len(events)
                writer.write(b"".join(event.json + b"\n" for event in events))
        with part.open("rb+") as whole:
            digest = hashlib.file_digest(whole, "sha256").hexdigest()
            os.fsync(whole.fileno())
        part.rename(path)
        return self._append(
            Entry(name=name, first=first, last=last, count=count, bytes=path.stat().st_size, sha256=digest,
                  made=rfc3339(start + HOUR))
        )  # fmt: skip

    def _append(self, entry: Entry) -> Entry:
        lines = list(_read(self._folder))
        previous = hashlib.sha256(lines[-1][1]).hexdigest() if lines else ""
        bare = msgspec.structs.replace(entry, previous=previous, signature="")
        signed = msgspec.structs.replace(bare, signature=self._key.sign(msgspec.json.encode(bare)).hex())
        with (self._folder / _INDEX).open("ab") as file:
            file.write(msgspec.json.encode(signed) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return signed


def verify(folder: Path, public_key: str) -> list[str]:
    """What is wrong with a folder of dumps, in words; nothing when all hashes, signatures and the chain hold."""
    problems: list[str] = []
    key = VerifyKey(bytes.fromhex(public_key))
    previous, last = "", 0
    try:
        lines = list(_read(folder))
    except Broken as problem:
        return [problem.detail]
    gone = {entry.name for entry, _ in lines if entry.removed}
    for number, (entry, raw) in enumerate(lines, 1):
        where = f"index line {number} ({entry.name})"
        if entry.previous != previous:
            problems.append(f"{where}: does not follow the line before it; a line was changed, added or taken out")
        previous = hashlib.sha256(raw).hexdigest()
        try:
            key.verify(
                msgspec.json.encode(msgspec.structs.replace(entry, signature="")), bytes.fromhex(entry.signature)
            )
        except (BadSignatureError, ValueError):
            problems.append(f"{where}: the signature is not this hub's")
        if entry.removed:
            continue
        if entry.first <= last:
            problems.append(f"{where}: begins at sequence {entry.first}, the dump before it went up to {last}")
        last = entry.last
        if entry.name not in gone:
            problems += [f"{where}: {problem}" for problem in _check_file(folder / entry.name, entry)]
    return problems


def _check_file(path: Path, entry: Entry) -> Iterator[str]:
    if not path.is_file():
        yield "the file is missing"
        return
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != entry.sha256:
            yield "the file's SHA-256 is another one"
            return
        file.seek(0)
        previous, count = 0, 0
        for line in _lines(file):
            sequence = int(msgspec.json.decode(line, type=_Sequenced).sequence)
            if sequence <= previous:
                yield f"sequence {sequence} follows {previous}"
            previous, count = sequence, count + 1
    if (count, previous) != (entry.count, entry.last):
        yield f"holds {count} events up to {previous}, not {entry.count} up to {entry.last}"


class _Sequenced(msgspec.Struct):
    sequence: str


def _lines(file: Any) -> Iterator[bytes]:
    rest = b""
    with zstandard.ZstdDecompressor().stream_reader(file, closefd=False) as reader:
        while piece := reader.read(1 << 20):
            *whole, rest = (rest + piece).split(b"\n")
            yield from whole


def _read(folder: Path) -> Iterator[tuple[Entry, bytes]]:
    path = folder / _INDEX
    for number, raw in enumerate(path.read_bytes().splitlines() if path.exists() else (), 1):
        try:
            yield msgspec.json.decode(raw, type=Entry), raw
        except msgspec.DecodeError as error:
            raise Broken(f"{path}, line {number}: {error}; restore it from a copy of the dumps") from None


def _hour(name: str) -> datetime:
    return datetime.strptime(name[:13], "%Y-%m-%d-%H").replace(tzinfo=UTC)
