"""Which history: an address becomes a store.

In: `[history]` of the settings and the data folder. Out: a `Store`, its schema in place. Refuses any address that is
neither `sqlite:///FILE` nor `postgresql://…`; the address itself may be secret (`url_env`) and is never logged.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from firehose.errors import Broken
from firehose.history.sqlite import SqliteStore
from firehose.history.store import Store

FILE = "history.db"
_POSTGRES = ("postgresql", "postgres")


class Address(Protocol):
    """Where the history is: an address, or the name of a variable that holds it."""

    @property
    def url(self) -> str:
        """`sqlite:///FILE` or `postgresql://…`; "" is a file in the data folder."""
        ...

    @property
    def url_env(self) -> str:
        """An environment variable with the address."""
        ...


def open_store(settings: Address, data: Path, *, create: bool = True) -> Store:
    """The store that the settings name; without any, a file in the data folder. `create=False` wants it to be there
    already: else `Broken`."""
    url = address(settings)
    if not url:
        return _file(data / FILE, create)
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        # As elsewhere: three slashes and a relative path, four and an absolute one.
        return _file(Path(rest[1:]), create)
    # Imported here, so that a hub on SQLite does not hold the driver in memory.
    from firehose.history.postgres import PostgresStore

    return PostgresStore(url)


def address(settings: Address) -> str:
    """`sqlite:///FILE`, `postgresql://…`, or "" for a file in the data folder; `Broken` for anything else."""
    url = settings.url
    if settings.url_env:
        url = os.environ.get(settings.url_env, "")
        if not url:
            raise Broken(f"history.url_env: the environment variable {settings.url_env} is not set", code=2)
    scheme, _, rest = url.partition("://")
    if url and not (scheme == "sqlite" and rest.startswith("/") and rest != "/") and scheme not in _POSTGRES:
        raise Broken("history.url is neither sqlite:///FILE nor postgresql://…", code=2)
    return url


def _file(path: Path, create: bool) -> Store:
    if not create and not path.exists():
        raise Broken(f"there is no history at {path}; --data or --settings says where it is", code=2)
    return SqliteStore(path)
