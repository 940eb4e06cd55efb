"""Stopping by a link: only the hub can make one, it stops one recipient of one sink, and looking stops nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from firehose.bus.memory import MemoryBus
from firehose.delivery import unsubscribe
from firehose.errors import Refused
from firehose.plumbing.signing import Signer

ADA = "ada@example.org"


def token(signer: Signer) -> str:
    return unsubscribe.link(signer, "https://hub.example.org", "team", ADA).rpartition("/")[2]


def test_only_a_link_of_this_hub_is_read(tmp_path: Path) -> None:
    signer, other = Signer(tmp_path / "key"), Signer(tmp_path / "other")
    good = token(signer)
    assert unsubscribe.read(signer, good) == ("team", ADA)
    for forged in (good[:-2], "x" + good, good.partition(".")[0] + ".", "", "ä.ö", token(other)):
        with pytest.raises(Refused):
            unsubscribe.read(signer, forged)


async def test_it_stops_one_recipient_of_one_sink_until_it_is_resumed(tmp_path: Path) -> None:
    bus, signer = MemoryBus(), Signer(tmp_path / "key")
    await unsubscribe.stop(bus, *unsubscribe.read(signer, token(signer)))
    assert await unsubscribe.stopped(bus, "team", "Ada@Example.org")
    assert not await unsubscribe.stopped(bus, "team", "bob@example.org")
    assert not await unsubscribe.stopped(bus, "other", ADA)
    await unsubscribe.resume(bus, "team", ADA)
    assert not await unsubscribe.stopped(bus, "team", ADA)
