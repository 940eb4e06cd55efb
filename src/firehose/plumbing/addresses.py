"""Which addresses outgoing requests may reach: pure, so that every rule can be tried without a network.

In: addresses that a name resolved to, and what the operator allowed. Out: why one is refused, or "". Refused is
everything that is not plainly public: loopback, private, link-local and its metadata services, shared (CGNAT),
multicast, documentation, benchmarking, reserved, and every form that smuggles an IPv4 address into an IPv6 one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_REASONS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("loopback", ("127.0.0.0/8", "::1/128")),
    ("this host", ("0.0.0.0/8", "::/128")),
    ("private", ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10")),
    ("link-local or a metadata service", ("169.254.0.0/16", "fe80::/10", "168.63.129.16/32")),
    ("shared by a carrier (CGNAT)", ("100.64.0.0/10",)),
    ("multicast", ("224.0.0.0/4", "ff00::/8")),
    ("for documentation", ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")),
    ("for benchmarks", ("198.18.0.0/15", "2001:2::/48")),
    (
        "an IPv4 address in IPv6 form",
        ("::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96"),
    ),
    ("for special use", ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "5f00::/16", "100::/64")),
    ("reserved", ("240.0.0.0/4",)),
)
_NAME: Final = re.compile(r"[\w-]+(\.[\w-]+)*\.?")
_NUMBERS: Final = re.compile(r"[0-9.]+")
_REFUSED: Final = tuple((reason, tuple(ip_network(net) for net in nets)) for reason, nets in _REASONS)
_GLOBAL_6: Final = ip_network("2000::/3")


def parse(text: str) -> Address | None:
    """An address, also in brackets; None for a name or an address with a zone."""
    try:
        return ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def networks(allowed: Sequence[str]) -> tuple[Network, ...]:
    """Those of the operator's words that are addresses or networks; the others are host names."""
    found: list[Network] = []
    for word in allowed:
        try:
            found.append(ip_network(word, strict=False))
        except ValueError:
            continue
    return tuple(found)


def problem(allowed: Sequence[str]) -> str:
    """Why one of the operator's words will never allow anything, "" when all can."""
    for word in allowed:
        if not networks([word]) and (not _NAME.fullmatch(word) or _NUMBERS.fullmatch(word)):
            return f"{word!r} is no network, no address and no host's name"
    return ""


def refusal(address: Address, allowed: Sequence[Network] = ()) -> str:
    """Why a request must not go to this address, "" when it may."""
    if any(address in network for network in allowed if network.version == address.version):
        return ""
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return "link-local or a metadata service"
    for reason, nets in _REFUSED:
        if any(address in net for net in nets if net.version == address.version):
            return reason
    if address.version == 6 and address not in _GLOBAL_6:
        return "not a public IPv6 address"
    return ""
