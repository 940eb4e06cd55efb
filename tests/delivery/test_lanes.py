"""Which message goes next, without clocks and sockets: order in a lane, freedom between lanes, patience."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from firehose.delivery import retry
from firehose.delivery.lanes import AWAY_AFTER, Item, Lanes


def filled(*names: str, concurrency: int = 8, most: int = 1) -> Lanes:
    lanes = Lanes(concurrency, most)
    for number, name in enumerate(names, 1):
        lanes.add(Item(number, name))
    return lanes


def sequences(batch: list[Item] | None) -> list[int]:
    return [item.sequence for item in batch or []]


def test_a_lane_gives_one_try_at_a_time() -> None:
    lanes = filled("a", "a", "b")
    first, second = lanes.next(0), lanes.next(0)
    assert (sequences(first), sequences(second), lanes.next(0)) == ([1], [3], None)
    assert lanes.wait(0) is None
    assert first is not None
    lanes.delivered(first)
    assert sequences(lanes.next(0)) == [2]


def test_a_digest_takes_what_is_due_and_leaves_what_waits_for_a_later_hour() -> None:
    lanes = Lanes(8, 10)
    for number, due in enumerate((3_600.0, 3_600.0, 7_200.0), 1):
        lanes.add(Item(number, "a", due=due))
    assert lanes.next(0) is None
    batch = lanes.next(3_600)
    assert sequences(batch) == [1, 2]
    assert batch is not None
    lanes.delivered(batch)
    assert (lanes.next(7_199), lanes.wait(7_199)) == (None, 1)
    assert sequences(lanes.next(7_200)) == [3]


def test_what_failed_waits_until_its_moment() -> None:
    lanes = filled("a")
    batch = lanes.next(0)
    assert batch is not None
    lanes.failed(batch, 0, 5)
    assert (lanes.next(4), lanes.wait(4)) == (None, 1)
    assert sequences(lanes.next(5)) == [1]


def test_several_lanes_that_fail_make_the_receiver_away_and_one_success_ends_it() -> None:
    lanes = filled(*"abcdef")
    batches = [lanes.next(0) for _ in range(AWAY_AFTER)]
    for batch in batches:
        assert batch is not None
        lanes.failed(batch, 0, 10_000)
    assert lanes.away
    assert lanes.next(0) is None
    wait = lanes.wait(0)
    assert wait is not None
    assert 5 <= wait <= 6
    probe = lanes.next(wait)
    assert probe is not None
    assert lanes.next(wait) is None, "one probe at a time"
    lanes.delivered(probe)
    assert not lanes.away
    taken = []
    while (batch := lanes.next(wait)) is not None:
        taken += sequences(batch)
    assert sorted(taken + sequences(probe)) == [1, 2, 3, 4, 5, 6]


def test_after_a_restart_the_receiver_is_still_looked_for_and_one_success_lets_all_go_on() -> None:
    lanes = Lanes(8)
    for number in range(5):
        lanes.add(Item(number, f"lane{number}", failures=3, due=7_200.0))
    lanes.add(Item(5, "new"))
    lanes.was_away()
    assert lanes.away
    first = lanes.next(10.0)
    assert first is not None
    assert lanes.next(10.0) is None, "one look at a time"
    lanes.delivered(first)
    found = [lanes.next(10.0) for _ in range(6)]
    assert sum(item is not None for item in found) == 5


def test_one_lane_that_keeps_failing_is_its_own_fault() -> None:
    lanes = filled("a", "b")
    for turn in range(5):
        batch = lanes.next(turn * 10)
        assert batch is not None
        if batch[0].lane == "b":
            lanes.delivered(batch)
        else:
            lanes.failed(batch, turn * 10, turn * 10 + 10)
    assert not lanes.away


def test_what_waits_for_its_hour_is_not_hurried() -> None:
    lanes = Lanes(1, most=10)
    lanes.add(Item(1, "digest", due=3_600))
    lanes.add(Item(2, "digest", due=3_600))
    lanes.hurry()
    assert lanes.next(10) is None
    assert sequences(lanes.next(3_600)) == [1, 2]


def test_the_schedule_is_the_one_of_standard_webhooks() -> None:
    waits = [retry.again(failures) for failures in range(1, 11)]
    assert waits[-1] is None
    for wait, wanted in zip(waits, (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400), strict=False):
        assert wait is not None
        assert wanted <= wait <= wanted * 1.2
    assert retry.again(1, 600) == 600
    assert retry.again(1, 10**9) == retry.LONGEST_PAUSE


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=30),
    st.lists(st.sampled_from(("ok", "fail", "slow", "dead")), max_size=60),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_whatever_happens_everything_is_settled_once_and_in_order(
    names: list[str], fates: list[str], concurrency: int, most: int
) -> None:
    lanes = filled(*names, concurrency=concurrency, most=most)
    now, settled = 0.0, []
    fate = iter(fates)
    busy: list[list[Item]] = []
    for _ in range(2_000):
        while (batch := lanes.next(now)) is not None:
            busy.append(batch)
        assert len(busy) <= concurrency
        if not busy:
            wait = lanes.wait(now)
            if wait is None:
                break
            now += max(wait, 0.001)
            continue
        batch = busy.pop()
        match next(fate, "ok"):
            case "fail":
                lanes.failed(batch, now, now + 7)
            case "slow":
                lanes.slowed(batch, now + 3)
            case word:
                settled += batch
                (lanes.delivered if word == "ok" else lanes.done)(batch)
    assert len(lanes) == 0
    assert sorted(sequences(settled)) == list(range(1, len(names) + 1))
    for name in set(names):
        mine = [item.sequence for item in settled if item.lane == name]
        assert mine == sorted(mine)
