"""Web push: a message only the subscribed browser can read (RFC 8291, aes128gcm), from a sender it knows (VAPID,
RFC 8292).

In: a browser's subscription, bytes. Out: headers and body of the request to its push service. It sends nothing and
knows no event. The key pair is made once and kept in a file; browsers subscribe for its public half.
"""

from __future__ import annotations

import base64
import binascii
import os
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from firehose.errors import Broken, GiveUp

RECORD: Final = 4_096
MOST: Final = 3_900
"""Bytes of a message; services need not take a body of more than 4,096."""
LIFE: Final = timedelta(hours=12)
KEEP: Final = timedelta(days=1)
"""How long a service keeps a message for a browser that is away."""
_CURVE: Final = ec.SECP256R1()


class Subscription(msgspec.Struct, frozen=True):
    """Where a browser is reached: its push service's URL, its public key, its secret (both base64url)."""

    endpoint: str
    p256dh: str
    auth: str


class Request(msgspec.Struct, frozen=True):
    """A POST to the endpoint."""

    headers: dict[str, str]
    body: bytes


class Vapid:
    """The hub as a sender. file: where its key is kept; contact: `mailto:` or `https:` for the push services."""

    def __init__(self, file: Path, contact: str) -> None:
        self._key = _key(file)
        self._contact = contact

    @property
    def public(self) -> str:
        """The public key as browsers want it."""
        return text(_point(self._key.public_key()))

    def request(self, to: Subscription, message: bytes, now: datetime) -> Request:
        """What to post; `GiveUp` when the subscription cannot be one, or the message is too long."""
        if len(message) > MOST:
            raise GiveUp(f"a push message has at most {MOST} bytes")
        headers = {
            "content-encoding": "aes128gcm", "content-type": "application/octet-stream",
            "ttl": str(int(KEEP.total_seconds())), "urgency": "normal",
            "authorization": f"vapid t={self._token(to.endpoint, now)}, k={self.public}",
        }  # fmt: skip
        return Request(headers, encrypt(to, message, ec.generate_private_key(_CURVE), os.urandom(16)))

    def _token(self, endpoint: str, now: datetime) -> str:
        parts = urlsplit(endpoint)
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}", "exp": int((now + LIFE).timestamp()), "sub": self._contact
        }  # fmt: skip
        head = text(msgspec.json.encode({"typ": "JWT", "alg": "ES256"}))
        signed = f"{head}.{text(msgspec.json.encode(claims))}"
        r, s = utils.decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{text(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def encrypt(to: Subscription, message: bytes, own: ec.EllipticCurvePrivateKey, salt: bytes) -> bytes:
    """The body: header (salt, record size, our public key), then one sealed record."""
    try:
        theirs = raw(to.p256dh)
        shared = own.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, theirs))
        secret = raw(to.auth)
    except (ValueError, InvalidKey, binascii.Error):
        raise GiveUp("the keys of the push subscription are none") from None
    ours = _point(own.public_key())
    key = _derive(secret, b"WebPush: info\0" + theirs + ours, shared, 32)
    sealed = AESGCM(_derive(salt, b"Content-Encoding: aes128gcm\0", key, 16)).encrypt(
        _derive(salt, b"Content-Encoding: nonce\0", key, 12), message + b"\x02", None
    )
    return salt + RECORD.to_bytes(4, "big") + bytes([len(ours)]) + ours + sealed


def text(bytes_: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(bytes_).decode().rstrip("=")


def raw(given: str) -> bytes:
    """Back; `ValueError` when it is none."""
    plain = given.rstrip("=")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)


def _derive(salt: bytes, info: bytes, key: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(key)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def _key(file: Path) -> ec.EllipticCurvePrivateKey:
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        made = ec.generate_private_key(_CURVE).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        # Linked into place whole: two parts of a hub that start together get the same key.
        fresh = file.with_name(f"{file.name}.{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as new:
            new.write(made)
        with suppress(FileExistsError):
            os.link(fresh, file)
        fresh.unlink()
    try:
        found = serialization.load_pem_private_key(file.read_bytes(), None)
    except (ValueError, TypeError):
        found = None
    if not isinstance(found, ec.EllipticCurvePrivateKey) or not isinstance(found.curve, ec.SECP256R1):
        raise Broken(f"{file} is not a P-256 key in PEM")
    return found
