"""The hub's own ed25519 keys: made once, kept in a file that only the hub can read.

In: a file. Out: signatures and the public half. It refuses to know what is signed.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey

from firehose.errors import Broken


class Signer:
    """One key. The file (64 hex digits) is made when it is missing; `Broken` when it holds something else."""

    def __init__(self, file: Path) -> None:
        self._key = SigningKey(_seed(file))

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return bytes(self._key.verify_key)

    def sign(self, message: bytes) -> bytes:
        """The signature, 64 bytes."""
        return self._key.sign(message).signature

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether this key made a signature."""
        try:
            self._key.verify_key.verify(message, signature)
        except (BadSignatureError, ValueError):
            return False
        return True


def _seed(file: Path) -> bytes:
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        # Linked into place whole: two parts of a hub that start together get the same key.
        fresh = file.with_name(f"{file.name}.{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as new:
            new.write(bytes(SigningKey.generate()).hex().encode() + b"\n")
        with suppress(FileExistsError):
            os.link(fresh, file)
        fresh.unlink()
    try:
        return bytes.fromhex(file.read_text().strip())
    except ValueError:
        raise Broken(f"{file} is not a signing key (64 hex digits)") from None
