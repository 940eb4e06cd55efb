"""Which templates are new, and which burst, by a clock of the test's own."""

from __future__ import annotations

from firehose.fleet.logs.templates import MOST, Miner, Template


def test_the_first_line_of_a_kind_is_new_and_no_other() -> None:
    miner = Miner([], 1, 0.0)
    assert miner.learn("worker 1 started", 1.0).new
    assert not miner.learn("worker 2 started", 2.0).new
    found = miner.learn("connection to 10.0.0.1 was lost", 3.0)
    assert (found.new, found.template.number) == (True, 2)


def test_a_template_that_was_written_down_is_known_again() -> None:
    miner = Miner([], 1, 0.0)
    for number in range(5):
        template = miner.learn(f"job {number} of ada failed", 1.0).template
    again = Miner([template], 2, 100.0)
    found = again.learn("job 77 of ada failed", 101.0)
    assert (found.new, found.template.number) == (False, 1)
    assert again.learn("something else entirely", 102.0).template.number == 2


def test_ten_times_the_usual_is_a_burst_once_an_hour() -> None:
    miner = Miner([], 1, 0.0)
    bursts = []
    for minute in range(100):
        for _ in range(10 if minute not in (20, 21, 90) else 150):
            found = miner.learn("lease was lost", minute * 60.0 + 1)
            if found.burst:
                bursts.append(minute)
                assert 100 <= found.template.this <= 110
    assert bursts == [20, 90]


def test_what_was_never_usual_is_no_burst_and_few_lines_are_none() -> None:
    miner = Miner([], 1, 0.0)
    assert not any(miner.learn("fresh", 1.0).burst for _ in range(500))
    rare = Miner([Template(number=1, text="rare", first=0.0, last=0.0, usual=0.1, minutes=50)], 2, 0.0)
    assert not any(rare.learn("rare", 61.0).burst for _ in range(59))
    assert rare.learn("rare", 61.0).burst


def test_a_sampled_line_counts_for_those_it_stands_for() -> None:
    miner = Miner([Template(number=1, text="rare", first=0.0, last=0.0, usual=0.1, minutes=50)], 2, 0.0)
    assert miner.learn("rare", 61.0, weight=100.0).burst


def test_templates_without_end_are_forgotten_in_order() -> None:
    miner = Miner([], 1, 0.0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    for number in range(MOST + 50):
        word = "".join(letters[(number // 26**place) % 26] for place in range(4))
        miner.learn(" ".join(f"{word}{letters[place]}" for place in range(4)), float(number))
    assert len(miner.gone) >= 1
    assert set(miner.gone).isdisjoint(miner.changed)
