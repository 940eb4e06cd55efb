"""`POST /in/<source>` of a source with a door of its own: the request is passed on to that door, and its answer back.

In: a request with a token. Out: what the door answered. Nothing is parsed, and nothing is kept: the body goes on piece
by piece, as fast as the door takes it. The door sees the hub as its peer and would let a peer by its network in, so a
request without a token never gets that far. Large senders go to the door itself; its address is in the settings.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Final, NamedTuple

from firehose.errors import Refused, TryLater
from firehose.web import peers
from firehose.web.answer import Raw, Receive, Scope, header
from firehose.web.incoming import Gone

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 60.0
PIECE_SECONDS: Final = 60.0
MOST_ANSWER: Final = 64 * 1024
"""A door answers with counts or a problem, never with more than this."""
AWAY: Final = "the room that takes this source's deliveries"
_PASSED: Final = (b"authorization", b"content-type", b"content-encoding", b"user-agent")
_ANSWERED: Final = (b"content-type", b"retry-after")


class Answered(NamedTuple):
    """What the door said."""

    status: int
    body: bytes
    headers: Raw


async def pass_on(door: str, scope: Scope, receive: Receive) -> Answered:
    """One request to the door at `host:port`. `Refused` (401) without a token; `TryLater` when the door is away."""
    if not peers.credential(header(scope, b"authorization")):
        raise Refused(
            "a token is needed here: Authorization: Bearer …, or the token as the password of Basic; senders that are "
            "known by their network go to this source's own address",
            slug="no-signature", status=401,
        )  # fmt: skip
    try:
        line = await _connect(door)
    except (OSError, TimeoutError):
        raise TryLater(f"{AWAY} is away", after=5) from None
    with line:
        try:
            return await _talk(line, scope, receive)
        except (OSError, EOFError, ValueError) as error:
            raise TryLater(f"{AWAY} broke off: {error}", after=5) from None


async def _connect(door: str) -> socket.socket:
    # A plain socket: a stream that fails to write forgets what came in before, and that says why it fails.
    host, _, port = door.rpartition(":")
    line = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    line.setblocking(False)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await asyncio.get_running_loop().sock_connect(line, (host.strip("[]"), int(port)))
    except BaseException:
        line.close()
        raise
    return line


async def _talk(line: socket.socket, scope: Scope, receive: Receive) -> Answered:
    broken: list[Exception] = []
    found: Answered | None = None
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as group:

        async def send_all() -> None:
            try:
                await loop.sock_sendall(line, _head(scope))
                await _send_body(line, receive)
            except (Gone, Refused) as error:
                broken.append(error)
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the door closed its end; why is in its answer
            limit.reschedule(loop.time() + ANSWER_SECONDS)

        sending = group.create_task(send_all())
        try:
            found = await _answer(line)  # a door may refuse before it has read all
        except (OSError, EOFError, ValueError) as error:
            broken.append(error)
        finally:
            sending.cancel()
    if found is None:
        raise broken[0]  # the sender's end, if that came first
    return found


def _head(scope: Scope) -> bytes:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    target = raw.partition(b"?")[0] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    lines = [b"POST " + target + b" HTTP/1.1", b"host: firehose", b"connection: close", b"transfer-encoding: chunked"]
    lines += [name + b": " + value for name, value in scope["headers"] if name in _PASSED]
    return b"\r\n".join((*lines, b"", b""))


async def _send_body(line: socket.socket, receive: Receive) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            async with asyncio.timeout(PIECE_SECONDS):
                message = await receive()
        except TimeoutError:
            raise Refused(f"nothing more came for {PIECE_SECONDS:.0f} seconds", slug="too-slow", status=408) from None
        if message["type"] == "http.disconnect":
            raise Gone
        chunks = b"" if message.get("more_body") else b"0\r\n\r\n"
        if piece := bytes(message.get("body", b"")):
            chunks = b"%x\r\n%b\r\n%b" % (len(piece), piece, chunks)
        await loop.sock_sendall(line, chunks)
        if not message.get("more_body"):
            return


async def _answer(line: socket.socket) -> Answered:
    found = bytearray()
    while (end := found.find(b"\r\n\r\n")) < 0:
        await _more(line, found)
    first, *lines = bytes(found[:end]).split(b"\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (part.partition(b":") for part in lines)}
    size = int(headers.get(b"content-length", b"0"))
    while len(found) < end + 4 + size:
        await _more(line, found)
    body = bytes(found[end + 4 : end + 4 + size])
    kept: Raw = [(name, headers[name]) for name in _ANSWERED if name in headers]
    return Answered(int(first.split(b" ")[1]), body, kept)


async def _more(line: socket.socket, found: bytearray) -> None:
    if len(found) > MOST_ANSWER:
        raise ValueError(f"an answer of more than {MOST_ANSWER} bytes")
    piece = await asyncio.get_running_loop().sock_recv(line, MOST_ANSWER)
    if not piece:
        raise EOFError("no answer")
    found += piece
