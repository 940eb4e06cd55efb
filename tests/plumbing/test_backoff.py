"""How long somebody is left alone who wants a pause."""

from __future__ import annotations

from firehose.plumbing.backoff import LEAST_PAUSES, Pauses


def test_a_wish_is_granted_and_one_for_nothing_is_not() -> None:
    assert Pauses(lambda: 0.0).again(120.0) == 120.0
    assert Pauses(lambda: 0.0).again(0.0) == LEAST_PAUSES[0]
    assert Pauses(lambda: 0.0).again(-5.0) == LEAST_PAUSES[0]


def test_who_wants_nothing_again_and_again_is_asked_ever_less_often() -> None:
    at = [0.0]
    pauses = Pauses(lambda: at[0])
    found = []
    for _ in range(len(LEAST_PAUSES) + 2):
        found.append(pauses.again(0.0))
        at[0] += found[-1]
    assert found == [*LEAST_PAUSES, LEAST_PAUSES[-1], LEAST_PAUSES[-1]]
    pauses.over()
    assert pauses.again(0.0) == LEAST_PAUSES[0]


def test_answers_to_requests_that_were_under_way_together_count_once() -> None:
    at = [0.0]
    pauses = Pauses(lambda: at[0])
    assert [pauses.again(0.0) for _ in range(8)] == [LEAST_PAUSES[0]] * 8
    at[0] = LEAST_PAUSES[0]
    assert pauses.again(0.0) == LEAST_PAUSES[1]
