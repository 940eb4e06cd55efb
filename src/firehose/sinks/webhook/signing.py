"""Signatures of Standard Webhooks: over `id.timestamp.body`, HMAC-SHA256 (`v1`) and ed25519 (`v1a`). Pure.

In: secrets as operators keep them (`whsec_` and base64, or any bytes), what is signed. Out: the `webhook-` headers.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Final

from firehose.errors import Broken

PREFIX: Final = b"whsec_"
LEAST: Final = 24
MOST: Final = 64


def key(secret: bytes) -> bytes:
    """The key in a secret; `Broken` (code 2) when it is not a Standard Webhooks secret."""
    try:
        found = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not LEAST <= len(found) <= MOST:
        raise Broken(
            f"the webhook's secret is not whsec_ and the base64 of {LEAST} to {MOST} bytes; make one with: "
            "python3 -c \"import base64, os; print('whsec_' + base64.b64encode(os.urandom(32)).decode())\"",
            code=2,
        )
    return found


def headers(
    id_: str, timestamp: int, body: bytes, keys: Sequence[bytes], sign: Callable[[bytes], bytes]
) -> dict[str, str]:
    """The three headers; one signature for each key, then the hub's."""
    signed = b"%b.%d.%b" % (id_.encode(), timestamp, body)
    words = ["v1," + _text(hmac.digest(key_, signed, hashlib.sha256)) for key_ in keys]
    words.append("v1a," + _text(sign(signed)))
    return {"webhook-id": id_, "webhook-timestamp": str(timestamp), "webhook-signature": " ".join(words)}


def _text(signature: bytes) -> str:
    return base64.b64encode(signature).decode()
