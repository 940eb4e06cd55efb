"""TLS in front of the engine's plain MQTT listener: one port decrypts, the other stays for the local network.

nats-server has one MQTT listener, plain or TLS, not both. This loop ends TLS and copies bytes both ways; it reads
nothing of them. With many readers put a proxy in front instead (`deploy/haproxy.cfg`).
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

from firehose.errors import Broken

CHUNK = 65_536


def context(cert: str, key: str) -> ssl.SSLContext:
    """A server's TLS context; `Broken` names the setting whose file cannot be used."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        made.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise Broken(f"mqtt.tls_cert, mqtt.tls_key: cannot use {cert} with {key}: {error}", code=2) from None
    return made


async def serve(listen: str, target: str, tls: ssl.SSLContext) -> None:
    """Accept TLS on `listen` and connect each to the plain listener `target`. Never returns."""
    host, _, port = listen.rpartition(":")
    inner_host, _, inner_port = target.rpartition(":")

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection(inner_host, int(inner_port))
        except OSError:
            writer.close()
            return
        copies = [copy(reader, inner_writer), copy(inner_reader, writer)]
        await asyncio.gather(*copies, return_exceptions=True)

    server = await asyncio.start_server(accepted, host.strip("[]"), int(port), ssl=tls)
    async with server:
        await server.serve_forever()


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bytes from one to the other until the end, with the receiver's back-pressure."""
    try:
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
    except (OSError, ssl.SSLError):
        pass
    finally:
        with suppress(OSError, RuntimeError):
            writer.close()
