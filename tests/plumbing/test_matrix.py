"""An account at a real Synapse: rooms that let us in or not, sessions that end, messages that are there already."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.servers.inspircd import certificate
from tests.servers.synapse import Person, Synapse

from firehose.errors import GiveUp, TryLater
from firehose.plumbing.matrix import Account, Homeserver


@asynccontextmanager
async def speaking(server: Synapse, bot: Person) -> AsyncIterator[Homeserver]:
    homeserver = Homeserver(Account(url=server.url, user=bot.user, password="s3cret", device="HUB"))
    yield homeserver
    await homeserver.close()


def notice(text: str) -> dict[str, Any]:
    return {"msgtype": "m.notice", "body": text}


@pytest.fixture
def people(synapse: Synapse) -> tuple[Person, Person]:
    return synapse.register("ada"), synapse.register("bot", "s3cret")


def bodies(person: Person, room: str) -> list[str]:
    return [said["body"] for said in person.notices(room)]


async def test_a_message_that_is_there_is_not_said_again_not_even_by_a_new_process(
    synapse: Synapse, people: tuple[Person, Person]
) -> None:
    ada, bot = people
    room, alias = ada.room()
    async with speaking(synapse, bot) as first:
        ids = [await first.say(alias, notice("one"), "t1"), await first.say(alias, notice("one"), "t1")]
    async with speaking(synapse, bot) as second:
        ids.append(await second.say(alias, notice("one"), "t1"))
        await second.say(room, notice("two"), "t2")
    assert len(set(ids)) == 1
    assert bodies(ada, room) == ["one", "two"]


async def test_a_session_that_was_ended_is_begun_again(synapse: Synapse, people: tuple[Person, Person]) -> None:
    ada, bot = people
    room, alias = ada.room()
    async with speaking(synapse, bot) as homeserver:
        await homeserver.say(alias, notice("before"), "t1")
        bot.ask("POST", "/logout/all", {})
        await homeserver.say(alias, notice("after"), "t2")
    assert bodies(ada, room) == ["before", "after"]
    ended = Homeserver(Account(url=synapse.url, token=bot.token, device="HUB"))
    with pytest.raises(TryLater, match="does not know the token any more"):
        await ended.say(alias, notice("never"), "t3")
    await ended.close()


async def test_a_room_that_shuts_us_out_is_told_and_tried_again(
    synapse: Synapse, people: tuple[Person, Person]
) -> None:
    ada, bot = people
    room, _ = ada.room(preset="private_chat")
    async with speaking(synapse, bot) as homeserver:
        with pytest.raises(TryLater, match="does not let us in"):
            await homeserver.say(room, notice("1"), "t1")
        ada.ask("POST", f"/rooms/{room}/invite", {"user_id": bot.user})
        await homeserver.say(room, notice("2"), "t2")
        ada.ask("POST", f"/rooms/{room}/ban", {"user_id": bot.user})
        with pytest.raises(TryLater, match="M_FORBIDDEN"):
            await homeserver.say(room, notice("3"), "t3")
        with pytest.raises(TryLater, match=r"does not let us in: M_BAD_STATE .* banned"):
            await homeserver.say(room, notice("3"), "t3")
        ada.ask("POST", f"/rooms/{room}/unban", {"user_id": bot.user})
        ada.ask("POST", f"/rooms/{room}/invite", {"user_id": bot.user})
        await homeserver.say(room, notice("4"), "t4")
    assert bodies(ada, room) == ["2", "4"]


async def test_what_is_said_in_an_encrypted_room_would_not_be(synapse: Synapse, people: tuple[Person, Person]) -> None:
    ada, bot = people
    secret = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    room, _ = ada.room(initial_state=[secret])
    async with speaking(synapse, bot) as homeserver:
        with pytest.raises(GiveUp, match="is encrypted"):
            await homeserver.say(room, notice("in clear"), "t1")
    assert bodies(ada, room) == []


async def test_only_a_homeserver_that_somebody_vouches_for_gets_the_token(tmp_path: Path) -> None:
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        told = b'{"user_id": "@b:m", "room_id": "!r:m", "event_id": "$1"}'
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(told)}\r\nConnection: close"
        writer.write(head.encode() + b"\r\n\r\n" + told)
        writer.close()

    certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
    doubted = Homeserver(Account(url=url, token="t0ken"))
    with pytest.raises(TryLater, match="certificate"):
        await doubted.say("!r:m", notice("x"), "t1")
    await doubted.close()
    assert heard == []
    trusted = Homeserver(Account(url=url, token="t0ken", ca_file=str(tmp_path / "cert.pem")))
    assert await trusted.say("!r:m", notice("x"), "t1") == "$1"
    await trusted.close()
    server.close()
    assert b"Bearer t0ken" in heard[0]
    assert all(b"access_token" not in request for request in heard)
