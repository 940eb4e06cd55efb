"""Requests leave only to checked addresses, and to exactly those (invariant 10). Real servers, invented names."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from firehose.errors import GiveUp, TryLater
from firehose.plumbing.http import Client, Limits

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Answers every request with the same bytes and keeps what it was sent."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.heads: list[str] = []
        self.connections = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
                writer.write(self.answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def serving(
    answer: bytes = OK, host: str = "127.0.0.1", port: int = 0, context: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    server = Server(answer)
    listener = await asyncio.start_server(server.serve, host, port, ssl=context)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()


class Names:
    """A resolver with a script: each look-up takes the next answer, the last one stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def test_the_request_goes_to_the_checked_address_under_the_given_name() -> None:
    async with serving() as server:
        client = Client(["127.0.0.0/8"], resolver=Names(["127.0.0.1"]))
        answer = await client.get(f"http://hooks.example:{server.port}/path?q=1")
        await client.close()
    assert (answer.status, answer.body) == (200, b"ok")
    assert server.heads[0].startswith("GET /path?q=1 HTTP/1.1")
    assert f"host: hooks.example:{server.port}" in server.heads[0].lower()


async def test_a_name_that_moves_inside_between_two_requests_is_refused() -> None:
    names = Names(["127.0.0.2"], ["127.0.0.1"])
    async with serving(host="127.0.0.2") as outside, serving(host="127.0.0.1", port=outside.port) as inside:
        client = Client(["127.0.0.2/32"], resolver=names)
        await client.get(f"http://rebind.example:{outside.port}/")
        with pytest.raises(GiveUp, match="loopback"):
            await client.get(f"http://rebind.example:{outside.port}/")
        await client.close()
    assert (outside.connections, inside.connections) == (1, 0)


async def test_a_name_is_looked_up_once_a_request_so_there_is_no_second_answer_to_connect_to() -> None:
    names = Names(["127.0.0.2"], ["127.0.0.1"])
    async with serving(host="127.0.0.2") as outside, serving(host="127.0.0.1", port=outside.port) as inside:
        client = Client(["127.0.0.2/32"], resolver=names)
        await client.get(f"http://rebind.example:{outside.port}/")
        await client.close()
    assert names.asked == ["rebind.example"]
    assert (outside.connections, inside.connections) == (1, 0)


async def test_one_inner_record_among_outer_ones_refuses_the_host() -> None:
    client = Client(resolver=Names(["93.184.215.14", "10.0.0.1"]))
    with pytest.raises(GiveUp, match=r"10\.0\.0\.1, which is private"):
        await client.get("http://mixed.example/")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://127.1/",
        "http://localhost/",
    ],
)
async def test_inner_hosts_in_all_spellings_are_refused(url: str) -> None:
    with pytest.raises((GiveUp, TryLater)) as refused:
        await Client().get(url)
    assert "which is" in str(refused.value) or "resolve" in str(refused.value)


async def test_a_host_that_the_operator_names_is_allowed_with_its_inner_address() -> None:
    async with serving() as server:
        client = Client(["review.internal"], resolver=Names(["127.0.0.1"]))
        answer = await client.get(f"http://review.internal:{server.port}/")
        await client.close()
    assert answer.status == 200


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    async with serving(moved) as server:
        client = Client(["127.0.0.1/32"])
        answer = await client.get(f"http://127.0.0.1:{server.port}/")
        await client.close()
    assert (answer.status, answer.headers["location"]) == (302, "http://127.0.0.1:1/")


async def test_an_answer_over_the_limit_is_given_up() -> None:
    big = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000
    async with serving(big) as server:
        client = Client(["127.0.0.1/32"], limits=Limits(answer=50_000))
        with pytest.raises(GiveUp, match="more than 50000 bytes"):
            await client.get(f"http://127.0.0.1:{server.port}/")
        await client.close()


async def test_an_answer_that_would_unpack_is_not_unpacked() -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    async with serving(head + bomb) as server:
        client = Client(["127.0.0.1/32"])
        with pytest.raises(GiveUp, match="encoding"):
            await client.get(f"http://127.0.0.1:{server.port}/")
        await client.close()
    assert "accept-encoding: identity" in server.heads[0].lower()


async def test_a_server_that_never_finishes_is_left_after_the_total_time() -> None:
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx") as server:
        client = Client(["127.0.0.1/32"], limits=Limits(total=0.2))
        with pytest.raises(TryLater, match=r"within 0\.2 s"):
            await client.get(f"http://127.0.0.1:{server.port}/")
        await client.close()


async def test_a_closed_port_is_for_later() -> None:
    async with serving() as server:
        port = server.port
    client = Client(["127.0.0.1/32"])
    with pytest.raises(TryLater, match=r"cannot connect to 127\.0\.0\.1"):
        await client.get(f"http://127.0.0.1:{port}/")
    await client.close()


async def test_the_next_address_is_tried_when_nothing_listens_at_the_first() -> None:
    async with serving(host="127.0.0.1") as server:
        client = Client(["127.0.0.0/8"], resolver=Names(["127.0.0.3", "127.0.0.1"]))
        answer = await client.get(f"http://two.example:{server.port}/")
        await client.close()
    assert answer.status == 200


@pytest.mark.parametrize("url", ["ftp://example.org/", "file:///etc/passwd", "http://", "gopher://x/", "http://a:b@c/"])
async def test_other_urls_are_given_up(url: str) -> None:
    with pytest.raises(GiveUp):
        await Client().get(url)


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for a host name, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ip_address("9.9.9.9"))]), False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_file, key_file


async def test_tls_is_verified_against_the_name_although_the_address_is_connected_to(tmp_path: Path) -> None:
    cert_file, key_file = certificate(tmp_path, "hooks.example")
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(cert_file, key_file)
    asked: list[str | None] = []
    ours.sni_callback = lambda _socket, name, _context: asked.append(name)
    theirs = ssl.create_default_context(cafile=str(cert_file))
    async with serving(context=ours) as server:
        client = Client(["127.0.0.1/32"], resolver=Names(["127.0.0.1"]), context=theirs)
        answer = await client.get(f"https://hooks.example:{server.port}/")
        with pytest.raises(TryLater, match=r"ertificate|mismatch"):
            await client.get(f"https://other.example:{server.port}/")
        await client.close()
    assert answer.status == 200
    assert asked == ["hooks.example", "other.example"]


SECRET = "SECRETTOKEN"


@pytest.mark.parametrize(
    "url",
    [f"hooks.example/{SECRET}?key={SECRET}", f"htp://hooks.example/{SECRET}", f"http://[::1/{SECRET}",
     f"http://hooks.example:99999/{SECRET}", f"https://me:{SECRET}@hooks.example/{SECRET}", f"/{SECRET}", ""],
)  # fmt: skip
async def test_an_address_that_is_none_is_told_without_what_may_be_a_secret(url: str) -> None:
    client = Client()
    with pytest.raises(GiveUp) as error:
        await client.get(url)
    assert SECRET not in error.value.detail
    await client.close()


async def test_an_answer_that_is_no_http_is_told_without_the_address() -> None:
    async with serving(b"SSH-2.0-OpenSSH\r\n\r\n") as server:
        client = Client(["127.0.0.0/8"])
        with pytest.raises(TryLater) as error:
            await client.get(f"http://127.0.0.1:{server.port}/{SECRET}")
        await client.close()
    assert len(server.heads) == 1
    assert SECRET not in error.value.detail
