"""Stopping by one click (RFC 8058): the address that a mail carries, and what its receiver made of it.

In: a sink's name and a recipient. Out: a link that only the hub can have made, and a note in the bus that the recipient
wants nothing any more from that sink. Nobody needs to log in to stop, and nobody can stop somebody else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Final

import msgspec

from firehose.bus.contract import Bus
from firehose.errors import Refused
from firehose.plumbing.signing import Signer

TABLE: Final = "unsubscribed"
PATH: Final = "/v1/unsubscribe/"


def link(signer: Signer, base: str, sink: str, address: str) -> str:
    """The address to stop what a sink sends to somebody."""
    about = msgspec.json.encode([sink, address])
    return f"{base}{PATH}{_text(about)}.{_text(signer.sign(b'unsubscribe ' + about))}"


def read(signer: Signer, token: str) -> tuple[str, str]:
    """Sink and recipient of a link; `Refused` when the hub did not make it."""
    about, _, signature = token.partition(".")
    try:
        raw = _bytes(about)
        if not signer.verifies(b"unsubscribe " + raw, _bytes(signature)):
            raise ValueError
        sink, address = msgspec.json.decode(raw, type=tuple[str, str])
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise Refused("this link is not one of this hub's, or it was cut", slug="bad-link", status=404) from None
    return sink, address


async def stop(bus: Bus, sink: str, address: str) -> None:
    """From now on the recipient gets nothing from this sink."""
    await bus.put(TABLE, _key(sink, address), b"stop")


async def resume(bus: Bus, sink: str, address: str) -> None:
    """The recipient wants it again."""
    await bus.put(TABLE, _key(sink, address), b"")


async def stopped(bus: Bus, sink: str, address: str) -> bool:
    """Whether the recipient stopped it."""
    return await bus.get(TABLE, _key(sink, address)) == b"stop"


def _key(sink: str, address: str) -> str:
    return hashlib.sha256(f"{sink}\n{address.lower()}".encode()).hexdigest()[:40]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
