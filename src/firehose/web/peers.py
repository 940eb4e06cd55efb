"""Who is at the other end: the client's address, seen through trusted proxies, and the key of its budget.

In: an ASGI scope and the proxies whose `X-Forwarded-For` is believed. Out: an address. The header is read from the
right, so a client cannot forge what its proxy adds.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from firehose.web.answer import Scope

Address = IPv4Address | IPv6Address


def client(scope: Scope, trusted: Sequence[str]) -> str:
    """The client's address as text; "" when it is not known."""
    peer = scope.get("client")
    address = str(peer[0]) if peer else ""
    if not trusted or not believed(address, tuple(trusted)):
        return address
    hops = [
        hop.strip()
        for key, value in scope["headers"]
        if key == b"x-forwarded-for"
        for hop in bytes(value).decode("latin-1").split(",")
    ]
    for hop in reversed(hops):
        if parse(hop) is None:
            break
        address = hop
        if not believed(hop, tuple(trusted)):
            break
    return address


def budget_key(scope: Scope, trusted: Sequence[str]) -> str:
    """What shares a budget: an IPv4 address, an IPv6 /64; "" (no budget) for this machine itself."""
    found = parse(client(scope, trusted))
    if found is None or found.is_loopback:
        return ""
    if isinstance(found, IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped) if mapped else str(ip_network((found, 64), strict=False))
    return str(found)


@lru_cache(maxsize=1_024)
def parse(text: str) -> Address | None:
    """The address that a text is; None for any other text."""
    try:
        return ip_address(text.strip("[]"))
    except ValueError:
        return None


@lru_cache(maxsize=1_024)
def believed(text: str, trusted: tuple[str, ...]) -> bool:
    """Whether an address is one of the trusted proxies (addresses or networks)."""
    found = parse(text)
    if found is None:
        return False
    for proxy in trusted:
        try:
            if found in ip_network(proxy, strict=False):
                return True
        except ValueError:
            continue
    return False


def credential(authorization: str) -> str:
    """The token in an Authorization header; "" where there is none."""
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return text.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(text, validate=True).decode("utf-8", "replace").partition(":")[2]
        except binascii.Error:
            return "unreadable"
    return ""
