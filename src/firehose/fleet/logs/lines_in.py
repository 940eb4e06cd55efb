"""Syslog listeners: TCP, and TLS with certificates of senders. Sockets, and nothing of what the lines say.

In: an address, a desk. Out: lines at the desk. Over plain TCP the sender is its address, which must be in an allowed
network; over TLS it is the name in its certificate, where certificates are asked for. The protocol has no answer: a
sender is slowed down where the disk is slow, and what it wrote into a broken connection only it can know.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import structlog

from firehose.errors import Broken, Refused
from firehose.fleet.logs import syslog
from firehose.fleet.logs.desk import Desk

log = structlog.get_logger("logs")
CHUNK: Final = 256 * 1024
IDLE_SECONDS: Final = 3_600.0
MOST: Final = 1_000
"""Connections of one listener at once."""
Allowed = Callable[[str], bool]


class Syslog:
    """A listener for one source. `allowed` judges addresses that show no certificate."""

    def __init__(self, name: str, desk: Desk, allowed: Allowed, tls: ssl.SSLContext | None = None) -> None:
        self._name = name
        self._desk = desk
        self._allowed = allowed
        self._tls = tls
        self._open = 0

    async def serve(self, listen: str) -> asyncio.Server:
        """Listen; `Broken` (4) when the address is taken."""
        host, _, port = listen.rpartition(":")
        try:
            return await asyncio.start_server(self._accepted, host.strip("[]"), int(port), ssl=self._tls, limit=CHUNK)
        except (OSError, ValueError) as error:
            raise Broken(f"sources.{self._name}: cannot listen on {listen} for syslog: {error}", code=4) from None

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        publisher = self._publisher(writer)
        if not publisher or self._open >= MOST:
            log.warning("a syslog connection was refused", source=self._name, peer=_peer(writer),
                        why="too many connections" if publisher else "its network is not in allow")  # fmt: skip
            writer.close()
            return
        self._open += 1
        frames = syslog.Frames()
        try:
            await self._read(reader, publisher, frames)
        except Refused as error:
            log.warning("a syslog connection lost its place", source=self._name, peer=publisher, cause=error.detail)
        except (OSError, ssl.SSLError) as error:
            log.info("a syslog connection broke", source=self._name, peer=publisher, cause=repr(error))
        finally:
            self._open -= 1
            if rest := frames.end():
                line = syslog.read(rest)
                self._desk.give(publisher, [line], broken=1)
            with suppress(OSError, RuntimeError):
                writer.close()

    async def _read(self, reader: asyncio.StreamReader, publisher: str, frames: syslog.Frames) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE_SECONDS):
                    data = await reader.read(CHUNK)
                    if not data:
                        return
                    lines = [syslog.read(frame) for frame in frames.feed(data)]
                    if lines:
                        await self._desk.room()
                        self._desk.give(publisher, lines, sum(not line.whole for line in lines))
                    if frames.problem is not None:
                        raise frames.problem
                    # The loop is everybody's; a flood comes in pieces.
                    await asyncio.sleep(0)
                    continue
            return

    def _publisher(self, writer: asyncio.StreamWriter) -> str:
        """The name in the certificate, else the address where it is allowed; "" refuses."""
        certificate: Any = writer.get_extra_info("peercert")
        if certificate:
            names = dict(pair for group in certificate.get("subject", ()) for pair in group)
            return str(names.get("commonName", "")) or "unnamed certificate"
        address = _peer(writer)
        return address if self._allowed(address) else ""


def _peer(writer: asyncio.StreamWriter) -> str:
    peer = writer.get_extra_info("peername")
    return str(peer[0]) if peer else ""


def tls(name: str, cert: str, key: str, authority: str) -> ssl.SSLContext:
    """A server's context (RFC 5425); with an authority, senders must show a certificate of it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert, key)
        if authority:
            context.load_verify_locations(authority)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise Broken(f"sources.{name}: tls_cert, tls_key, tls_ca: {error}", code=2) from None
    return context
