"""The IRC connection against a real ngircd, and the login against a script: ngircd has no SASL."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.servers.ngircd import Irc

from firehose.errors import TryLater
from firehose.plumbing.irc import LONGEST, Network, Said, Server, parse, split
from firehose.plumbing.tasks import Crew


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[tuple[Network, asyncio.Event]]:
    up = asyncio.Event()
    network, crew = Network(server, up.set), Crew()
    crew.start("irc", network.run())
    try:
        yield network, up
    finally:
        await network.close()
        await crew.stop()


async def seen(look: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not look():
            await asyncio.sleep(0.02)


def local(port: int, **more: object) -> Server:
    return Server(**{"host": "127.0.0.1", "port": port, "tls": False, "pace": 0.0, **more})  # type: ignore[arg-type]


async def test_lines_are_heard_in_order_and_a_long_one_is_split(irc_port: int) -> None:
    ada = Irc(irc_port, "ada")
    ada.hear(" 001 ")
    ada.send("JOIN #dev")
    async with connected(local(irc_port)) as (network, _):
        long = "word " * 200
        assert await network.say("#dev", ["one", "two\r\nQUIT :evil", long]) == "5 lines"
        text = await asyncio.to_thread(ada.hear, "PRIVMSG #dev :one", "PRIVMSG #dev :two  QUIT :evil")
        await seen(lambda: ada.read().count("word") == 200)
    assert text.index(":one") < text.index(":two")
    assert all(len(row.encode()) <= 510 for row in ada.text.split("\r\n"))
    ada.socket.close()


async def test_gerritbot_defect_after_a_break_it_spoke_in_channels_that_it_had_not_joined_again(irc_port: int) -> None:
    ada = Irc(irc_port, "firehose")
    ada.hear(" 001 ")
    ada.send("JOIN #dev")
    async with connected(local(irc_port)) as (network, up):
        await network.say("#dev", ["before"])
        assert network.nick == "firehose_"
        up.clear()
        network._writer.transport.abort()  # type: ignore[union-attr]
        await asyncio.wait_for(up.wait(), 20)
        await network.say("#dev", ["after"])
        await asyncio.to_thread(ada.hear, "PRIVMSG #dev :before", "PRIVMSG #dev :after")
    ada.socket.close()


async def test_gerritbot_defect_of_too_many_channels_the_newest_was_left(irc_port: int) -> None:
    ada = Irc(irc_port, "ada")
    ada.hear(" 001 ")
    for name in ("#a", "#b", "#c"):
        ada.send(f"JOIN {name}")
    async with connected(local(irc_port, most=2)) as (network, _):
        for name in ("#a", "#b", "#a", "#c"):
            await network.say(name, ["x"])
        text = await asyncio.to_thread(ada.hear, "PART #b", "PRIVMSG #c :x")
    assert "PART #a" not in text
    ada.socket.close()


async def test_a_channel_that_does_not_let_us_in_is_tried_later(irc_port: int) -> None:
    ada = Irc(irc_port, "ada")
    ada.hear(" 001 ")
    ada.send("JOIN #closed")
    ada.send("MODE #closed +i")
    ada.hear("+i")
    async with connected(local(irc_port)) as (network, _):
        with pytest.raises(TryLater, match="by invitation"):
            await network.say("#closed", ["x"])
    ada.socket.close()


async def test_nobody_there_is_said_and_tried_later() -> None:
    async with connected(local(1)) as (network, _):
        with pytest.raises(TryLater, match="no connection"):
            await network.say("#dev", ["x"])


@pytest.mark.parametrize(("password", "answer"), [("right", "903"), ("wrong", "904")])
async def test_the_login_is_sasl_plain(password: str, answer: str) -> None:
    heard: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers = {
            "CAP REQ": ":s CAP * ACK :sasl",
            "AUTHENTICATE PLAIN": "AUTHENTICATE +",
            "CAP END": ":s 001 firehose :hi",
        }
        while line := (await reader.readline()).decode().strip():
            heard.append(line)
            words = next((text for start, text in answers.items() if line.startswith(start)), "")
            if not words and line.startswith("AUTHENTICATE "):
                words = f":s {answer} firehose :told"
            writer.write(words.encode() + b"\r\n" if words else b"")
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with connected(local(port, account="hub", password=password)) as (network, up):
        await seen(lambda: up.is_set() or "failed" in network.trouble)
        assert up.is_set() == (password == "right")
    listener.close()
    login = next(line for line in heard if line.startswith("AUTHENTICATE ") and not line.endswith("PLAIN"))
    assert base64.b64decode(login.split()[1]) == f"hub\0hub\0{password}".encode()


@given(st.text(alphabet=st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=3_000))
def test_no_part_is_too_long_and_no_word_is_lost(text: str) -> None:
    parts = split(text)
    assert all(0 < len(part.encode()) <= LONGEST for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_lines_of_the_protocol() -> None:
    assert parse("@time=1 :a!b@c PRIVMSG #x :hello there") == Said("a!b@c", "PRIVMSG", ("#x", "hello there"))
    assert parse("PING :1") == Said("", "PING", ("1",))
    assert parse("") == Said("", "", ())
