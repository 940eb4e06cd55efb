"""The only door to the outside over HTTP: every address is checked and then connected to as checked.

In: a method, a URL, headers, a body. Out: an `Answer` (status, headers, body), whatever the status. A host's records
are resolved once, all of them must be allowed (`addresses.py`), and the connection goes to the checked address with
the host's name in `Host` and SNI, so that a name cannot point elsewhere between check and connect. Redirects are
answers, never followed; answers are bounded in size and time; no proxy from the environment. It refuses to know why
somebody asks. Errors: `GiveUp` for what will never be allowed, `TryLater` for what the network or time refused.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Final

import aiohttp
import msgspec
from yarl import URL

from firehose import urls
from firehose.errors import GiveUp, TryLater
from firehose.plumbing import addresses

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

ANSWER_LIMIT: Final = 16 * 2**20
HOSTS: Final = 64
BUFFER: Final = 2**20
"""Bytes of an answer that wait for who reads it: what another hub sends while one batch is stored makes the next."""
_AGENT: Final = "firehose"
_Asked = AbstractAsyncContextManager[aiohttp.ClientResponse]


class Answer(msgspec.Struct, frozen=True):
    """What the server said; header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Flow:
    """An answer whose body comes as long as the server likes. status, headers: as in `Answer`."""

    def __init__(self, response: aiohttp.ClientResponse, host: str, limits: Limits) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        self._response = response
        self._host = host
        self._limits = limits

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes; `TryLater` when the connection breaks, or nothing came for `Limits.read` seconds."""
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except TimeoutError:
            raise TryLater(f"{self._host} said nothing for {self._limits.read:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise TryLater(f"{self._host}: {_said(error)}") from None

    async def body(self) -> bytes:
        """The whole body, for an answer that is none of those."""
        found = bytearray()
        async for chunk in self.chunks():
            found += chunk
            if len(found) > self._limits.answer:
                raise GiveUp(f"{self._host} answered with more than {self._limits.answer} bytes")
        return bytes(found)


class Limits(msgspec.Struct, frozen=True):
    """connect, read, total: seconds. answer: most bytes of a body."""

    connect: float = 5.0
    read: float = 20.0
    total: float = 60.0
    answer: int = ANSWER_LIMIT


async def resolve(host: str, port: int) -> Sequence[str]:
    """All A and AAAA records of a name, by the system's resolver; `TryLater` when there are none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise TryLater(f"cannot resolve {host}: {error}") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Client:
    """Outgoing requests under one policy. `allow` lists host names, addresses and networks that the operator trusts
    although they are not public. Connections are kept per host, never shared between two names on one address."""

    def __init__(
        self,
        allow: Sequence[str] = (),
        *,
        limits: Limits | None = None,
        resolver: Resolve = resolve,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._hosts = frozenset(word.lower().rstrip(".") for word in allow)
        self._networks = addresses.networks(allow)
        self._limits = limits or Limits()
        self._resolve = resolver
        self._context = context
        self._sessions: OrderedDict[str, aiohttp.ClientSession] = OrderedDict()

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """GET."""
        return await self.request("GET", url, headers)

    async def request(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """Make one request. Addresses of a host are tried in turn only while nothing was sent yet."""
        target = _parse(url)
        host = target.raw_host or ""
        try:
            async with asyncio.timeout(self._limits.total):
                places = await self.checked(host, target.port or 0)
                return await self._first(places, target, (method, dict(headers or {}), body))
        except TimeoutError:
            raise TryLater(f"{host} did not answer within {self._limits.total:g} s") from None

    @asynccontextmanager
    async def open(self, url: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[Flow]:
        """GET, for an answer that is read while it comes. `Limits.total` holds until it begins."""
        target = _parse(url)
        host = target.raw_host or ""
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._limits.total):
                    places = await self.checked(host, target.port or 0)
                    asked = ("GET", dict(headers or {}), None)
                    response = await self._begin(places, target, asked, stack)
            except TimeoutError:
                raise TryLater(f"{host} did not answer within {self._limits.total:g} s") from None
            yield Flow(response, host, self._limits)

    async def _begin(
        self,
        places: Sequence[str],
        target: URL,
        what: tuple[str, dict[str, str], bytes | None],
        stack: AsyncExitStack,
    ) -> aiohttp.ClientResponse:
        failure = ""
        for place in places:
            try:
                return await stack.enter_async_context(await self._asked(place, target, what))
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
                failure = _said(error)
            except (aiohttp.ClientError, OSError) as error:
                raise TryLater(f"{target.raw_host}: {_said(error)}") from None
        raise TryLater(f"cannot connect to {target.raw_host}: {failure}")

    async def checked(self, host: str, port: int) -> list[str]:
        """The addresses of a host that may be connected to; `GiveUp` when even one of them may not."""
        literal = addresses.parse(host)
        found = [str(literal)] if literal is not None else await self._resolve(host, port)
        if not found:
            raise TryLater(f"{host} has no address")
        if host.lower().rstrip(".") in self._hosts:
            return list(found)
        for text in found:
            address = addresses.parse(text)
            reason = addresses.refusal(address, self._networks) if address is not None else "not an address"
            if reason:
                raise GiveUp(
                    f"{host} points to {text}, which is {reason}; no request goes there unless the settings allow it"
                )
        return list(found)

    async def close(self) -> None:
        """Close all connections."""
        while self._sessions:
            _, session = self._sessions.popitem()
            await session.close()

    async def _first(
        self, places: Sequence[str], target: URL, what: tuple[str, dict[str, str], bytes | None]
    ) -> Answer:
        failure = ""
        for place in places:
            try:
                return await self._send(place, target, what)
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
                failure = _said(error)
            except TimeoutError:
                raise TryLater(f"{target.raw_host} did not answer within {self._limits.read:g} s") from None
            except (aiohttp.ClientError, OSError) as error:
                raise TryLater(f"{target.raw_host}: {_said(error)}") from None
        raise TryLater(f"cannot connect to {target.raw_host}: {failure}")

    async def _send(self, place: str, target: URL, what: tuple[str, dict[str, str], bytes | None]) -> Answer:
        async with await self._asked(place, target, what) as response:
            return await self._read(response, target.raw_host or "")

    async def _asked(self, place: str, target: URL, what: tuple[str, dict[str, str], bytes | None]) -> _Asked:
        method, headers, body = what
        session = await self._session(f"{target.scheme}://{target.raw_authority}")
        # Encoded answers could unpack to any size, so none is asked for and none is taken.
        fixed = {"Host": target.raw_authority, "Accept-Encoding": "identity"}
        return session.request(
            method,
            target.with_host(place),
            headers={"User-Agent": _AGENT} | headers | fixed,
            data=body,
            allow_redirects=False,
            server_hostname=target.raw_host if target.scheme == "https" else None,
            skip_auto_headers=("Content-Type",),
        )

    async def _read(self, response: aiohttp.ClientResponse, host: str) -> Answer:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise GiveUp(f"{host} answered in an encoding that was not asked for")
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > self._limits.answer:
                raise GiveUp(f"{host} answered with more than {self._limits.answer} bytes")
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, headers, bytes(body))

    async def _session(self, origin: str) -> aiohttp.ClientSession:
        if origin in self._sessions:
            self._sessions.move_to_end(origin)
            return self._sessions[origin]
        while len(self._sessions) >= HOSTS:
            _, oldest = self._sessions.popitem(last=False)
            await oldest.close()
        if self._context is None:
            self._context = ssl.create_default_context()
        limits = self._limits
        # What is connected to is always an address, so the connector has no name to look up.
        self._sessions[origin] = session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._context, keepalive_timeout=15, happy_eyeballs_delay=None),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=limits.connect, sock_read=limits.read),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=BUFFER,
        )
        return session


def _said(error: Exception) -> str:
    """What went wrong, without the URL that the library may repeat: there may be secrets in it."""
    said = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    return said or type(error).__name__


def _parse(url: str) -> URL:
    try:
        # As it was written, so that a signed address stays what it is; other characters are escaped.
        target = URL(url, encoded=url.isascii() and url.isprintable() and " " not in url)
        port = target.port
    except ValueError:
        raise GiveUp(f"{urls.place(url)!r} is not the beginning of a URL: its host or port is none") from None
    if target.scheme not in ("http", "https") or not target.raw_host or not port:
        raise GiveUp(f"{urls.place(url)!r} is not the beginning of an http or https URL")
    if target.user is not None or target.password is not None:
        raise GiveUp("a URL with a login in it is not used; name the secret in the settings")
    return target
