"""The simulated world: the same seed gives the same world, lives end as the services would end them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice

import pytest

from firehose.simulator import native
from firehose.simulator.happening import Happening, Report, Review
from firehose.simulator.lives import populate
from firehose.simulator.world import World

START = 1_795_000_000.0


def world(seed: int = 7, **own: float) -> Iterator[Happening]:
    made = World(seed, START, **own)  # type: ignore[arg-type]
    populate(made)
    return made.happenings()


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    def bytes_of(seed: int) -> list[tuple[str, str, bytes]]:
        return [native.render(happening) for happening in islice(world(seed), 600) if native.render(happening)]  # type: ignore[misc]

    assert bytes_of(7) == bytes_of(7)
    assert bytes_of(7) != bytes_of(8)


def test_time_never_goes_back() -> None:
    times = [happening.time for happening in islice(world(), 3_000)]
    assert times == sorted(times)


def test_changes_are_created_before_they_are_reviewed_and_merged_at_most_once() -> None:
    seen: Counter[tuple[int, str]] = Counter()
    for happening in islice(world(), 6_000):
        if isinstance(happening, Review):
            number = happening.change.number
            assert happening.what == "patchset-created" or seen[number, "patchset-created"]
            seen[number, happening.what] += 1
    merges = [count for (_, what), count in seen.items() if what == "change-merged"]
    assert len(merges) > 20
    assert set(merges) == {1}


def test_every_queue_item_starts_and_ends_once() -> None:
    actions: dict[str, list[str]] = {}
    for happening in islice(world(tempo=20), 6_000):
        if isinstance(happening, Report):
            actions.setdefault(happening.item.uuid, []).append(happening.action)
    ended = [tuple(found) for found in actions.values() if len(found) == 3]
    assert len(ended) > 50
    assert {found[:2] for found in ended} == {("enqueue", "start")}
    assert {found[2] for found in ended} == {"success", "failure", "dequeue"}


@pytest.mark.parametrize("rate", [0.2, 3.0, 100.0, 2_000.0])
def test_a_world_for_a_rate_is_about_that_busy(rate: float) -> None:
    from firehose.simulator.world import pace

    crowd, tempo = pace(rate)
    found = list(islice(world(crowd=crowd, tempo=tempo), 12_000))
    # The first part warms up: checks and gates of the first changes are still to come.
    late = found[8_000:]
    assert rate / 2 < len(late) / (late[-1].time - late[0].time) < rate * 2


def test_the_bytes_are_what_the_services_write() -> None:
    services: Counter[str] = Counter()
    for happening in islice(world(), 4_000):
        found = native.render(happening)
        if found is None:
            continue
        service, name, body = found
        services[service] += 1
        decoded = json.loads(body)
        assert isinstance(decoded, dict)
        assert name
    assert set(services) == {"gerrit", "zuul", "github", "forgejo", "gitlab", "nodes"}
