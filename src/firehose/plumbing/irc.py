"""A connection to an IRC network: held, come back by itself, never faster than the network allows.

In: a server, who we are there. Out: lines said in channels; `say` returns when the server has taken them (it answered
a PING sent after them). It refuses to know what is said. Errors: `TryLater` when the network is away or does not
let us speak now, `Broken` when ca_file cannot be read.

Our own, because the asyncio half of the `irc` library knows neither SASL nor when a line was taken.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import msgspec
import structlog

from firehose.errors import Broken, TryLater
from firehose.plumbing import tls
from firehose.plumbing.backoff import delays

log = structlog.get_logger("irc")
LONGEST: Final = 400
"""Bytes of text in one line: 512 with the prefix that the server puts before it for others."""
CONNECT_SECONDS: Final = 20.0
ANSWER_SECONDS: Final = 30.0
QUIET_SECONDS: Final = 90.0
BURST: Final = 4
MOST_NICKS: Final = 6
"""So many names are tried before the connection is given up."""
SHORT_NICK: Final = 9
"""Letters of a name that every server takes (RFC 2812)."""
_LOGIN_FAILED: Final = frozenset(("902", "904", "905", "906", "908"))
_NICK_TAKEN: Final = frozenset(("432", "433", "436", "437"))
_NOT_JOINED: Final = {
    "403": "there is no such channel", "405": "we are in too many channels", "471": "the channel is full",
    "473": "the channel is by invitation", "474": "we are banned from the channel", "475": "the channel has a key",
    "476": "this is no name for a channel", "477": "only registered people may join", "489": "only TLS may join",
}  # fmt: skip
_NOT_SAID: Final = {"401": "nobody has this name", "404": "the channel does not let us speak"}


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """Where, and who we are. account, password: the SASL PLAIN login ("" none). ca_file: instead of the system's
    authorities. pace: seconds between lines after a burst of four. most: channels to be in at a time; the one that was
    silent longest is left for a new one."""

    host: str
    port: int = 6697
    tls: bool = True
    ca_file: str = ""
    nick: str = "firehose"
    account: str = ""
    password: str = ""
    pace: float = 0.5
    most: int = 120


class Said(msgspec.Struct, frozen=True):
    """One line from the server: who, the command or number, its parameters."""

    prefix: str
    command: str
    words: tuple[str, ...]


def parse(line: str) -> Said:
    """A line of RFC 1459, with message tags left out."""
    if line.startswith("@"):
        line = line.partition(" ")[2].lstrip()
    prefix = ""
    if line.startswith(":"):
        prefix, _, line = line[1:].partition(" ")
    head, colon, last = line.partition(" :")
    words = head.split()
    return Said(prefix, words[0].upper() if words else "", (*words[1:], *([last] if colon else [])))


def split(text: str, longest: int = LONGEST) -> list[str]:
    """Text as lines of at most `longest` bytes, broken between words where there are any, never inside a letter."""
    lines: list[str] = []
    rest = text.strip()
    while len(rest.encode()) > longest:
        head = rest.encode()[:longest].decode(errors="ignore")
        cut = head.rfind(" ")
        head = head[:cut] if cut > longest // 2 else head
        lines.append(head.rstrip())
        rest = rest[len(head) :].lstrip()
    return [*lines, rest] if rest else lines


def _tls(server: Server) -> ssl.SSLContext | None:
    return tls.context(server.ca_file) if server.tls else None


class Network:
    """One connection. `run()` holds it; `up` is called whenever it has come up."""

    def __init__(self, server: Server, up: Callable[[], None] = lambda: None) -> None:
        self._server = server
        _tls(server)  # a file that cannot be read is told at once
        self._up = up
        self._writer: asyncio.StreamWriter | None = None
        self._ready = asyncio.Event()
        self._joined: OrderedDict[str, None] = OrderedDict()
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._turn = asyncio.Lock()
        self._spent = 0.0
        self._count = 0
        self.nick = server.nick
        self._refusals = 0
        self._short = False
        self.trouble = ""

    async def run(self) -> None:
        """Connect, and again whenever the connection ends. Never returns."""
        waits = delays(1, 120)
        while True:
            begun = self._ready
            try:
                await self._connected()
            except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError, Broken) as error:
                self.trouble = str(error) or type(error).__name__
            log.info("the connection to IRC ended", server=self._server.host, why=self.trouble)
            if begun.is_set():
                waits = delays(1, 120)
            self._gone()
            await asyncio.sleep(next(waits))

    async def say(self, channel: str, lines: Sequence[str]) -> str:
        """Say lines in a channel, joined first; returns when the server has them."""
        async with self._turn:
            try:
                async with asyncio.timeout(5):
                    await self._ready.wait()
            except TimeoutError:
                raise TryLater(f"no connection to {self._server.host}: {self.trouble or 'connecting'}") from None
            await self._join(channel)
            texts = [part for line in lines for part in split(line)]
            for text in texts:
                await self._paced()
                self._send(f"PRIVMSG {channel} :{text}")
            refused = await self._taken(channel)
            if refused:
                self._joined.pop(channel.lower(), None)
                raise TryLater(refused, after=300)
            return f"{len(texts)} line{'s' if len(texts) != 1 else ''}"

    async def _join(self, channel: str) -> None:
        key = channel.lower()
        if not channel.startswith(("#", "&", "+", "!")):
            return
        if key in self._joined:
            self._joined.move_to_end(key)
            return
        while len(self._joined) >= self._server.most:
            # The one that was silent longest goes; leaving the newest would join and leave without end.
            self._send(f"PART {self._joined.popitem(last=False)[0]}")
        await self._paced()
        refused = await self._asked(f"join {key}", f"JOIN {channel}")
        if refused:
            raise TryLater(f"{channel}: {refused}", after=300)
        self._joined[key] = None

    async def _taken(self, channel: str) -> str:
        """Until the server answered a PING after the lines; why it did not take them, "" when it did."""
        refused: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[f"say {channel.lower()}"] = refused
        self._count += 1
        try:
            await self._asked(f"pong {self._count}", f"PING {self._count}")
        finally:
            self._waiting.pop(f"say {channel.lower()}", None)
        return refused.result() if refused.done() and not refused.cancelled() else ""

    async def _asked(self, key: str, line: str) -> str:
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[key] = answer
        try:
            self._send(line)
            return await asyncio.wait_for(answer, ANSWER_SECONDS)
        except TimeoutError:
            raise TryLater(f"{self._server.host} did not answer {line.split()[0]}") from None
        finally:
            self._waiting.pop(key, None)

    async def _paced(self) -> None:
        """Four lines at once (none after the login), then one in `pace` seconds: networks cut off who is faster."""
        loop = asyncio.get_running_loop()
        # `_spent` is the time at which all lines so far would have been said at the pace: it may run ahead by a burst.
        ahead = self._spent - loop.time()
        if (wait := ahead - BURST * self._server.pace) > 0:
            await asyncio.sleep(wait)
        self._spent = max(self._spent, loop.time()) + self._server.pace

    def _send(self, line: str) -> None:
        if self._writer is None or self._writer.is_closing():
            raise TryLater(f"the connection to {self._server.host} has just ended")
        self._writer.write(line.replace("\r", " ").replace("\n", " ").replace("\0", "").encode() + b"\r\n")

    async def _connected(self) -> None:
        server = self._server
        context = _tls(server)
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(server.host, server.port, ssl=context, limit=65_536)
        self._writer = writer
        self.nick, self._refusals, self._short = server.nick, 0, False
        if server.account:
            self._send("CAP REQ :sasl")
        self._send(f"NICK {self.nick}")
        self._send(f"USER {server.nick} 0 * :Firehose")
        asked = False
        while True:
            try:
                async with asyncio.timeout(QUIET_SECONDS if self._ready.is_set() else ANSWER_SECONDS):
                    line = await reader.readuntil(b"\n")
            except TimeoutError:
                if asked or not self._ready.is_set():
                    raise
                # A connection that broke without a word looks like a quiet one: ask once.
                self._send("PING quiet")
                asked = True
                continue
            asked = False
            self._hear(parse(line.decode(errors="replace").strip("\r\n")))

    def _hear(self, said: Said) -> None:
        first = said.words[0] if said.words else ""
        match said.command:
            case "PING":
                self._send(f"PONG :{first}")
            case "PONG":
                self._tell(f"pong {said.words[-1] if said.words else ''}", "")
            case "CAP":
                self._capable(said)
            case "AUTHENTICATE":
                login = f"{self._server.account}\0{self._server.account}\0{self._server.password}".encode()
                self._send("AUTHENTICATE " + base64.b64encode(login).decode())
            case "903":
                self._send("CAP END")
            case "001":
                # Networks count the login, too: what is waiting to be said must not come on top of it at once.
                self._spent = asyncio.get_running_loop().time() + BURST * self._server.pace
                self.nick = first or self.nick
                self.trouble = ""
                self._ready.set()
                self._up()
            case "366":
                self._tell(f"join {said.words[1].lower() if len(said.words) > 1 else ''}", "")
            case "KICK" if len(said.words) > 1 and said.words[1] == self.nick:
                self._joined.pop(first.lower(), None)
            case "ERROR":
                raise ConnectionError(f"the server said: {first}")
            case _:
                self._refused(said)

    def _capable(self, said: Said) -> None:
        if "ACK" in said.words:
            self._send("AUTHENTICATE PLAIN")
        elif "NAK" in said.words:
            raise ConnectionError("the server does not offer SASL; leave account empty or use another server")

    def _refused(self, said: Said) -> None:
        where = said.words[1].lower() if len(said.words) > 1 else ""
        if said.command in _LOGIN_FAILED:
            raise ConnectionError(f"the SASL login of {self._server.account!r} failed: {said.words[-1]}")
        if said.command in _NICK_TAKEN and not self._ready.is_set():
            self._send(f"NICK {self._other_nick(cut=said.command == '432')}")
        elif said.command in _NOT_JOINED:
            self._tell(f"join {where}", _NOT_JOINED[said.command])
        elif said.command in _NOT_SAID:
            self._tell(f"say {where}", _NOT_SAID[said.command])

    def _other_nick(self, *, cut: bool) -> str:
        """Another name, when ours is taken or none that the server knows: a network may take nine letters only."""
        self._refusals += 1
        if self._refusals > MOST_NICKS:
            raise ValueError(f"the server takes neither {self._server.nick} nor names like it; set another nick")
        self._short = self._short or (cut and len(self.nick) > SHORT_NICK)
        if self._short:
            tail = "" if self._refusals == 1 else str(self._refusals)
            self.nick = self._server.nick[: SHORT_NICK - len(tail)] + tail
        else:
            self.nick += "_"
        return self.nick

    def _tell(self, key: str, answer: str) -> None:
        waiting = self._waiting.get(key)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _gone(self) -> None:
        # What was joined before is not joined after: the old bot believed it was, and spoke into the void.
        self._joined.clear()
        self._ready.clear()
        if self._writer is not None:
            with suppress(OSError, RuntimeError):
                self._writer.close()
            self._writer = None
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(TryLater(f"the connection to {self._server.host} ended"))

    async def close(self) -> None:
        """Say goodbye."""
        with suppress(TryLater, OSError):
            self._send("QUIT :the hub stops")
            if self._writer is not None:
                await self._writer.drain()
        self._gone()
