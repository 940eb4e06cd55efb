"""Silence and gaps, decided without a connection."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from firehose.intake.watch import Owed, State, heard, lost, overdue, owe, retry_after, silent

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


def test_silence_is_overdue_at_the_limit_and_once() -> None:
    assert not overdue(State(), NOON, 600, NOON + timedelta(seconds=599))
    assert overdue(State(), NOON, 600, NOON + timedelta(seconds=600))
    assert not overdue(State(silent=NOON), NOON, 600, LATER)
    assert not overdue(State(), NOON, 0, LATER)


def test_a_gap_reaches_from_the_last_line_with_the_cursor_of_then() -> None:
    owed = owe(State(cursor="c1", seen=NOON), LATER).owed
    assert owed == Owed(NOON, LATER, "c1")


def test_a_second_gap_widens_the_first_and_keeps_its_cursor() -> None:
    first = owe(State(cursor="c1", seen=NOON), LATER)
    second = owe(State(cursor="c2", seen=LATER, owed=first.owed), LATER + timedelta(hours=1)).owed
    assert second == Owed(NOON, LATER + timedelta(hours=1), "c1")


def test_a_gap_seen_in_the_middle_begins_before_the_lines_that_told_it() -> None:
    now = State(cursor="c2", seen=LATER)
    assert owe(now, LATER, State(cursor="c1", seen=NOON)).owed == Owed(NOON, LATER, "c1")


def test_waiting_for_a_recovery_grows_to_ten_minutes() -> None:
    assert [retry_after(tries).total_seconds() for tries in (0, 1, 2, 9)] == [5, 10, 20, 600]


def test_the_events_about_a_source_have_ids_of_what_happened_and_not_of_when_it_was_noticed() -> None:
    url = "https://review.example.org"
    assert silent("gerrit", url, NOON, LATER, True).id == silent("gerrit", url, NOON, NOON, False).id
    ids = {
        silent("gerrit", url, NOON, LATER, True).id,
        heard("gerrit", url, NOON, LATER).id,
        lost("gerrit", url, Owed(NOON, LATER), "why").id,
        silent("other", url, NOON, LATER, True).id,
    }
    assert len(ids) == 4


def test_the_events_about_a_source_name_it_as_their_subject() -> None:
    events = [silent("gerrit", "", NOON, LATER, True), heard("gerrit", "", NOON, LATER)]
    assert [(event.kind, event.subject) for event in events] == [
        ("incident.detected", "source/gerrit"),
        ("incident.resolved", "source/gerrit"),
    ]
