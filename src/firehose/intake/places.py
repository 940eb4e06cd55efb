"""Where connections lead. What cannot be an address is an error of the settings, told when the hub starts: a connection
that tries it for ever would tell nobody.

In: what a source wants held. Out: nothing, or `Broken` with the address. It asks no name server and opens nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from firehose import urls
from firehose.errors import Broken
from firehose.source import Hold, Inventory, JsonLines, Mailbox, Poll, Queue, Request, SourceKind, Znodes

MAIL_PORTS: Final = {"implicit": 993, "starttls": 143, "none": 143}


def check(kind: SourceKind, settings: Any) -> None:
    """Every address of the connection that a source's settings ask for, if they do."""
    if kind.lines and (lines := kind.lines(settings)):
        host = f"[{lines.host}]" if ":" in lines.host else lines.host
        _host_port(f"{host}:{lines.port}")
    elif kind.holds and (hold := kind.holds(settings)):
        _check(hold)


def asked(hold: Hold) -> Sequence[Request]:
    """The requests that a connection begins with."""
    match hold:
        case Poll():
            return list(hold.requests(""))
        case Inventory():
            return list(hold.requests)
        case JsonLines():
            return [hold.request("")]
        case _:
            return []


def _check(hold: Hold) -> None:
    match hold:
        case Mailbox():
            mailbox(hold)
        case Queue():
            _url(hold.url, "amqp", "amqps", user=True)
        case Znodes():
            for each in hold.hosts.partition("/")[0].split(","):
                _host_port(each.strip())
        case _:
            for request in asked(hold):
                _url(request.url, "http", "https")


def mailbox(box: Mailbox) -> tuple[str, int]:
    """Host and port of a mailbox; without a port the usual one of its kind of TLS."""
    host, port = _host_port(box.place)
    return host, port or MAIL_PORTS[box.tls]


def _host_port(text: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or host != host.strip() or " " in host or parts.netloc != text or parts.username is not None:
        raise Broken(f"{text!r} is not host or host:port", code=2)
    return host, port


def _url(text: str, *schemes: str, user: bool = False) -> None:
    if problem := urls.problem(text, schemes, user=user):
        raise Broken(problem, code=2)
