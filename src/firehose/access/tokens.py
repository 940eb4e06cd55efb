"""Hub tokens: made once, kept hashed, looked up on every use, gone at once when revoked.

In: scopes, an end, a token as a caller sends it. Out: what the token may do. They live in a SQLite file of their own
in the data folder, which the command line and a running hub open side by side: SQLite's `data_version` tells the hub
that somebody else wrote, so a cached token never outlives its revocation. A token is 256 random bits, so one SHA-256
is enough; nobody can guess it, and no salt or slow hash is needed. Every decision about tokens is an audit row.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import msgspec

from firehose.errors import Broken, Refused
from firehose.plumbing.clock import Now, now

PREFIX: Final = "fht_"
"""How a token begins, so that secret scanners find leaked ones."""
PLAIN_SCOPES: Final = ("tracker", "admin")
NAMED_SCOPES: Final = ("publish", "read", "person")
PERSON: Final = "person:"
"""`person:<name>`: whoever shows the token is this person, to the notification rules and whatever else people keep."""
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,100}|\*")
_CACHED: Final = 10_000

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS token (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  hash BLOB NOT NULL UNIQUE,
  name TEXT NOT NULL,
  scopes TEXT NOT NULL,
  created TEXT NOT NULL,
  expires TEXT,
  revoked TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS audit (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  time TEXT NOT NULL,
  action TEXT NOT NULL,
  about TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
"""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token without its secret. `expires` and `revoked` None: never."""

    number: int
    name: str
    scopes: tuple[str, ...]
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None

    def valid(self, moment: datetime) -> bool:
        """Whether it works at a moment."""
        return self.revoked is None and (self.expires is None or moment < self.expires)

    def has(self, scope: str) -> bool:
        """Whether it has a scope: by name, by `publish:*`, or because `admin` may publish and track. `admin` does not
        read private audiences and is no person: that is always spelled out."""
        if scope in self.scopes:
            return True
        kind = scope.partition(":")[0]
        return f"{kind}:*" in self.scopes or (kind not in ("read", "person") and "admin" in self.scopes)

    @property
    def person(self) -> str:
        """Whose token it is, "" when it is nobody's."""
        return next((scope.removeprefix(PERSON) for scope in self.scopes if scope.startswith(PERSON)), "")


class Tokens:
    """The tokens of one data folder. One connection, used from one thread at a time; look-ups take microseconds."""

    def __init__(self, file: Path, clock: Now = now) -> None:
        self._clock = clock
        self._known: dict[bytes, Token | None] = {}
        self._version = -1
        try:
            # Made by hand first, so that nobody else may read it even for a moment.
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
            self._database = sqlite3.connect(file, timeout=5, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA synchronous = FULL")
            with file.with_name(f"{file.name}-lock").open("a") as door:
                # SQLite refuses instead of waiting where two processes switch a new file to WAL at once.
                fcntl.flock(door, fcntl.LOCK_EX)
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise Broken(f"cannot open the tokens in {file}: {error}", code=3) from None

    def create(self, scopes: Sequence[str], *, name: str = "", expires: datetime | None = None) -> tuple[str, Token]:
        """A new token: its text, shown this once, and what is kept of it. `Refused` names a wrong scope."""
        kept = tuple(dict.fromkeys(check_scope(scope) for scope in scopes))
        if sum(scope.startswith(PERSON) for scope in kept) > 1:
            raise Refused("a token is one person's: give person:<name> once", slug="bad-scope", field="scope")
        if not kept:
            raise Refused("a token needs at least one scope", slug="bad-scope", field="scope")
        text = PREFIX + secrets.token_urlsafe(32)
        created = self._clock()
        row = (_hash(text), name, " ".join(kept), _text(created), _text(expires) if expires else None)
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            cursor = self._database.execute(
                "INSERT INTO token (hash, name, scopes, created, expires) VALUES (?, ?, ?, ?, ?)", row
            )
            number = int(cursor.lastrowid or 0)
            self._note("token.created", str(number), " ".join(kept))
        self._known.clear()
        return text, Token(number=number, name=name, scopes=kept, created=created, expires=expires)

    def check(self, text: str) -> Token | None:
        """The token that a caller shows, if it is valid now."""
        if not text.startswith(PREFIX) or len(text) > 100:
            return None
        key = _hash(text)
        version = self._database.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version or len(self._known) > _CACHED:
            self._known.clear()
            self._version = version
        if key not in self._known:
            row = self._database.execute(f"{_SELECT} WHERE hash = ?", (key,)).fetchone()
            self._known[key] = _token(row) if row else None
        token = self._known[key]
        return token if token is not None and token.valid(self._clock()) else None

    def still(self, number: int) -> Token | None:
        """A token by its number, if it is valid now: for sessions that began with it."""
        row = self._database.execute(f"{_SELECT} WHERE number = ?", (number,)).fetchone()
        token = _token(row) if row else None
        return token if token is not None and token.valid(self._clock()) else None

    def holds(self, text: str, scope: str) -> bool:
        """Whether a token is valid and has a scope."""
        token = self.check(text)
        return token is not None and token.has(scope)

    def revoke(self, number: int) -> bool:
        """End a token for good; a running hub knows at its next use. False when there is no such valid token."""
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            changed = self._database.execute(
                "UPDATE token SET revoked = ? WHERE number = ? AND revoked IS NULL", (_text(self._clock()), number)
            ).rowcount
            if changed:
                self._note("token.revoked", str(number), "")
        self._known.clear()
        return changed > 0

    def all(self) -> list[Token]:
        """Every token, oldest first, also those that no longer work."""
        return [_token(row) for row in self._database.execute(f"{_SELECT} ORDER BY number")]

    def audit(self, limit: int = 100) -> list[tuple[str, str, str, str]]:
        """The newest decisions, newest first: time, action, about what, detail."""
        rows = self._database.execute(
            "SELECT time, action, about, detail FROM audit ORDER BY number DESC LIMIT ?", (limit,)
        )
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    def note(self, action: str, about: str, detail: str = "") -> None:
        """Write down a decision of another room (an admin's re-injection, a discarded delivery)."""
        self._note(action, about, detail)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _note(self, action: str, about: str, detail: str) -> None:
        self._database.execute(
            "INSERT INTO audit (time, action, about, detail) VALUES (?, ?, ?, ?)",
            (_text(self._clock()), action, about, detail),
        )


_SELECT: Final = "SELECT number, name, scopes, created, expires, revoked FROM token"


def check_scope(scope: str) -> str:
    """The scope, if there is such a one; `Refused` names the nearest."""
    kind, colon, name = scope.partition(":")
    if kind == "person" and name == "*":
        raise Refused("a token is one person's: person:<name>", slug="bad-scope", field="scope")
    if scope in PLAIN_SCOPES or (kind in NAMED_SCOPES and colon and _NAME.fullmatch(name)):
        return scope
    if kind in NAMED_SCOPES:
        raise Refused(f"the scope {kind} needs a name: {kind}:<name>", slug="bad-scope", field="scope")
    near = get_close_matches(kind, (*PLAIN_SCOPES, *NAMED_SCOPES), 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise Refused(
        f"there is no scope {scope!r}{hint}; scopes: publish:<source>, read:<audience>, person:<name>, tracker, admin",
        slug="bad-scope",
        field="scope",
    )


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _token(row: Sequence[str | int | None]) -> Token:
    number, name, scopes, created, expires, revoked = row
    return Token(
        number=int(number or 0),
        name=str(name),
        scopes=tuple(str(scopes).split()),
        created=datetime.fromisoformat(str(created)),
        expires=datetime.fromisoformat(str(expires)) if expires else None,
        revoked=datetime.fromisoformat(str(revoked)) if revoked else None,
    )
