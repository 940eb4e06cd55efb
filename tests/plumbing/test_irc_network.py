"""IRC as real networks want it: TLS, a SASL login at services, and limits that throw out who floods."""

from __future__ import annotations

import asyncio

import pytest
from tests.plumbing.test_irc import connected, local, seen
from tests.servers.inspircd import PASSWORD, InspIrcd
from tests.servers.ngircd import Irc

from firehose.errors import TryLater
from firehose.plumbing.irc import Server


def secure(network: InspIrcd, password: str = PASSWORD, ca_file: str = "") -> Server:
    return Server(
        host="localhost", port=network.tls, ca_file=ca_file or str(network.authority), account="hub", password=password,
        pace=0.3,
    )  # fmt: skip


async def test_over_tls_we_are_logged_in_before_anybody_sees_us(inspircd: InspIrcd) -> None:
    ada = Irc(inspircd.plain, "ada")
    ada.hear(" 001 ")
    ada.send("JOIN #dev")
    async with connected(secure(inspircd)) as (network, _):
        await network.say("#dev", ["hello"])
        await asyncio.to_thread(ada.hear, "PRIVMSG #dev :hello")
        ada.send("WHOIS firehose")
        text = await asyncio.to_thread(ada.hear, " 318 ")
    assert " 330 ada firehose hub :is logged in as" in text
    ada.socket.close()


async def test_a_wrong_password_is_told_and_nothing_is_said(inspircd: InspIrcd) -> None:
    async with connected(secure(inspircd, "wrong")) as (network, up):
        await seen(lambda: "SASL login of 'hub' failed" in network.trouble)
        assert not up.is_set()


async def test_a_server_that_nobody_vouches_for_hears_no_password(inspircd: InspIrcd) -> None:
    server = Server(host="localhost", port=inspircd.tls, account="hub", password=PASSWORD)
    async with connected(server) as (network, up):
        await seen(lambda: "certificate verify failed" in network.trouble)
        assert not up.is_set()


async def test_at_our_pace_nobody_is_thrown_out_and_without_it_one_is_and_comes_back(inspircd: InspIrcd) -> None:
    ada = Irc(inspircd.plain, "ada")
    ada.hear(" 001 ")
    ada.send("JOIN #dev")
    async with connected(secure(inspircd)) as (network, _):
        assert await network.say("#dev", [f"line {number}" for number in range(30)]) == "30 lines"
        text = await asyncio.to_thread(ada.hear, ":line 29")
    assert text.count("PRIVMSG #dev :line ") == 30
    assert "Excess Flood" not in text
    async with connected(local(inspircd.plain, nick="hasty")) as (network, up):
        await up.wait()
        up.clear()
        with pytest.raises(TryLater):
            await network.say("#dev", [f"flood {number}" for number in range(200)])
        await asyncio.to_thread(ada.hear, "hasty", "Excess Flood")
        async with asyncio.timeout(60):
            await up.wait()
        await network.say("#dev", ["once more"])
        await asyncio.to_thread(ada.hear, "PRIVMSG #dev :once more")
        assert up.is_set()
    ada.socket.close()


async def test_a_server_that_goes_away_is_joined_again(inspircd: InspIrcd) -> None:
    async with connected(secure(inspircd)) as (network, up):
        await network.say("#dev", ["before"])
        await asyncio.to_thread(inspircd.stop)
        await seen(lambda: not network._ready.is_set())
        with pytest.raises(TryLater, match="no connection"):
            await network.say("#dev", ["lost?"])
        up.clear()
        await asyncio.to_thread(inspircd.start)
        async with asyncio.timeout(60):
            await up.wait()
        ada = Irc(inspircd.plain, "ada")
        ada.hear(" 001 ")
        ada.send("JOIN #dev")
        await asyncio.to_thread(ada.hear, " 366 ")
        assert await network.say("#dev", ["after"]) == "1 line"
        await asyncio.to_thread(ada.hear, "PRIVMSG #dev :after")
        ada.socket.close()
