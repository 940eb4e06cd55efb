"""Events as lines for a room: one, many, and hostile ones."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from firehose.chat.words import gathered, line, plural, tame
from firehose.event import Event, Recorded, encode

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def event(number: int, kind: str = "change.merged", project: str = "openstack/nova", summary: str = "") -> Recorded:
    made = Event(
        id=str(number), source="https://r", type="t", kind=kind, subject=f"nova~{number}", time=NOW, project=project,
        summary=summary or f"Change {number} merged", link=f"https://r/{number}",
    )  # fmt: skip
    return Recorded(number, NOW, encode("gerrit", made))


def test_one_event_is_its_summary_and_its_link() -> None:
    assert line(event(1)) == "Change 1 merged  https://r/1"


def test_many_become_a_number_and_few_stay() -> None:
    events = [*(event(n) for n in range(1, 13)), event(13, "build.finished"), event(14, project="openstack/heat")]
    said = gathered(events, "https://hub")
    assert said[0].startswith("12 changes merged in openstack/nova  https://hub/search?kind=change.merged&project=")
    assert said[1:] == ["Change 13 merged  https://r/13", "Change 14 merged  https://r/14"]


def test_a_sender_cannot_make_two_lines_or_colours() -> None:
    assert line(event(1, summary="a\r\nQUIT :x\x034red\u202e")) == "a QUIT :x 4red  https://r/1"
    assert "\n" not in tame("a\nb\u2028c")


@pytest.mark.parametrize(
    ("noun", "several"),
    [
        ("change", "changes"), ("branch", "branches"), ("story", "stories"), ("repository", "repositories"),
        ("status", "statuses"), ("query", "queries"), ("play", "plays"), ("box", "boxes"), ("push", "pushes"),
        ("pipelinerun", "pipelineruns"),
    ],
)  # fmt: skip
def test_several_of_a_thing(noun: str, several: str) -> None:
    assert plural(noun) == several
