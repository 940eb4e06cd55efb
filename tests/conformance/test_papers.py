"""The promises of the papers, against SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.servers.postgres import new_database

from firehose.history.papers import Digest, Paper, Papers, Told, open_papers
from firehose.settings import History

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Papers]]:
    url = "" if request.param == "sqlite" else new_database(request.getfixturevalue("postgres_server"))
    made: list[Papers] = []

    def another() -> Papers:
        made.append(open_papers(History(url=url), tmp_path))
        return made[-1]

    yield another
    for papers in made:
        papers.close()


def told(sequence: int, place: str = "p", owner: str = "ada", **more: object) -> Told:
    given = {"message": f"m{sequence}", "time": NOW + timedelta(seconds=sequence), **more}
    return Told(place=place, sequence=sequence, owner=owner, **given)  # type: ignore[arg-type]


def test_a_document_is_kept_changed_and_thrown_away(opened: Callable[[], Papers]) -> None:
    papers = opened()
    papers.put(Paper("rule", "b", "ada", b'{"a":1}'))
    papers.put(Paper("rule", "a", "ben", '{"a":"ü\'?%"}'.encode()))
    papers.put(Paper("rule", "b", "ada", b'{"a":2}'))
    assert [(paper.name, paper.body) for paper in papers.all()] == [("a", '{"a":"ü\'?%"}'.encode()), ("b", b'{"a":2}')]
    assert [paper.name for paper in papers.all("ada")] == ["b"]
    assert papers.drop("rule", "b")
    assert not papers.drop("rule", "b")
    assert papers.get("rule", "b") is None


def test_another_process_sees_it_and_that_something_changed(opened: Callable[[], Papers]) -> None:
    one, other = opened(), opened()
    before = other.version()
    assert other.version() == before
    one.put(Paper("rule", "a", "ada", b"{}"))
    assert other.version() != before
    assert other.get("rule", "a") == Paper("rule", "a", "ada", b"{}")
    before = other.version()
    one.drop("rule", "a")
    assert other.version() != before


def test_changes_at_the_same_time_are_all_kept(opened: Callable[[], Papers]) -> None:
    several = [opened() for _ in range(3)]
    several[0].put(Paper("n", "n", "ada", b"0"))

    def more(papers: Papers) -> None:
        for _ in range(10):
            papers.change("n", "n", lambda old: Paper("n", "n", "ada", str(int(old.body) + 1).encode()))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(more, several))
    found = several[0].get("n", "n")
    assert found is not None
    assert found.body == b"30"
    assert several[0].change("n", "none", lambda old: old) is None


def test_a_place_is_told_of_an_event_once(opened: Callable[[], Papers]) -> None:
    papers = opened()
    papers.tell([told(1), told(2)])
    papers.tell([told(2, message="again"), told(2, place="q", owner="ben"), told(3)])
    assert papers.known("p", range(1, 1_200)) == {1, 2, 3}
    assert papers.known("q", [1, 2]) == {2}
    assert [(entry.sequence, entry.message) for entry in papers.recent("ada")] == [(3, "m3"), (2, "m2"), (1, "m1")]
    assert papers.recent("ada", limit=1)[0].time == NOW + timedelta(seconds=3)
    assert [entry.sequence for entry in papers.recent("ada", after=NOW + timedelta(seconds=2))] == [3]
    assert papers.counts("ada", NOW + timedelta(seconds=2)) == {"p": 2}
    papers.forget(NOW + timedelta(seconds=3), 0)
    assert papers.known("p", [1, 2, 3]) == {3}


def test_a_digest_has_the_same_end_at_every_try(opened: Callable[[], Papers]) -> None:
    papers = opened()
    assert papers.begin("p", "daily", 10, 50) == Digest(10, 50, False)
    assert opened().begin("p", "daily", 10, 70) == Digest(10, 50, False)
    assert papers.begin("p", "hourly", 10, 70) == Digest(10, 70, False)
    papers.tell([told(10), told(30)], ("daily", Digest(10, 50, False)))
    assert papers.begin("p", "daily", 10, 90) == Digest(10, 50, True)
    assert papers.begin("p", "daily", 30, 90) == Digest(10, 50, True)
    assert papers.begin("p", "daily", 51, 90) == Digest(51, 90, False)
    # One that held too much ends sooner, and the rest is another's.
    papers.tell([told(70)], ("hourly", Digest(10, 20, False)))
    assert papers.begin("p", "hourly", 10, 90) == Digest(10, 20, True)
    assert papers.begin("p", "hourly", 21, 90) == Digest(21, 90, False)
    papers.forget(NOW, 60)
    assert papers.begin("p", "daily", 10, 95) == Digest(10, 95, False)
