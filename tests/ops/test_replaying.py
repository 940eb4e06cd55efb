"""Events once more, with their pauses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.journeys.reader import listening, until

from firehose.errors import Broken, TryLater
from firehose.ops import replaying
from firehose.ops.replaying import Mqtt, paced, pause
from firehose.testing import Mosquitto

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_pauses_are_as_recorded_divided_by_the_speed() -> None:
    events = [{"recordedtime": (NOON + timedelta(seconds=at)).isoformat()} for at in (0, 10, 10, 40)]
    slept: list[float] = []
    assert list(paced(events, 10, slept.append)) == events
    assert slept == [1.0, 3.0]


def test_a_quiet_night_is_not_waited_through() -> None:
    assert pause(NOON, NOON + timedelta(hours=8), 1) == 60.0
    assert pause(NOON, NOON - timedelta(hours=8), 1) == 0.0
    assert pause(None, NOON, 1) == 0.0


@pytest.mark.parametrize("address", ["http://x/y", "mqtt://host", "mqtt:///prefix", "mqtt://host/events/again"])
def test_a_replay_needs_a_prefix_of_its_own(address: str) -> None:
    with pytest.raises(Broken):
        Mqtt(address, doubt=pytest.fail)


def test_a_broker_that_is_not_there_is_for_later() -> None:
    with pytest.raises(TryLater, match="cannot connect"):
        Mqtt("mqtt://127.0.0.1:1/replay", doubt=pytest.fail)


def test_a_broker_that_refuses_the_login_says_so_at_once(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path, "allow_anonymous false\n")
    broker.start()
    try:
        with pytest.raises(Broken, match=r"does not let us in: Not authorized; see --user"):
            Mqtt(f"mqtt://127.0.0.1:{broker.port}/replay", "me", "wrong", doubt=pytest.fail)
    finally:
        broker.stop()


def test_a_break_of_the_broker_costs_no_event(mosquitto: Mosquitto) -> None:
    replay = Mqtt(f"mqtt://127.0.0.1:{mosquitto.port}/replay", doubt=pytest.fail)
    with listening(mosquitto.port, "replay/#") as before:
        replay.send({"topic": "a/b", "number": 1})
        until(lambda: before.got or None, "the first")
    mosquitto.stop()
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(replay.send, {"topic": "a/b", "number": 2})
        mosquitto.start()
        sending.result(60)
    with listening(mosquitto.port, "replay/#") as after:
        replay.send({"topic": "a/b", "number": 3})
        until(lambda: any(b'"number": 3' in body for _, body in after.got) or None, "the third")
    replay.close()
    assert {topic for topic, _ in before.got + after.got} == {"replay/a/b"}


def test_a_broker_that_drops_what_it_acknowledges_is_doubted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acl").write_text("topic read #\n")
    broker = Mosquitto(tmp_path, f"acl_file {tmp_path / 'acl'}\n")
    broker.start()
    monkeypatch.setattr(replaying, "ECHO_SECONDS", 0.2)
    doubts: list[str] = []
    try:
        replay = Mqtt(f"mqtt://127.0.0.1:{broker.port}/replay", doubt=doubts.append)
        replay.send({"topic": "a/b"})
        replay.send({"topic": "a/c"})
        replay.close()
    finally:
        broker.stop()
    (doubt,) = doubts
    assert "acknowledges replay/a/b and does not give it back" in doubt
