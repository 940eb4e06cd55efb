"""Where the engine stages an atomic batch before it commits it: in memory instead of on the disk.

nats-server (2.12 to 2.15) makes a store of its own in `batches/` for each batch and syncs its five files, then writes
the batch into the stream and syncs that, then acknowledges. Only the last sync is the promise: what is staged is
thrown away at a restart. With the folder in shared memory a batch takes 2 to 4 ms instead of 8 to 25 (measured,
`docs/decisions/0007-batches-staged-in-memory.md`). Without shared memory nothing is changed, it is only slower.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of our own in it, mode 0700
LEAST_FREE: Final = 32 * 2**20
"""Free bytes below which staging stays on the disk; two batches of 8 MiB fly at most."""


class Staging:
    """The staging folder of one stream in the engine's store."""

    def __init__(self, store: Path, account: str, stream: str, memory: Path = MEMORY) -> None:
        self._memory = memory
        self._link = store.absolute() / "jetstream" / account / "streams" / stream / "batches"
        name = hashlib.blake2b(str(self._link).encode(), digest_size=8).hexdigest()
        self.place = memory / f"firehose-{os.getuid()}-{name}"

    def clear(self) -> None:
        """While no engine runs: drop what one that was killed had staged."""
        shutil.rmtree(self.place, ignore_errors=True)

    def ensure(self) -> bool:
        """Lead the stream's staging folder into memory; whether it does. May be called at any time, since the engine
        makes its own folder anew after a restart: a batch that flies just then keeps it until the next call."""
        with suppress(OSError):
            if self._link.is_symlink() and self.place.is_dir():
                return True
            if not self._link.parent.is_dir() or not self._has_room():
                return False
            self.place.mkdir(mode=0o700, exist_ok=True)
            if self.place.is_symlink() or self.place.stat().st_uid != os.getuid():
                return False
            if self._link.is_dir() and not self._link.is_symlink():
                self._link.rmdir()
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(self.place)
            return True
        return False

    def _has_room(self) -> bool:
        if not self._memory.is_dir():
            return False
        disk = os.statvfs(self._memory)
        return disk.f_bavail * disk.f_frsize >= LEAST_FREE
