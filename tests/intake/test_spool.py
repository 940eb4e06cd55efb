"""Deliveries of senders that cannot ask again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firehose.errors import SlowDown, TryLater
from firehose.intake.spool import Spool
from firehose.source import Delivery


def delivery(number: int) -> Delivery:
    return Delivery(source="gerrit", body=b"%d" % number, received=datetime(2026, 1, 1, tzinfo=UTC), channel="ssh")


class Stream:
    def __init__(self) -> None:
        self.away = False
        self.got: list[bytes] = []

    async def accept(self, delivery: Delivery) -> None:
        if self.away:
            raise TryLater
        self.got.append(delivery.body)

    async def reached(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.got) < count:
                await asyncio.sleep(0.01)


async def test_what_came_while_the_stream_was_away_follows_in_order(tmp_path: Path) -> None:
    stream = Stream()
    spool = Spool(tmp_path / "gerrit.spool", stream.accept)
    draining = asyncio.get_running_loop().create_task(spool.run())
    await spool.accept(delivery(0))
    stream.away = True
    for number in range(1, 6):
        await spool.accept(delivery(number))
    assert stream.got == [b"0"]
    stream.away = False
    await spool.accept(delivery(6))
    await stream.reached(7)
    assert stream.got == [b"%d" % number for number in range(7)]
    draining.cancel()


async def test_a_restart_takes_up_what_waited(tmp_path: Path) -> None:
    stream = Stream()
    stream.away = True
    before = Spool(tmp_path / "gerrit.spool", stream.accept)
    await before.accept(delivery(1))
    await before.accept(delivery(2))
    before.close()
    with (tmp_path / "gerrit.spool").open("ab") as file:
        file.write(b'{"source":"gerrit","bo')  # a crash cut the third line: its sender was never answered
    stream.away = False
    after = Spool(tmp_path / "gerrit.spool", stream.accept)
    draining = asyncio.get_running_loop().create_task(after.run())
    await stream.reached(2)
    await after.accept(delivery(3))
    await stream.reached(3)
    assert stream.got == [b"1", b"2", b"3"]
    draining.cancel()


async def test_a_full_spool_slows_the_sender_down(tmp_path: Path) -> None:
    stream = Stream()
    stream.away = True
    spool = Spool(tmp_path / "gerrit.spool", stream.accept, limit=100)
    await spool.accept(delivery(1))
    with pytest.raises(SlowDown, match="full"):
        await spool.accept(delivery(2))
    spool.close()


async def test_a_full_disk_slows_the_sender_down_and_leaves_no_half_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Stream()
    spool = Spool(tmp_path / "gerrit.spool", stream.accept)
    stream.away = True
    await spool.accept(delivery(1))
    whole = (tmp_path / "gerrit.spool").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("firehose.intake.spool.os.fsync", full)
        with pytest.raises(SlowDown, match="No space left"):
            await spool.accept(delivery(2))
    assert (tmp_path / "gerrit.spool").read_bytes() == whole
    stream.away = False
    draining = asyncio.get_running_loop().create_task(spool.run())
    await spool.accept(delivery(2))
    await stream.reached(2)
    assert stream.got == [b"1", b"2"]
    draining.cancel()
