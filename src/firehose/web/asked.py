"""What a request asks for: its parameters, read once by the rules of `query.params`, and the sequences they mean.

In: the raw query string. Out: pairs, a `params.Request`, a `Window`. The history is asked only where a time must
become a sequence.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from difflib import get_close_matches
from urllib.parse import parse_qsl, unquote

from firehose.errors import Refused
from firehose.query import params
from firehose.query.tree import Between, Node
from firehose.web.hub import Hub

MOST_PAIRS = 400


def pairs(query: bytes | str) -> list[tuple[str, str]]:
    """Name and value of each parameter, in order; `Refused` when there are too many or they are no UTF-8."""
    text = query.decode("latin-1") if isinstance(query, bytes) else query
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_PAIRS, errors="strict")
    except UnicodeDecodeError:
        raise Refused("the parameters are not UTF-8", slug="bad-parameter") from None
    except ValueError:
        raise Refused(f"more than {MOST_PAIRS} parameters are given", slug="bad-parameter") from None


def read(
    given: list[tuple[str, str]], hub: Hub, *, also: Collection[str] = (), descending: bool = True
) -> params.Request:
    """The common parameters of a request."""
    return params.read(given, hub.now(), also=also, descending=descending)


def single(given: list[tuple[str, str]], name: str, default: str = "") -> str:
    """A parameter of an address's own, at most once."""
    found = [value for key, value in given if key == name and value]
    if len(found) > 1:
        raise Refused(f"the parameter {name} is given more than once", slug="bad-parameter", field=name)
    return found[0] if found else default


def choice(given: list[tuple[str, str]], name: str, known: Collection[str], default: str = "") -> str:
    """A parameter that takes one of a few words."""
    value = single(given, name, default)
    if value not in known:
        words = ", ".join(word for word in known if word)
        raise Refused(f"the parameter {name} is {value[:40]!r}, it must be one of: {words}",
                      slug="bad-parameter", field=name)  # fmt: skip
    return value


async def window(request: params.Request, hub: Hub) -> params.Window:
    """Which sequences a request means, as the history stands now."""
    moments = [place.moment for place in (request.since, request.until) if place and place.moment]
    known: dict[datetime, int] = {moment: await hub.reader.at_time(moment) for moment in moments}
    return params.window(request, hub.live.head, known.__getitem__)


def bounds(request: params.Request, head: int) -> list[Node]:
    """The ends of a request's span that are sequences, as part of a query: for those who ask for times besides."""
    nodes: list[Node] = []
    since, until = request.since, request.until
    if since is not None and since.moment is None:
        low = head + 1 if since.latest else since.sequence or 0
        if low > 1:
            nodes.append(Between("sequence", str(low), None))
    if until is not None and until.moment is None and not until.latest:
        nodes.append(Between("sequence", None, str(until.sequence or 0), high_included=False))
    return nodes


def only(given: list[tuple[str, str]], known: Collection[str]) -> None:
    """Refuse every parameter that an address does not know."""
    for name, _ in given:
        if name not in known:
            near = (get_close_matches(name.lower(), known, 1, 0.5) or [""])[0]
            hint = f"; did you mean {near!r}?" if near else f"; known: {', '.join(known) or 'none'}"
            raise Refused(f"there is no parameter {name[:100]!r} here{hint}", slug="unknown-parameter",
                          field=name[:100], extra={"nearest": near})  # fmt: skip


def number(given: list[tuple[str, str]], name: str, default: int, *, least: int = 0, most: int = 2**53) -> int:
    """A parameter that is a whole number, by default from 0 on."""
    text = single(given, name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 17 and least <= int(text) <= most):
        raise Refused(f"the parameter {name} is {text[:40]!r}, it must be a number from {least} to {most}",
                      slug="bad-parameter", field=name)  # fmt: skip
    return int(text)


def tail(path: bytes, prefix: str) -> str:
    """What stands in a path, as it was sent, after a prefix. The framework's own path has not every slash: it makes one
    of those in a row, and drops the last one, which a name may have."""
    return unquote(path.partition(b"?")[0].decode("latin-1")[len(prefix) :])
