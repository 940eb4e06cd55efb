"""`POST /in/<source>` of a source with a door of its own: the request is passed on to that door, and its answer back.

In: a request with a token. Out: what the door answered. Nothing is parsed, and nothing is kept: the body goes on piece
by piece, as fast as the door takes it. The door sees the hub as its peer and would let a peer by its network in, so a
request without a token never gets that far. Large senders go to the door itself; its address is in the settings.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from firehose.errors import Refused, TryLater
from firehose.web import peers
from firehose.web.answer import Gone, Raw, Receive, Scope, Send, header, reply

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 60.0
PIECE_SECONDS: Final = 60.0
MOST_ANSWER: Final = 64 * 1024
"""A door answers with counts or a problem, never with more than this."""
AWAY: Final = "the room that takes this source's deliveries"
_PASSED: Final = (b"authorization", b"content-type", b"content-encoding", b"user-agent")
_ANSWERED: Final = (b"content-type", b"retry-after")


async def pass_on(door: str, scope: Scope, receive: Receive, send: Send) -> None:
    """One request to the door at `host:port`. `Refused` (401) without a token; `TryLater` when the door is away."""
    if not peers.credential(header(scope, b"authorization")):
        raise Refused(
            "a token is needed here: Authorization: Bearer …, or the token as the password of Basic; senders that are "
            "known by their network go to this source's own address",
            slug="no-signature", status=401,
        )  # fmt: skip
    host, _, port = door.rpartition(":")
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(host.strip("[]") or "127.0.0.1", int(port))
    except (OSError, TimeoutError):
        raise TryLater(f"{AWAY} is away", after=5) from None
    try:
        status, headers, body = await _talk(reader, writer, scope, receive)
    except (OSError, EOFError, ValueError) as error:
        raise TryLater(f"{AWAY} broke off: {error}", after=5) from None
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    await reply(send, status, body, headers)


async def _talk(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, scope: Scope, receive: Receive
) -> tuple[int, Raw, bytes]:
    writer.write(_head(scope))
    broken: list[Exception] = []
    found: tuple[int, Raw, bytes] | None = None
    async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as group:

        async def send_all() -> None:
            try:
                await _send_body(writer, receive)
            except (Gone, Refused) as error:
                broken.append(error)
                writer.close()
            except OSError:
                pass  # the door closed its end; why is in its answer
            limit.reschedule(asyncio.get_running_loop().time() + ANSWER_SECONDS)

        sending = group.create_task(send_all())
        try:
            found = await _answer(reader)  # a door may refuse before it has read all
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


async def _send_body(writer: asyncio.StreamWriter, receive: Receive) -> None:
    while True:
        try:
            async with asyncio.timeout(PIECE_SECONDS):
                message = await receive()
        except TimeoutError:
            raise Refused(f"nothing more came for {PIECE_SECONDS:.0f} seconds", slug="too-slow", status=408) from None
        if message["type"] == "http.disconnect":
            raise Gone
        if piece := bytes(message.get("body", b"")):
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        if not message.get("more_body"):
            writer.write(b"0\r\n\r\n")
            await writer.drain()
            return


async def _answer(reader: asyncio.StreamReader) -> tuple[int, Raw, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head[:-4].split(b"\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    size = int(headers.get(b"content-length", b"0"))
    if size > MOST_ANSWER:
        raise ValueError(f"an answer of {size} bytes")
    body = await reader.readexactly(size)
    return int(first.split(b" ")[1]), [(name, headers[name]) for name in _ANSWERED if name in headers], body
