"""A PostgreSQL server of its own for measurements and tests: new data folder, Unix socket only, gone afterwards.

In: nothing. Out: a URL. The server refuses to run as root, so root lets the user `postgres` run it. Settings are the
defaults but for a larger buffer: what is measured must be what an operator gets.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from firehose.errors import Broken

_PLACES: Final = "/usr/lib/postgresql"
_SETTINGS: Final = (
    "listen_addresses = ''", "shared_buffers = 512MB", "max_wal_size = 2GB", "max_connections = 60",
    "log_min_messages = error", "autovacuum_naptime = 20s",
)  # fmt: skip


def binaries() -> Path | None:
    """The folder with `initdb` and `pg_ctl`, of the newest installed version."""
    found = sorted(Path(_PLACES).glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    inpath = shutil.which("initdb")
    return Path(inpath).parent if inpath else None


@contextmanager
def server() -> Iterator[str]:
    """A running server; its URL, database `postgres`. `Broken` when PostgreSQL is not installed."""
    programs = binaries()
    if programs is None:
        raise Broken("PostgreSQL's initdb is not installed (Debian: apt-get install postgresql)", code=4)
    with tempfile.TemporaryDirectory(prefix="firehose-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        _own(folder)
        data = folder / "data"
        _run(programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        with (data / "postgresql.conf").open("a") as settings:
            settings.write("\n".join((*_SETTINGS, f"unix_socket_directories = '{folder}'", "")))
        _run(programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "start")
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            _run(programs / "pg_ctl", "-D", data, "-m", "immediate", "stop")


def _user() -> pwd.struct_passwd | None:
    """Whom to run it as, when that is somebody else."""
    try:
        return pwd.getpwnam("postgres") if os.geteuid() == 0 else None
    except KeyError:
        raise Broken("PostgreSQL refuses to run as root, and there is no user postgres", code=4) from None


def _own(folder: Path) -> None:
    user = _user()
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)


def _run(*command: Path | str) -> None:
    user = _user()
    done = subprocess.run(  # noqa: S603
        [str(part) for part in command], cwd="/", capture_output=True, text=True, check=False,
        user=None if user is None else user.pw_uid, group=None if user is None else user.pw_gid,
    )  # fmt: skip
    if done.returncode:
        raise Broken(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-500:]}", code=4)
