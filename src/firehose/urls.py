"""Addresses that an operator wrote, or a receiver answered: whether they can work, and what of them may be shown. Pure.

A path, a query and a login may be secrets (webhooks are known by nothing else), so no sentence here repeats them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

_REST: Final = re.compile(r"[/?#\\].*", re.DOTALL)
_HOST: Final = re.compile(r"[^\s\x00-\x20\x7f/?#@\\]+")


_PLACE: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+)(?::([0-9]{1,5}))?")
_HOSTED: Final = frozenset((
    "http", "https", "mqtt", "mqtts", "ws", "wss", "amqp", "amqps", "nats", "tls", "smtp", "smtps", "irc", "ircs",
))  # fmt: skip
"""Schemes that have a host; what stands there in others (`slack://`) may be a secret."""


def place(url: str) -> str:
    """`scheme://host[:port]` of a URL, or what of it is surely no secret: `scheme://…` where that is no host, of one
    without a scheme what stands before the first slash, "" for a mere path."""
    scheme, mark, rest = url.partition("://")
    host = _REST.sub("", rest if mark else url).rpartition("@")[2]
    if not mark:
        return host
    found = _PLACE.fullmatch(host)
    known = found is not None and int(found[1] or 0) < 65_536 and scheme.lower() in _HOSTED
    return f"{scheme}://{host if known else '…'}"


def problem(url: str, schemes: Sequence[str], *, user: bool = False) -> str:
    """Why a URL cannot be connected to, "" when it can. user: a name may stand
    before the host, but no password."""
    wish = " or ".join(f"{scheme}://" for scheme in schemes)
    if not url.strip():
        return f"it is empty; it begins with {wish}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return f"{place(url)!r} has a host or a port that is none"
    if parts.scheme not in schemes or not host:
        return f"{place(url)!r} is not {wish} with a host"
    if port == 0 or not _HOST.fullmatch(host):
        return f"{place(url)!r} has a host or a port that is none"
    if parts.password or (parts.username and not user):
        return "it has a login in it, which is not used and would be shown; set secret_file or secret_env"
    return ""
