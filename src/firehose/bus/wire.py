"""A thin NATS connection for the hot path: many messages as one write, one acknowledgement, raw deliveries.

In: bytes to publish, subjects to subscribe. Out: replies, and per network read one list of deliveries. It dials when it
is asked for something and is not connected; what waits on a connection that breaks fails at once with `TryLater`, the
caller comes again. It refuses to know streams (`nats.py`, `ordered.py`) and everything else of the protocol: the
client library does that, on a connection of its own. Why not the library here: `docs/decisions/0020-own-wire.md`.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import ssl
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, cast
from urllib.parse import urlsplit

import msgspec
import structlog

from firehose.errors import TryLater

log = structlog.get_logger("bus")
DIAL_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 10.0


class Login(msgspec.Struct, frozen=True):
    """Where and as whom: `nats://host:port` or `tls://host:port`, user and password ("" for none), a name for logs."""

    urls: tuple[str, ...]
    user: str = ""
    password: str = ""
    name: str = "hub"


class Delivery(NamedTuple):
    """A message as it came. `headers` is the raw block (`NATS/1.0…`), b"" without one."""

    subject: bytes
    reply: bytes
    headers: bytes
    payload: bytes

    @property
    def status(self) -> bytes:
        """The status code of a control message, such as b"100" or b"503"; b"" for a plain one."""
        return self.headers[9:12] if self.headers[8:9] == b" " else b""


Taker = Callable[[list[Delivery] | None], None]
"""Gets what one network read brought for a subscription; None when the connection is gone."""


def frame(subject: str, headers: str, payload: bytes, reply: str = "") -> bytes:
    """One message to publish. `headers` are lines that end in CR LF."""
    if not headers:
        return b"PUB %b %d\r\n%b\r\n" % (f"{subject} {reply}".rstrip().encode(), len(payload), payload)
    block = f"NATS/1.0\r\n{headers}\r\n".encode()
    where = f"{subject} {reply}" if reply else subject
    return b"HPUB %b %d %d\r\n%b%b\r\n" % (where.encode(), len(block), len(block) + len(payload), block, payload)


class Wire:
    """One connection. `ask` and `subscribe` dial when needed."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._line: _Line | None = None
        self._dialling = asyncio.Lock()
        self._turn = itertools.cycle(login.urls)
        self._inbox = f"_INBOX.{os.urandom(9).hex()}"
        self._numbers = itertools.count(1)

    async def ask(self, frames: Callable[[str], bytes]) -> Delivery:
        """Publish what `frames(reply subject)` gives and wait for the answer. `TryLater` when there is none."""
        (answer,) = await self.ask_all([frames])
        return answer

    async def ask_all(self, questions: Sequence[Callable[[str], bytes]]) -> list[Delivery]:
        """Several questions in one write; the answers in their order."""
        line = await self._open()
        waiting = []
        out = []
        for question in questions:
            number = next(self._numbers)
            waiting.append(line.expect(number))
            out.append(question(f"{self._inbox}.{number}"))
        line.write(b"".join(out))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answers = [await answer for answer in waiting]
        except TimeoutError:
            # The connection may be half open: the next question dials again.
            line.cut("no answer")
            raise TryLater(f"the stream did not answer within {ANSWER_SECONDS:.0f} s", after=2) from None
        finally:
            for answer in waiting:
                answer.cancel()
        if any(answer.status == b"503" for answer in answers):
            raise TryLater("the stream is not there", after=2)
        return answers

    async def pass_on(self, frames: bytes) -> None:
        """Publish frames that nobody acknowledges, and wait until the server has read them. `TryLater` when not. One
        caller at a time."""
        line = await self._open()
        line.pong = asyncio.get_running_loop().create_future()
        line.write(frames + b"PING\r\n")
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await line.pong
        except TimeoutError:
            line.cut("no answer")
            raise TryLater(f"the engine did not answer within {ANSWER_SECONDS:.0f} s", after=2) from None

    async def subscribe(self, taker: Taker) -> Subscription:
        """Listen on a new subject of our own."""
        line = await self._open()
        number = next(self._numbers)
        subject = f"{self._inbox}-{number}"
        line.takers[b"%d" % (number + 1)] = taker
        line.write(f"SUB {subject} {number + 1}\r\n".encode())
        return Subscription(subject, number + 1, line)

    async def close(self) -> None:
        """Hang up. What waits fails."""
        if self._line is not None:
            self._line.cut("closed")
            self._line = None

    async def _open(self) -> _Line:
        line = self._line
        if line is not None and not line.gone:
            return line
        async with self._dialling:
            if self._line is None or self._line.gone:
                self._line = await self._dial()
            return self._line

    async def _dial(self) -> _Line:
        causes = []
        for url in itertools.islice(self._turn, len(self._login.urls)):
            try:
                async with asyncio.timeout(DIAL_SECONDS):
                    return await _dial(url, self._login, self._inbox)
            except (OSError, TimeoutError, TryLater) as error:
                causes.append(f"{url}: {error.detail if isinstance(error, TryLater) else error or 'no answer'}")
        raise TryLater(f"the engine cannot be reached ({'; '.join(causes)})", after=2)


class Subscription(NamedTuple):
    """A subject of ours and how to leave it. `publish` answers on the same connection, if it still stands."""

    subject: str
    number: int
    line: _Line

    def publish(self, subject: bytes) -> None:
        """An empty message, such as the answer to flow control."""
        if not self.line.gone:
            self.line.write(b"PUB %b 0\r\n\r\n" % subject)

    def end(self) -> None:
        """Listen no longer."""
        if self.line.takers.pop(b"%d" % self.number, None) is not None and not self.line.gone:
            self.line.write(b"UNSUB %d\r\n" % self.number)


async def _dial(url: str, login: Login, inbox: str) -> _Line:
    parts = urlsplit(url if "://" in url else f"nats://{url}")
    loop = asyncio.get_running_loop()
    transport, line = await loop.create_connection(_Line, parts.hostname or "localhost", parts.port or 4222)
    try:
        info = await line.info
        if parts.scheme == "tls" or info.tls_required:
            secure = await loop.start_tls(
                transport, line, ssl.create_default_context(), server_hostname=parts.hostname
            )  # fmt: skip
            if secure is None:
                raise TryLater("the engine broke off the TLS handshake")
            line.connection_made(secure)
        line.write(
            b"CONNECT %b\r\nSUB %b.* 1\r\nPING\r\n"
            % (
                msgspec.json.encode(
                    {"verbose": False, "pedantic": False, "lang": "python", "version": "1", "protocol": 1,
                     "headers": True, "no_responders": True, "name": f"firehose {login.name}"}
                    | ({"user": login.user, "pass": login.password} if login.user else {})
                ),
                inbox.encode(),
            )
        )  # fmt: skip
        await line.pong
    except BaseException:
        line.cut("not admitted")
        raise
    return line


class _Info(msgspec.Struct):
    tls_required: bool = False


class _Line(asyncio.Protocol):
    """The protocol of one connection: parses what comes, hands it out once per read."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.info: asyncio.Future[_Info] = loop.create_future()
        self.pong: asyncio.Future[None] = loop.create_future()
        self.gone = False
        self.takers: dict[bytes, Taker] = {b"1": self._answer}
        self._answers: dict[bytes, asyncio.Future[Delivery]] = {}
        self._transport: asyncio.Transport | None = None
        self._chunks: list[bytes] = []
        self._have = self._need = 0

    def expect(self, number: int) -> asyncio.Future[Delivery]:
        """The answer that will come to our inbox under a number."""
        token = b"%d" % number
        answer: asyncio.Future[Delivery] = asyncio.get_running_loop().create_future()
        self._answers[token] = answer
        answer.add_done_callback(lambda _: self._answers.pop(token, None))
        return answer

    def write(self, data: bytes) -> None:
        """Send; `TryLater` when the connection is gone."""
        if self.gone or self._transport is None:
            raise TryLater("the engine's connection is gone", after=1)
        self._transport.write(data)

    def cut(self, why: str) -> None:
        """Break the connection."""
        if self._transport is not None:
            self._transport.abort()
        self._end(why)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._end(str(exc or "the engine hung up"))

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._chunks.append(data)
        self._have += len(data)
        if self._have < self._need:
            return
        buffer = data if len(self._chunks) == 1 else b"".join(self._chunks)
        found: dict[bytes, list[Delivery]] = {}
        used = self._parse(buffer, found)
        rest = buffer[used:]
        self._chunks, self._have = ([rest] if rest else []), len(rest)
        for number, deliveries in found.items():
            taker = self.takers.get(number)
            if taker is not None:
                taker(deliveries)

    def _parse(self, buffer: bytes, found: dict[bytes, list[Delivery]]) -> int:
        """Everything complete in the buffer; how many bytes that was."""
        at = self._need = 0
        while (end := buffer.find(b"\r\n", at)) >= 0:
            words = buffer[at:end].split(b" ")
            start = end + 2
            verb = words[0]
            if verb == b"HMSG" or verb == b"MSG":
                size = int(words[-1])
                stop = start + size
                if len(buffer) < stop + 2:
                    self._need = stop + 2 - at
                    break
                split = start + int(words[-2]) if verb == b"HMSG" else start
                reply = words[3] if len(words) == (6 if verb == b"HMSG" else 5) else b""
                delivery = Delivery(words[1], reply, buffer[start:split], buffer[split:stop])
                found.setdefault(words[2], []).append(delivery)
                start = stop + 2
            else:
                self._control(verb, buffer[at:end])
            at = start
        return at

    def _control(self, verb: bytes, text: bytes) -> None:
        if verb == b"PING":
            if not self.gone and self._transport is not None:
                self._transport.write(b"PONG\r\n")
        elif verb == b"PONG":
            if not self.pong.done():
                self.pong.set_result(None)
        elif verb == b"INFO":
            if not self.info.done():
                self.info.set_result(msgspec.json.decode(text[5:], type=_Info))
        elif verb == b"-ERR":
            problem = text[5:].strip(b"'").decode("utf-8", "replace")
            log.warning("the engine complains", error=problem)
            if not self.pong.done():
                self._end(problem)

    def _answer(self, deliveries: Iterable[Delivery] | None) -> None:
        for delivery in deliveries or ():
            answer = self._answers.get(delivery.subject.rpartition(b".")[2])
            if answer is not None and not answer.done():
                answer.set_result(delivery)

    def _end(self, why: str) -> None:
        if self.gone:
            return
        self.gone = True
        error = TryLater(f"the engine's connection broke: {why}", after=1)
        waiters: list[asyncio.Future[Any]] = [self.info, self.pong, *self._answers.values()]
        for waiting in waiters:
            if not waiting.done():
                waiting.set_exception(error)
                waiting.exception()  # whoever waits hears it; if nobody does, that is fine
        takers, self.takers = list(self.takers.values()), {}
        for taker in takers:
            taker(None)
