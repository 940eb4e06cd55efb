"""The book of rules, ready for events: who is told of an event, where, how soon and because of which rules.

In: papers, an event. Out: `Hit`s: at most one for each place, whatever number of rules ask for it. What people did
themselves, muted threads, teams that they left and places that are not ready are left out here, so the same answer
holds for live events, for digests and for a rule that is only tried. A book never changes; a new one is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
import structlog

from firehose.errors import Refused
from firehose.event import Recorded
from firehose.history.papers import Paper
from firehose.notify import rules, when
from firehose.notify.matching import Matcher
from firehose.notify.rules import MEMBERS, TEAM, Mute, Person, Place, Rule, Team
from firehose.query.tree import Node

log = structlog.get_logger("notify")
Left = Literal["own", "muted"]
_TYPES: Final[dict[str, type[Any]]] = {"person": Person, "team": Team, "place": Place, "rule": Rule, "mute": Mute}


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A place that is to be told. person: whose hours count, "" for a team's place. rules: why, soonest first."""

    place: Place
    person: str
    schedule: when.Schedule
    rules: tuple[Rule, ...]


class Aim(msgspec.Struct, frozen=True):
    """A rule with one of the places that it goes to, and whose place that is."""

    rule: Rule
    place: Place
    person: Person | None


class Book:
    """See the module. `people`, `teams`, `places`, `rules`, `mutes` by name or id."""

    def __init__(self, papers: Iterable[Paper], now: datetime) -> None:
        self.people: dict[str, Person] = {}
        self.teams: dict[str, Team] = {}
        self.places: dict[str, Place] = {}
        self.rules: dict[str, Rule] = {}
        self.mutes: dict[str, Mute] = {}
        self.letters: list[Paper] = []
        tables: dict[str, dict[str, Any]] = {
            "person": self.people, "team": self.teams, "place": self.places, "rule": self.rules, "mute": self.mutes
        }  # fmt: skip
        for paper in papers:
            if paper.drawer == "letter":
                self.letters.append(paper)
            elif paper.drawer in tables:
                tables[paper.drawer][paper.name] = msgspec.json.decode(paper.body, type=_TYPES[paper.drawer])
        self._now = now
        self._muted: dict[str, dict[str, datetime | None]] = {}
        for mute in self.mutes.values():
            self._muted.setdefault(mute.owner, {})[mute.subject] = mute.until
        self._actors = {name: frozenset(person.actors) for name, person in self.people.items()}
        self._aims = [aim for rule in self.rules.values() if rule.on for aim in self.aims(rule)]
        self._matcher = Matcher(
            [(node, aim) for aim in self._aims if aim.place.state == "ready" and (node := self.node(aim.rule))]
        )

    def __len__(self) -> int:
        return len(self._aims)

    def aims(self, rule: Rule) -> list[Aim]:
        """Where a rule goes. A place must be its owner's own."""
        if rule.to != MEMBERS:
            place = self.places.get(rule.to)
            if place is None or place.owner != rule.owner:
                return []
            return [Aim(rule, place, None if rule.owner.startswith(TEAM) else self.person(rule.owner))]
        team = self.teams.get(rule.owner.removeprefix(TEAM))
        found = []
        for name in team.members if team else ():
            person = self.person(name)
            place = self.preferred(person)
            if place is not None and rule.id not in person.without:
                found.append(Aim(rule, place, person))
        return found

    def person(self, name: str) -> Person:
        """Somebody, known or not."""
        return self.people.get(name) or Person(name=name)

    def preferred(self, person: Person) -> Place | None:
        """Where somebody wants a team's messages."""
        own = [place for place in self.places.values() if place.owner == person.name and place.state == "ready"]
        return next((place for place in own if place.id == person.prefers), own[0] if own else None)

    def node(self, rule: Rule, *, whole: bool = True) -> Node | None:
        """What a rule asks for; `whole` without what it excludes. None for one that can no longer be read."""
        team = self.teams.get(rule.owner.removeprefix(TEAM)) if rule.owner.startswith(TEAM) else None
        mates = [name for one in (team.members if team else ()) for name in self.person(one).actors]
        if team is None:
            joined = [other for other in self.teams.values() if rule.owner in other.members]
            mates = [name for other in joined for one in other.members for name in self.person(one).actors]
        mine = self.person(rule.owner).actors
        try:
            return rules.node(rule.query, rule.exclude if whole else "", mine, tuple(dict.fromkeys(mates)), self._now)
        except Refused as error:
            log.warning("a notification rule cannot be read", rule=rule.id, why=error.detail)
            return None

    def match(self, event: Recorded) -> list[Hit]:
        """Who is told of an event: one hit a place."""
        return self.hits(event, self._matcher.match(event))

    def hits(self, event: Recorded, aims: Sequence[Aim]) -> list[Hit]:
        """The hits of aims whose queries the event meets."""
        if not aims:
            return []
        by_place: dict[str, dict[str, Aim]] = {}
        for aim in aims:
            if not self.left_out(event, aim):
                by_place.setdefault(aim.place.id, {})[aim.rule.id] = aim
        return [self._hit(event, list(found.values())) for found in by_place.values()]

    def left_out(self, event: Recorded, aim: Aim) -> Left | None:
        """Why a rule that an event meets is silent about it, None when it is not."""
        person = aim.person
        # A team's place hears of everybody: nobody is "me" there.
        if person is not None and not aim.rule.own and event.envelope.actor in self._own(person):
            return "own"
        owner = person.name if person is not None else aim.rule.owner
        muted = self._muted.get(owner)
        if muted:
            for subject in (event.envelope.subject, *event.envelope.refs.split()):
                if subject in muted:
                    until = muted[subject]
                    if until is None or event.recorded < until:
                        return "muted"
        return None

    def at(self, event: Recorded, place: str) -> Hit | None:
        """What one place is told of an event, None when nothing."""
        return next((hit for hit in self.match(event) if hit.place.id == place), None)

    def nodes(self, place: str) -> list[Node]:
        """Everything that a place may be told of."""
        return [node for aim in self._aims if aim.place.id == place and (node := self.node(aim.rule))]

    def _own(self, person: Person) -> frozenset[str]:
        return self._actors.get(person.name) or frozenset(person.actors)

    def _hit(self, event: Recorded, aims: list[Aim]) -> Hit:
        how = {aim.rule.id: when.schedule(aim.rule.when, aim.person, event.recorded) for aim in aims}
        aims.sort(key=lambda aim: (when.ORDER.index(how[aim.rule.id]), aim.rule.title))
        first = aims[0]
        return Hit(
            place=first.place, person=first.person.name if first.person else "", schedule=how[first.rule.id],
            rules=tuple(aim.rule for aim in aims),
        )  # fmt: skip
