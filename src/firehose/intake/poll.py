"""Requests that sources state as data, made: with their secrets, page by page, through the checked door.

In: `Request`s and the settings that hold the secret's place. Out: answers, or what a gap had swallowed (`recover`).
It refuses to know what answers mean: the source's `recovered` and `more` say that. `GiveUp` when asking again is
pointless (not there, not allowed), `TryLater` when it is not.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from firehose.errors import GiveUp, Refused, TryLater
from firehose.intake.instance import word
from firehose.plumbing.http import Answer, Client, Limits
from firehose.source import Gap, Request, SourceKind

MOST_PAGES: Final = 100
Fetch = Callable[[Request], Awaitable[bytes]]


class Recovered(msgspec.Struct, frozen=True):
    """What a recovery brought back. way: the source's word for how, "" when no way worked. lines: deliveries, in
    order. why: what was in the way of each way that did not work. later: asking again may help."""

    way: str = ""
    lines: tuple[bytes, ...] = ()
    why: str = ""
    later: bool = False


def fetcher(settings: Any, urls: Sequence[str] = (), limits: Limits | None = None) -> tuple[Fetch, Client]:
    """Fetches requests of one source. Hosts that the operator named, its own and those of `urls`, are trusted even if
    they are inside."""
    own = (urlsplit(url).hostname for url in (settings.url, *urls))
    client = Client([host for host in own if host], limits=limits)

    async def fetch(request: Request) -> bytes:
        return await ask(client, request, settings)

    return fetch, client


async def ask(client: Client, request: Request, settings: Any) -> bytes:
    """The body of a successful answer."""
    return (await look(client, request, settings, {})).body


async def look(client: Client, request: Request, settings: Any, conditions: Mapping[str, str]) -> Answer:
    """A successful answer, or with `conditions` (headers) one with status 304 or 410."""
    answer = await client.get(request.url, dressed(request, settings, conditions))
    if answer.status == 200 or (conditions and answer.status in (304, 410)):
        return answer
    raise problem(request.url, answer.status, answer.headers)


def dressed(request: Request, settings: Any, more: Mapping[str, str]) -> dict[str, str]:
    """The headers of a request, with its secret."""
    headers = {**request.headers, **more}
    if request.user or any("{secret}" in value for value in headers.values()):
        password = word(settings, request.secret)
        headers = {name: value.replace("{secret}", password) for name, value in headers.items()}
        if request.user:
            login = base64.b64encode(f"{request.user}:{password}".encode()).decode()
            headers["Authorization"] = f"Basic {login}"
    return headers


def problem(url: str, status: int, headers: Mapping[str, str]) -> TryLater | GiveUp:
    """What an answer means that is no success."""
    where = urlsplit(url)
    said = f"{where.hostname}{where.path} answered {status}"
    if status in (301, 302, 303, 307, 308):
        said += f" and points to {headers.get('location', '')[:200]!r}: if that is right, enter it in the settings"
    if status == 429 or status >= 500:
        after = headers.get("retry-after", "")
        return TryLater(said, after=min(float(after), 3_600.0) if after.isdigit() else 30.0)
    return GiveUp(said)


async def recover(kind: SourceKind, gap: Gap, settings: Any, fetch: Fetch) -> Recovered:
    """Ask way after way until one answers completely."""
    if kind.missed is None or kind.recovered is None:
        return Recovered(why="this source knows no way to ask for missed events")
    troubles: list[str] = []
    later = False
    for way, requests in groupby(kind.missed(gap, settings), key=lambda request: request.way):
        try:
            lines = [line for request in requests for line in await _pages(kind, request, settings, fetch)]
            return Recovered(way or "request", tuple(lines), "; ".join(troubles))
        except (TryLater, GiveUp, Refused) as error:
            later = later or isinstance(error, TryLater)
            troubles.append(f"{way}: {error.detail}")
    return Recovered(why="; ".join(troubles) or "the settings name no way to ask for missed events", later=later)


async def _pages(kind: SourceKind, request: Request, settings: Any, fetch: Fetch) -> list[bytes]:
    assert kind.recovered is not None
    found: list[bytes] = []
    for _ in range(MOST_PAGES):
        body = await fetch(request)
        found += kind.recovered(request, body, settings)
        following = kind.more(request, body, settings) if kind.more else None
        if following is None:
            return found
        request = following
    raise GiveUp(f"more than {MOST_PAGES} pages")
