"""Events once more, with their pauses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from firehose.errors import Broken, TryLater
from firehose.ops.replaying import Mqtt, paced, pause

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
        Mqtt(address)


def test_a_broker_that_is_not_there_is_for_later() -> None:
    with pytest.raises(TryLater, match="cannot connect"):
        Mqtt("mqtt://127.0.0.1:1/replay")
