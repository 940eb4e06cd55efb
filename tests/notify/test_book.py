"""Who is told of an event: dedup over rules, own actions, mutes, teams, excludes, and the hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from firehose.errors import Refused
from firehose.event import Event, Recorded, encode
from firehose.history.papers import Paper
from firehose.notify import rules, when
from firehose.notify.book import Book
from firehose.notify.rules import Draft, Mute, Person, Place, Profile, Rule, Spot, Team

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def event(recorded: datetime = NOON, **more: Any) -> Recorded:
    given = {"id": "1", "source": "https://review.example", "type": "t", "kind": "change.merged", "subject": "nova~1",
             "time": NOON, "project": "openstack/nova", "actor": "zoe", **more}  # fmt: skip
    return Recorded(1, recorded, encode("gerrit", Event(**given)))


def rule(id_: str, query: str = "kind:change.*", **more: Any) -> Rule:
    return Rule(id=id_, owner=more.pop("owner", "ada"), title=id_, query=query, to=more.pop("to", "mail"), **more)


def place(id_: str, owner: str = "ada", **more: Any) -> Place:
    return Place(id=id_, owner=owner, kind="page", **more)


def book(*things: Any) -> Book:
    papers = []
    for thing in things:
        drawer = type(thing).__name__.lower()
        name = thing.name if isinstance(thing, (Person, Team)) else thing.id
        papers.append(Paper(drawer, name, "", msgspec.json.encode(thing)))
    return Book(papers, NOON)


def told(found: Book, of: Recorded | None = None) -> dict[str, tuple[str, list[str]]]:
    return {hit.place.id: (hit.schedule, [one.id for one in hit.rules]) for hit in found.match(of or event())}


def test_two_rules_for_one_place_are_one_hit_by_the_sooner_one() -> None:
    found = book(place("mail"), place("page"), rule("b", when="daily"), rule("a"), rule("c", "nova", to="page"))
    assert told(found) == {"mail": ("now", ["a", "b"]), "page": ("now", ["c"])}


def test_a_rule_that_is_off_excludes_or_has_no_ready_place_of_its_owners_says_nothing() -> None:
    assert told(book(place("mail"), rule("a", on=False))) == {}
    assert told(book(place("mail"), rule("a", exclude="project:openstack/*"))) == {}
    assert told(book(place("mail", state="unconfirmed"), rule("a"))) == {}
    assert told(book(place("mail", owner="ben"), rule("a"))) == {}
    assert told(book(rule("a"))) == {}


def test_what_they_did_themselves_is_left_out_unless_the_rule_wants_it() -> None:
    ada = Person(name="ada", names=("Ada L",))
    for actor in ("ada", "Ada L"):
        assert told(book(ada, place("mail"), rule("a")), event(actor=actor)) == {}
    assert told(book(ada, place("mail"), rule("a", own=True)), event(actor="Ada L")) == {"mail": ("now", ["a"])}


def test_me_and_team_are_their_names() -> None:
    team = Team(name="infra", members=("ada", "ben"))
    ada = Person(name="ada", names=("Ada L",))
    found = book(ada, team, place("mail"), rule("me", "actor:@me", own=True), rule("team", "(actor:@team)", own=True))
    assert told(found, event(actor="Ada L")) == {"mail": ("now", ["me", "team"])}
    assert told(found, event(actor="ben")) == {"mail": ("now", ["team"])}
    assert told(found, event(actor="zoe")) == {}
    assert told(book(ada, place("mail"), rule("text", "@me")), event(summary="thanks, Ada L")) != {}


@pytest.mark.parametrize("name", ["CORP\\ada", "ada\\", "a*", "a?", "(ada)", "NOT", "ada:lind", "-ada", "[a TO b]"])
def test_me_is_found_by_every_letter_of_a_name(name: str) -> None:
    ada = Person(name="ada", names=(name,))
    found = book(ada, place("mail"), rule("me", "actor:@me", own=True))
    assert told(found, event(actor=name)) == {"mail": ("now", ["me"])}
    assert told(found, event(actor="CORPada")) == told(found, event(actor="axy")) == {}


def test_a_muted_thread_is_silent_with_all_that_is_tied_to_it_until_it_ends() -> None:
    def muted(until: datetime | None = None) -> Book:
        return book(place("mail"), rule("a"), Mute(id="m", owner="ada", subject="story/7", until=until))

    assert told(muted(), event(subject="story/7")) == {}
    assert told(muted(), event(refs=("nova~1", "story/7"))) == {}
    assert told(muted(), event()) != {}
    assert told(muted(NOON), event(subject="story/7")) != {}
    assert told(muted(NOON + timedelta(seconds=1)), event(subject="story/7")) == {}


def test_a_teams_rule_goes_to_the_teams_place_or_to_each_member_who_did_not_leave() -> None:
    team = Team(name="infra", members=("ada", "ben", "cyd"))
    ours = rule("ours", owner="team:infra", to="room")
    assert told(book(team, place("room", "team:infra"), ours), event(actor="ada")) == {"room": ("now", ["ours"])}
    each = rule("each", owner="team:infra", to="members")
    cyd = Person(name="cyd", without=("each",))
    found = book(team, cyd, place("a", "ada"), place("b", "ben"), place("c", "cyd"), each, rule("own", to="a"))
    assert told(found) == {"a": ("now", ["each", "own"]), "b": ("now", ["each"])}
    assert told(found, event(actor="ben")) == {"a": ("now", ["each", "own"])}


def test_quiet_hours_are_the_persons_own() -> None:
    ada = Person(name="ada", zone="Europe/Berlin", quiet_from="22:00", quiet_to="07:00")
    found = book(ada, place("mail"), rule("a"))
    assert told(found, event(NOON)) == {"mail": ("now", ["a"])}
    night = datetime(2026, 3, 1, 21, 30, tzinfo=UTC)
    assert told(found, event(night)) == {"mail": ("quiet", ["a"])}
    assert when.due("quiet", ada, night) == datetime(2026, 3, 2, 6, tzinfo=UTC)
    assert when.due("hourly", ada, night) == datetime(2026, 3, 2, 6, tzinfo=UTC)
    assert when.due("hourly", ada, NOON) == datetime(2026, 3, 1, 13, tzinfo=UTC)
    assert when.due("daily", ada, NOON) == datetime(2026, 3, 2, 7, tzinfo=UTC)
    assert when.due("now", ada, night) is None


def test_a_day_with_a_changed_clock_still_ends_at_the_hour() -> None:
    ada = Person(name="ada", zone="Europe/Berlin", daily="08:00")
    assert when.due("daily", ada, datetime(2026, 3, 28, 12, tzinfo=UTC)) == datetime(2026, 3, 29, 6, tzinfo=UTC)
    assert when.due("daily", ada, datetime(2026, 10, 24, 12, tzinfo=UTC)) == datetime(2026, 10, 25, 7, tzinfo=UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}+00:00")


BERLIN = Person(name="ada", zone="Europe/Berlin", quiet_from="22:00", quiet_to="02:30", daily="02:30")


@pytest.mark.parametrize(("moment", "due"), [
    # Half past two comes twice: at 00:30 and at 01:30 UTC.
    ("10-25 00:10", "10-25 00:30"), ("10-25 00:40", "10-25 00:40"), ("10-25 01:10", "10-25 01:30"),
    ("10-25 01:30", "10-25 01:30"), ("10-24 21:00", "10-25 00:30"),
    # It does not come at all: 02:00 is 03:00.
    ("03-29 00:50", "03-29 01:30"), ("03-29 01:05", "03-29 01:05"), ("03-28 22:00", "03-29 01:30"),
])  # fmt: skip
def test_quiet_hours_end_in_the_future_also_when_clocks_are_changed(moment: str, due: str) -> None:
    assert when.due("quiet", BERLIN, utc(moment)) == utc(due)
    assert not when.quiet(BERLIN, utc(due))


def test_quiet_hours_of_nearly_a_day_end_on_a_later_day_when_their_end_is_left_out() -> None:
    ada = Person(name="ada", zone="Europe/Berlin", quiet_from="03:00", quiet_to="02:30")
    assert when.due("quiet", ada, utc("03-28 02:10")) == utc("03-30 00:30")


@pytest.mark.parametrize(("moment", "due"), [
    ("10-25 00:10", "10-25 00:30"), ("10-25 00:40", "10-26 01:30"), ("10-25 01:10", "10-26 01:30"),
    ("10-25 01:40", "10-26 01:30"),
    ("03-29 00:50", "03-29 01:30"), ("03-29 01:10", "03-29 01:30"), ("03-29 01:30", "03-30 00:30"),
])  # fmt: skip
def test_a_day_has_one_digest_also_when_clocks_are_changed(moment: str, due: str) -> None:
    assert when.due("daily", BERLIN, utc(moment)) == utc(due)


@pytest.mark.parametrize(("given", "field"), [
    (Draft(title="", to="x"), "title"), (Draft(title="a", to=""), "to"), (Draft(title="a", to="members"), "to"),
    (Draft(title="a", to="x", query="kind:("), "query"), (Draft(title="a", to="x", exclude="nofield:1"), "exclude"),
])  # fmt: skip
def test_what_is_wrong_with_a_rule_is_said_at_its_field(given: Draft, field: str) -> None:
    with pytest.raises(Refused) as refused:
        rules.checked_rule("1", "ada", given, NOON)
    assert refused.value.field == field


@pytest.mark.parametrize(("given", "field"), [
    (Profile(zone="Mars/Olympus"), "zone"), (Profile(quiet_from="25:00", quiet_to="07:00"), "quiet_from"),
    (Profile(quiet_from="22:00"), "quiet_to"), (Profile(daily=""), "daily"), (Profile(names=('a"b',)), "names"),
])  # fmt: skip
def test_what_is_wrong_with_a_person_is_said_at_its_field(given: Profile, field: str) -> None:
    with pytest.raises(Refused) as refused:
        rules.checked_person("ada", given)
    assert refused.value.field == field


@pytest.mark.parametrize("given", [
    Spot(kind="email", to="Ada <ada@example.org>"), Spot(kind="email", to="a@b\r\nBcc: c@d"),
    Spot(kind="irc", to="#channel"), Spot(kind="irc", to="nick quit"), Spot(kind="webhook", to="file:///etc/passwd"),
    Spot(kind="push", to="http://push.example/x", keys={"p256dh": "x", "auth": "y"}),
    Spot(kind="push", to="https://push.example/x"), Spot(kind="apprise", to="slack"),
    Spot(kind="webhook", to="http://h:99999/"), Spot(kind="webhook", to="http://[::1"),
    Spot(kind="webhook", to="http://h:0/"), Spot(kind="webhook", to="https:///path"),
    Spot(kind="webhook", to="http://h/\x00"), Spot(kind="webhook", to="https://h/a b"),
    Spot(kind="push", to="https://[::1", keys={"p256dh": "x", "auth": "y"}),
    Spot(kind="email", to="jürgen@example.org"), Spot(kind="email", to="ada@exämple.org"),
    Spot(kind="email", to="a\x00da@example.org"),
])  # fmt: skip
def test_an_address_that_cannot_be_one_is_refused(given: Spot) -> None:
    with pytest.raises(Refused):
        rules.checked_place("1", "ada", given)


def test_mail_and_nick_must_be_confirmed_first() -> None:
    assert rules.checked_place("1", "ada", Spot(kind="email", to="ada@example.org")).state == "unconfirmed"
    assert rules.checked_place("1", "ada", Spot(kind="irc", to="ada_`")).state == "unconfirmed"
    assert rules.checked_place("1", "ada", Spot(kind="page")).state == "ready"
