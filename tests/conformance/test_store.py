"""The promises of the history, against both stores; the predicate of live streams is the judge of every search."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.servers.postgres import new_database

from firehose.errors import Refused
from firehose.event import Event, Recorded, encode, rfc3339
from firehose.history.postgres import PostgresStore
from firehose.history.sqlite import SqliteStore
from firehose.history.store import Store
from firehose.query import parse as parser
from firehose.query.match import predicate
from firehose.query.tree import All, Between, Either, Everything, Filter, Is, Like, Node, Not, Text

START = datetime(2016, 10, 25, 22, 58, tzinfo=UTC)
KINDS = ("change.created", "change.merged", "pipelinerun.finished", "ticket.updated", "change.merged.twice", "odd")
PROJECTS = ("openstack/nova", "openstack/nova/ui", "openstack", "zuul/zuul", "Öl *?", "")
ACTORS = ("fungi", "Fungi", "zuul", "")
SUBJECTS = ("openstack/nova~1", "story/2000643", "x" * 300, "x" * 300 + "y", "")
TEXTS = ("Fix live migration", "live, (really) migration!", "ÅNGSTRÖM naïve 漢字 ẞtraße", "_k change", "a" * 70, "")
WORDS = ("live", "migration", "really", "naïve", "漢字", "ångström", "fix", "nova", "a" * 64, "kchange", "zuul")


def build(sequence: int, moment: datetime, **changes: object) -> Recorded:
    values: dict[str, object] = {
        "id": f"d-{sequence}", "source": "https://review.example.org", "type": "org.example.thing",
        "kind": "change.merged", "subject": "openstack/nova~1", "time": moment, "project": "openstack/nova",
        "actor": "fungi", "summary": "Fix live migration",
    }  # fmt: skip
    name = str(changes.pop("name", "gerrit"))
    return Recorded(sequence, moment, encode(name, Event(**(values | changes))))  # type: ignore[arg-type]


def some(count: int, first: int = 1) -> list[Recorded]:
    return [
        build(
            n, START + timedelta(seconds=37 * n),
            name=("gerrit", "zuul")[n % 2], kind=KINDS[n % 4], project=PROJECTS[n % 6], actor=ACTORS[n % 4],
            summary=TEXTS[n % 6], text=f"number{n}", outcome=("", "success", "failure")[n % 3],
            severity=("info", "warning")[n % 2], subject=f"story/{n // 5}",
        )
        for n in range(first, first + count)
    ]  # fmt: skip


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made = new_store(request.param, request, tmp_path)
    yield made
    made.close()


def new_store(kind: str, request: pytest.FixtureRequest, folder: Path, budget: float = 0.05) -> Store:
    if kind == "sqlite":
        return SqliteStore(folder / "history.db", samples=40, budget=budget)
    return PostgresStore(new_database(request.getfixturevalue("postgres_server")), samples=40, budget=budget)


def parse(text: str) -> Node:
    return parser.parse(text, START)


def sequences(events: list[Recorded]) -> list[int]:
    return [event.sequence for event in events]


def everything(store: Store, query: Node, *, descending: bool = True, limit: int = 7) -> list[int]:
    """All pages of a search, by their cursors."""
    found: list[int] = []
    cursor = 0
    while True:
        bounds = {"before": cursor} if descending else {"after": cursor}
        page = store.find(query, descending=descending, limit=limit, **bounds)
        assert len(page.events) <= limit
        found += sequences(page.events)
        if page.cursor is None:
            return found
        assert page.partial or len(page.events) == limit
        assert cursor == 0 or (page.cursor < cursor if descending else page.cursor > cursor)
        cursor = page.cursor


def test_an_empty_history_holds_nothing(store: Store) -> None:
    span = store.span()
    assert (span.first, span.last, span.count) == (0, 0, 0)
    assert store.find(Everything()).events == []
    assert store.by_sequence(1) is None
    assert store.counts(Everything()) == []
    assert list(store.replay(0)) == []
    assert store.at_time(START) == 0


def test_gives_back_what_was_appended_byte_for_byte(store: Store) -> None:
    events = some(100)
    store.append(events[:50])
    store.append(events[50:])
    back = list(itertools.chain.from_iterable(store.replay(0, chunk=30)))
    assert [(e.sequence, e.recorded, e.frame) for e in back] == [(e.sequence, e.recorded, e.frame) for e in events]
    one = store.by_sequence(77)
    assert one is not None
    assert one.json == events[76].json
    assert sequences(store.by_id("d-42")) == [42]
    span = store.span()
    assert (span.first, span.last, span.count) == (1, 100, 100)


def test_appending_again_changes_nothing(store: Store) -> None:
    events = some(30)
    store.append(events)
    store.append(events[10:] + some(5, 31))
    assert store.span().count == 35
    assert everything(store, Text(("number20",))) == [20]
    assert sum(count.count for count in store.counts(Everything(), by="kind")) == 35


def test_sequences_below_the_head_are_filled_in(store: Store) -> None:
    events = some(30)
    store.append(events[20:])
    store.append(events[:20])
    assert everything(store, Everything()) == list(range(30, 0, -1))


def test_knows_what_is_recorded(store: Store) -> None:
    from firehose.event import identity

    store.append(some(10))
    mine = identity("https://review.example.org", "d-7")
    assert store.known([mine, identity("https://review.example.org", "d-99")]) == {mine: 7}


def test_pages_go_both_ways_and_end(store: Store) -> None:
    store.append(some(50))
    query = parse("source:gerrit live migration")
    naive = [n for n in range(1, 51) if predicate(query)(some(1, n)[0])]
    assert naive
    assert everything(store, query) == naive[::-1]
    assert everything(store, query, descending=False) == naive
    assert store.find(query, limit=len(naive)).cursor is None
    page = store.find(query, after=10, before=40, descending=False, limit=100)
    assert sequences(page.events) == [n for n in naive if 10 < n < 40]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_search_that_takes_too_long_goes_on_from_its_cursor(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    slow = new_store(kind, request, tmp_path, budget=0.0)
    slow.append(some(1_000))
    page = slow.find(parse("link:*nowhere*"), limit=10)
    assert page.partial
    assert page.events == []
    assert page.cursor is not None
    assert 1 < page.cursor < 1_000
    assert everything(slow, parse("summary:*really*")) == [n for n in range(1_000, 0, -1) if n % 6 == 1]
    slow.close()


_values = {
    "source": ("gerrit", "zuul", "https://review.example.org", ""), "kind": (*KINDS, ""), "project": PROJECTS,
    "actor": ACTORS, "subject": SUBJECTS, "outcome": ("success", "failure", ""), "severity": ("info", "error"),
    "type": ("org.example.thing", "org.example.other"), "refs": (*SUBJECTS[:4], "build/1", ""), "id": ("d-1", "d-2"),
    "summary": TEXTS, "link": ("https://x.example.org/1", ""), "data.a.b": ("1", "x"), "topic": ("events/zuul/odd/",),
    "sequence": ("3", "7", "x"),
}  # fmt: skip


@st.composite
def event(draw: st.DrawFn, sequence: int) -> Recorded:
    def pick(name: str) -> str:
        return draw(st.sampled_from(_values[name]))

    moment = START + timedelta(minutes=7 * sequence)
    return build(
        sequence, moment, name=draw(st.sampled_from(("gerrit", "zuul"))), kind=draw(st.sampled_from(KINDS)),
        time=moment - timedelta(hours=draw(st.sampled_from((0, 0, 0, 1, 900)))),
        source=draw(st.sampled_from(("https://review.example.org", "zuul", "https://zuul.example.org"))),
        type=pick("type"), project=pick("project"), actor=pick("actor"), subject=pick("subject"),
        outcome=pick("outcome"), severity=pick("severity"), summary=pick("summary"), link=pick("link"),
        text=draw(st.sampled_from(TEXTS)), id=draw(st.sampled_from(("d-1", "d-2", f"d-{sequence}"))),
        refs=tuple(draw(st.lists(st.sampled_from([ref for ref in _values["refs"] if ref]), max_size=3))),
        data=draw(st.sampled_from((b'{"a":{"b":1}}', b'{"a":[{"b":"x"}]}', b"null"))),
    )  # fmt: skip


_patterns = st.sampled_from((
    "*", "openstack/*", "openstack*", "change.*", "*.merged", "org.example.*", "x*", "x" * 290 + "*", "*nova*", "f?ngi",
    "https://*", "d-?", "\\*", "Öl \\*\\?", "zuul", "live*migration*", "Fix*", "b*", "g*",
))  # fmt: skip
_filters = st.sampled_from((
    "#", "events/#", "events/gerrit/#", "events/+/change/merged/#", "events/+/change/merged/openstack/nova", "+/zuul/#",
    "events/+/change/+/openstack/#", "events/+/change/+/openstack/+", "events/+/+/merged/#",
    "events/zuul/change/merged",
    "events/+/odd/#", "events/+/odd/+", "events/zuul/+/+/+/nova", "events/+/change/merged/openstack/nova/#", "in/#",
    "events/zuul/change/merged/%C3%96l/#", "events/zuul/change/merged/+/#", "events/zuul", "events/+/change/merged/+",
))  # fmt: skip
_is = st.sampled_from(sorted(_values)).flatmap(
    lambda field: st.builds(Is, st.just(field), st.sampled_from(_values[field]))
)
_like = st.builds(
    Like, st.sampled_from([field for field in _values if field != "data.a.b"]), _patterns
)  # fmt: skip
_text = st.builds(
    Text, st.lists(st.sampled_from(WORDS), min_size=1, max_size=2).map(tuple), st.booleans(),
    st.sampled_from(("", "", "summary")),
)  # fmt: skip
_cut = st.builds(
    Text, st.sampled_from(WORDS).map(lambda word: (word[:2],)), st.just(True), st.just("")
)  # fmt: skip
_moments = st.none() | st.integers(-60, 200).map(lambda n: rfc3339(START + timedelta(minutes=7 * n)))
_range = st.one_of(
    st.builds(Between, st.just("time"), _moments, _moments, st.booleans(), st.booleans()),
    st.builds(
        Between, st.just("sequence"), st.none() | st.integers(0, 40).map(str), st.none() | st.integers(0, 40).map(str),
        st.booleans(), st.booleans(),
    ),
    st.builds(
        Between, st.just("severity"), st.none() | st.sampled_from(("info", "notice", "warning", "error")),
        st.none() | st.sampled_from(("info", "notice", "warning", "error")), st.booleans(), st.booleans(),
    ),
    st.builds(Between, st.just("data.a.b"), st.just("0"), st.just("2")),
)  # fmt: skip
_leaf = st.one_of(_is, _is, _like, _text, _cut, _range, st.builds(Filter, _filters), st.just(Everything()))
_parts = st.lists(_leaf, min_size=1, max_size=3)
queries = st.recursive(
    _leaf,
    lambda inner: st.one_of(
        st.builds(All, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Either, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=6,
)
worlds = st.integers(1, 30).flatmap(lambda count: st.tuples(*(event(n) for n in range(1, count + 1))))


def check(store: Store, events: list[Recorded], asked: list[Node]) -> None:
    for query in asked:
        fits = predicate(query)
        naive = [one.sequence for one in events if fits(one)]
        assert everything(store, query) == naive[::-1], query
        assert everything(store, query, descending=False, limit=4) == naive, query
        for by, per in (("", ""), ("project", ""), ("source", "hour"), ("kind", "day"), ("", "minute")):
            counted = Counter({(c.group, c.start): c.count for c in store.counts(query, by=by, per=per)})
            assert counted == tally([one for one in events if fits(one)], by, per), (query, by, per)


def tally(events: list[Recorded], by: str, per: str) -> Counter[tuple[str, datetime | None]]:
    def group(event: Recorded) -> str:
        return event.name if by == "source" else str(getattr(event.envelope, by)) if by else ""

    return Counter((group(e), bucket(e.recorded, per)) for e in events)


def bucket(moment: datetime, per: str) -> datetime | None:
    if not per:
        return None
    zero = {"minute": {"second": 0}, "hour": {"second": 0, "minute": 0}, "day": {"second": 0, "minute": 0, "hour": 0}}
    return moment.replace(microsecond=0, **zero[per])  # type: ignore[arg-type]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_finds_and_counts_exactly_what_the_live_predicate_takes(
    kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    world = data.draw(worlds)
    store = new_store(kind, request, tmp_path_factory.mktemp("any"))
    store.append(world)
    check(store, list(world), data.draw(st.lists(queries, min_size=1, max_size=25)))
    store.close()


@pytest.mark.parametrize("wanted", [
    "events/zuul/change/merged", "events/+/odd/", "events/gerrit/change/merged/", "events/gerrit/change/merged//",
    "events",
])  # fmt: skip
def test_topic_filters_see_what_is_empty(store: Store, wanted: str) -> None:
    events = [
        build(n, START, name=name, kind=kind, project=project)
        for n, (name, kind, project) in enumerate(itertools.product(("zuul", "gerrit"), KINDS, PROJECTS), 1)
    ]
    store.append(events)
    check(store, events, [Filter(wanted), Not(Filter(wanted)), Either((Filter(wanted), Is("kind", "odd")))])


def test_counts_by_time_of_recording(store: Store) -> None:
    events = some(400)
    store.append(events)
    for since, until in itertools.product((None, 0, 1_000, 3_601, 7_300), (None, 2_000, 7_200, 14_000)):
        low = None if since is None else START + timedelta(seconds=since)
        high = None if until is None else START + timedelta(seconds=until)
        inside = [
            one for one in events if (low is None or one.recorded >= low) and (high is None or one.recorded < high)
        ]
        for text, by, per in (
            ("", "", "hour"),
            ("", "actor", ""),
            ("kind:odd", "", "day"),
            ("actor:zuul live", "", ""),
        ):
            query = parse(text)
            fits = predicate(query)
            counted = Counter(
                {(c.group, c.start): c.count for c in store.counts(query, by=by, per=per, since=low, until=high)}
            )
            assert counted == tally([one for one in inside if fits(one)], by, per), (text, by, per, since, until)


def test_counts_by_time_of_happening(store: Store) -> None:
    events = some(400)
    store.append(events)
    times = sorted(event.envelope.time for event in events)
    for low, high in ((times[0], times[-1]), (times[100], times[300]), (times[7], times[7] + timedelta(hours=1))):
        inside = [one for one in events if low <= one.envelope.time < high]
        for text, by, per in (("", "", "minute"), ("", "kind", ""), ("kind:odd", "outcome", "hour"), ("live", "", "")):
            query = parse(text)
            fits = predicate(query)
            found = store.happenings(query, by=by, per=per, since=low, until=high, limit=5_000)
            wanted = Counter(
                (getattr(one.envelope, by) if by else "", bucket(one.envelope.time, per)) for one in inside if fits(one)
            )
            assert Counter({(c.group, c.start): c.count for c in found}) == wanted, (text, by, per, low, high)
    assert store.happenings(Everything(), since=times[0] - timedelta(days=9), until=times[0]) == []


def test_counts_of_frequent_things_add_up_by_group_and_day(store: Store) -> None:
    events = some(4_000)
    store.append(events)
    for text in ("gerrit OR live", "live", "-source:gerrit", "severity:info live"):
        fits = predicate(parse(text))
        for by, per in (("kind", ""), ("actor", "day"), ("", "hour"), ("outcome", ""), ("source", "day")):
            counted = Counter({(c.group, c.start): c.count for c in store.counts(parse(text), by=by, per=per)})
            assert counted == tally([one for one in events if fits(one)], by, per), (text, by, per)


def test_counts_that_are_cut_say_so_and_keep_what_is_large_or_new(store: Store) -> None:
    events = some(400)
    store.append(events)
    for by, per in (("actor", ""), ("kind", "hour"), ("", "minute"), ("project", "day")):
        every = store.counts(Everything(), by=by, per=per, limit=10_000)
        assert (every.total, every.truncated) == (400, False)
        for limit in (1, 2, 3, 5, len(every) - 1, len(every)):
            some_ = store.counts(Everything(), by=by, per=per, limit=limit)
            assert (some_.total, some_.truncated) == (400, limit < len(every)), (by, per, limit)
            assert 0 < len(some_) <= limit
            if not per:
                assert some_ == every[:limit]
                continue
            newest = [count for count in every if count.start == every[-1].start]
            assert some_ == (every[-len(some_) :] if limit >= len(newest) else newest[:limit]), (by, per, limit)
            left = every[: -len(some_)]
            assert limit < len(newest) or not left or left[-1].start != some_[0].start
            # A further bucket would not have fitted.
            older = [count for count in left if count.start == left[-1].start]
            assert not left or len(some_) + len(older) > limit


def test_counting_says_what_it_cannot_group_by(store: Store) -> None:
    with pytest.raises(Refused, match="by 'colour', but by source") as refused:
        store.counts(Everything(), by="colour")
    assert refused.value.field == "by"


def test_the_graph_ties_what_refers_to_each_other(store: Store) -> None:
    store.append([
        build(1, START, subject="nova~1", refs=("story/7",)),
        build(2, START, subject="buildset/a", refs=("nova~1",)),
        build(3, START, subject="build/x", refs=("buildset/a", "node/n1")),
        build(4, START, subject="unrelated", refs=("story/9",)),
        build(5, START, subject="story/7"),
    ])  # fmt: skip
    assert sequences(store.graph("nova~1")) == [1, 2, 3, 5]
    assert sequences(store.graph("build/x")) == [1, 2, 3, 5]
    assert sequences(store.graph("nova~1", limit=2)) == [1, 2]
    assert store.graph("nobody") == []


def test_the_graph_does_not_walk_through_hubs(store: Store) -> None:
    store.append([build(1, START, subject="nova~1", refs=("node/big",))])
    store.append([build(n, START, subject=f"build/{n}", refs=("node/big",)) for n in range(2, 300)])
    assert sequences(store.graph("nova~1")) == [1]
    assert len(store.graph("node/big", limit=120)) == 120


@pytest.mark.parametrize("branch", ["openstack/nova@master", "octo/cat@refs/heads/main", "octo/cat@refs/tags/v1"])
def test_the_graph_does_not_walk_through_branches(store: Store, branch: str) -> None:
    store.append([
        build(1, START, subject="nova~1", refs=(branch, "story/7")),
        build(2, START, subject="nova~2", refs=(branch,)),
        build(3, START, subject=branch),
        build(4, START, subject="story/7", refs=("package/pypi/cat@1.0",)),
        build(5, START, subject="package/pypi/cat@1.0"),
        build(6, START, subject="release/1", refs=("package/pypi/cat@1.0",)),
    ])  # fmt: skip
    assert sequences(store.graph("nova~1")) == [1, 4, 5, 6]
    assert sequences(store.graph(branch)) == [1, 2, 3, 4, 5, 6]


def test_finds_the_cursor_of_a_moment(store: Store) -> None:
    store.append(some(50, first=10))
    recorded = START + timedelta(seconds=37 * 30)
    assert store.at_time(recorded) == 29
    assert store.at_time(recorded + timedelta(microseconds=1)) == 30
    assert store.at_time(START) == 0
    assert store.at_time(START + timedelta(days=99)) == 59


def test_forgets_by_rule_and_keeps_its_head(store: Store) -> None:
    store.append(some(700))
    assert store.forget(650, parse("source:zuul")) == 325
    assert everything(store, Text(("number9",))) == []
    assert everything(store, Text(("number10",))) == [10]
    assert store.span().count == 375
    assert store.span().floor == 0
    assert store.forget(600) == 300
    span = store.span()
    assert (span.first, span.last, span.count, span.floor) == (602, 700, 75, 600)
    assert sum(count.count for count in store.counts(Everything(), by="source", per="hour")) == 75
    assert store.forget(10_000) == 75
    span = store.span()
    assert (span.first, span.last, span.count, span.floor) == (701, 700, 0, 700)
    assert store.counts(Everything(), by="kind") == []
