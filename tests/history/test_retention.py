"""Rules of retention, as a plan and carried out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from firehose.errors import Broken
from firehose.event import Event, Recorded, encode
from firehose.history.retention import age, apply, plan, rules
from firehose.history.sqlite import SqliteStore
from firehose.query.tree import All, Everything, Is, Not

NOW = datetime(2016, 10, 25, tzinfo=UTC)


def event(sequence: int, days_ago: int, name: str) -> Recorded:
    moment = NOW - timedelta(days=days_ago)
    made = Event(id=str(sequence), source="s", type="t", kind="a.b", subject="x", time=moment)
    return Recorded(sequence, moment, encode(name, made))


def test_the_first_rule_that_fits_counts() -> None:
    steps = plan(rules(["source:logs 30d", "kind:a.b 90d", "365d"], NOW), NOW)
    assert [(step.query, (NOW - step.before).days) for step in steps] == [
        (Everything(), 365),
        (Is("source", "logs"), 30),
        (All((Is("kind", "a.b"), Not(Is("source", "logs")))), 90),
        (All((Not(Is("source", "logs")), Not(Is("kind", "a.b")))), 365),
    ]


def test_removes_what_the_rules_say_and_raises_the_floor(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "h.db")
    ages = ((400, "logs"), (380, "gerrit"), (100, "logs"), (50, "gerrit"), (20, "logs"), (1, "gerrit"))
    store.append([event(n, days, name) for n, (days, name) in enumerate(ages, 1)])
    assert apply(store, plan(rules(["source:logs 30d", "365d"], NOW), NOW)) == 3
    assert [one.sequence for chunk in store.replay(0) for one in chunk] == [4, 5, 6]
    assert store.span().floor == 2
    assert apply(store, plan(rules(["source:logs 30d", "365d"], NOW), NOW)) == 0
    store.close()


def test_a_longer_rule_keeps_what_the_general_one_would_not(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "h.db")
    store.append([event(1, 100, "gerrit"), event(2, 100, "zuul"), event(3, 1, "zuul")])
    assert apply(store, plan(rules(["source:gerrit 1y", "30d"], NOW), NOW)) == 1
    assert [one.sequence for chunk in store.replay(0) for one in chunk] == [1, 3]
    assert store.span().floor == 0
    store.close()


def test_without_rules_everything_is_kept() -> None:
    assert plan(rules([], NOW), NOW) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [("30 days", "not `"), ("sorce:logs 30d", "sorce"), ("d", "not `")],
)
def test_a_wrong_rule_is_named(text: str, why: str) -> None:
    with pytest.raises(Broken, match=why):
        rules([text], NOW)


def test_a_rule_that_never_counts_is_refused() -> None:
    with pytest.raises(Broken, match="never count"):
        rules(["365d", "source:logs 30d"], NOW)


def test_an_age_is_a_number_with_a_unit_or_nothing() -> None:
    assert age("", "history.keep_dumps") is None
    assert age("90d", "history.keep_dumps") == timedelta(days=90)
    for wrong in ("90", "d", "kind:x 90d", "-1d"):
        with pytest.raises(Broken, match=r"history\.keep_dumps.*as in `90d`"):
            age(wrong, "history.keep_dumps")
