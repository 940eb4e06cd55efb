"""The desk where people keep their rules: everything that the page and the API can do, for one person at a time.

In: a person's name (who they are was settled before), what they want. Out: values, kept durably when a call returns,
and known to the notifier of this process at once. `Refused` names the field. Nobody reaches what is not theirs or
their team's; what is not theirs does not exist for them.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from firehose.errors import GiveUp, Refused
from firehose.history.papers import Paper, Papers, Told
from firehose.history.reader import Reader
from firehose.notify import rules, trying
from firehose.notify.book import Book
from firehose.notify.carriers import Carriers
from firehose.notify.links import Links, Reason
from firehose.notify.notifier import Notifier
from firehose.notify.rules import (
    MOST_PLACES,
    MOST_RULES,
    TEAM,
    Draft,
    Mute,
    Person,
    Place,
    Profile,
    Rule,
    Spot,
    Team,
)
from firehose.notify.trying import Trial
from firehose.plumbing.clock import Now
from firehose.plumbing.webpush import Subscription, Vapid

DAYS: Final = 7
MOST_DAYS: Final = 90
MOST_MUTES: Final = 500
MOST_HOURS: Final = 87_600
"""Ten years."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is somebody's: themselves, their teams, and rules, places and mutes, the teams' included."""

    person: Person
    teams: tuple[Team, ...]
    places: tuple[Place, ...]
    rules: tuple[Rule, ...]
    mutes: tuple[Mute, ...]


@dataclass(frozen=True, kw_only=True)
class Desk:
    """See the module. `notifier` None: another process tells, and hears of changes by itself."""

    papers: Papers
    reader: Reader
    carriers: Carriers
    links: Links
    vapid: Vapid
    now: Now
    notifier: Notifier | None = None

    async def book(self) -> Book:
        """The book as it is on disk."""
        return await asyncio.to_thread(lambda: Book(self.papers.all(), self.now()))

    async def kept(self, name: str) -> Kept:
        """Everything of one person."""
        book = await self.book()
        own = owners(book, name)
        return Kept(
            person=book.person(name), teams=tuple(team for team in book.teams.values() if name in team.members),
            places=tuple(place for place in book.places.values() if place.owner in own),
            rules=tuple(sorted((rule for rule in book.rules.values() if rule.owner in own), key=lambda one: one.title)),
            mutes=tuple(mute for mute in book.mutes.values() if mute.owner in own),
        )  # fmt: skip

    async def told(self, name: str, after: datetime | None = None, limit: int = 50) -> list[Told]:
        """What somebody was told last, newest first."""
        return await asyncio.to_thread(lambda: self.papers.recent(name, after=after, limit=limit))

    # -- rules

    async def draft(self, name: str, draft: Draft, id_: str = "") -> Rule:
        """A rule as it would be kept; nothing is."""
        book = await self.book()
        owner = owning(book, name, draft.owner)
        rule = rules.checked_rule(id_ or "new", owner, draft, self.now())
        place = book.places.get(rule.to)
        if rule.to != rules.MEMBERS and (place is None or place.owner != owner):
            raise rules.bad("to", "there is no such place; a rule goes to a place of its owner")
        return rule

    async def save_rule(self, name: str, draft: Draft, id_: str = "") -> Rule:
        """Keep a rule, a new one or (with an id) in place of an old one."""
        book = await self.book()
        if id_:
            theirs(book, name, book.rules.get(id_), "rule")
        elif sum(1 for rule in book.rules.values() if rule.owner == owning(book, name, draft.owner)) >= MOST_RULES:
            raise Refused(f"nobody has more than {MOST_RULES} rules; join some with OR", slug="too-many", status=409)
        rule = await self.draft(name, draft, id_ or secrets.token_hex(6))
        await self._put("rule", rule.id, rule.owner, rule)
        return rule

    async def drop_rule(self, name: str, id_: str) -> None:
        """Throw a rule away."""
        book = await self.book()
        theirs(book, name, book.rules.get(id_), "rule")
        await self._drop("rule", id_)

    async def attempt(self, name: str, draft: Draft, days: int = DAYS, id_: str = "") -> Trial:
        """What a rule would have said over the last days."""
        if not 1 <= days <= MOST_DAYS:
            raise rules.bad("days", f"a number from 1 to {MOST_DAYS}")
        rule = await self.draft(name, draft, id_)
        return await trying.attempt(await self.book(), rule, days, self.reader, self.now)

    async def starters(self, name: str) -> list[tuple[rules.Starter, Trial]]:
        """The ready rules, each with what it would have said."""
        book = await self.book()
        found = []
        for starter in rules.STARTERS:
            rule = Rule(id="new", owner=name, title=starter.title, query=starter.query, to="", when=starter.when)
            found.append((starter, await trying.attempt(book, rule, DAYS, self.reader, self.now)))
        return found

    # -- places

    async def save_place(self, name: str, given: Spot) -> Place:
        """Keep a new place; mail and nicks are written to once, to be confirmed."""
        book = await self.book()
        owner = owning(book, name, given.owner)
        if owner != name and given.kind in ("page", "push"):
            raise rules.bad("kind", "a page or a browser is one person's; a team's rule reaches them by members")
        own = [place for place in book.places.values() if place.owner == owner]
        place = rules.checked_place(secrets.token_hex(6), owner, given)
        for other in own:
            # The same browser or page again is the same place.
            if (other.kind, other.to) == (place.kind, place.to):
                place = msgspec.structs.replace(place, id=other.id, state=_again(other, place))
        if len(own) >= MOST_PLACES and place.id not in book.places:
            raise Refused(f"nobody has more than {MOST_PLACES} places", slug="too-many", status=409)
        problem = self.carriers.problem(place)
        if problem:
            raise rules.bad("to", problem)
        if place.kind == "push":
            self._check_push(place)
        await self._put("place", place.id, owner, place)
        if place.state == "unconfirmed":
            await self._letter(place, "confirm")
        return place

    async def drop_place(self, name: str, id_: str) -> None:
        """Forget a place; rules that went there stay, and go nowhere until they are given another."""
        book = await self.book()
        theirs(book, name, book.places.get(id_), "place")
        await self._drop("place", id_)

    async def try_place(self, name: str, id_: str) -> Place:
        """Send a test to a place, or once more what confirms it; one that was stopped is tried again."""
        book = await self.book()
        place: Place = theirs(book, name, book.places.get(id_), "place")
        if place.state == "stopped":
            place = msgspec.structs.replace(place, state="ready", why="")
            await self._put("place", id_, place.owner, place)
        await self._letter(place, "confirm" if place.state == "unconfirmed" else "test")
        return place

    async def confirm(self, word: str, *, act: bool) -> Place:
        """What a link confirms; with `act` it is confirmed."""
        book = await self.book()
        id_ = self.links.confirmed(word, lambda place: book.places[place].to if place in book.places else "")
        place = book.places[id_]
        if act and place.state == "unconfirmed":
            place = msgspec.structs.replace(place, state="ready")
            await self._put("place", id_, place.owner, place)
        return place

    # -- themselves, teams, mutes

    async def save_person(self, name: str, given: Profile) -> Person:
        """Keep what somebody says of themselves."""
        book = await self.book()
        person = rules.checked_person(rules.who(name), given, book.person(name).without)
        await self._put("person", name, name, person)
        return person

    async def save_team(self, name: str, team: str, members: tuple[str, ...]) -> Team:
        """Keep a team: a new one, or one that the person is in. Without members it is gone, with all that it has."""
        book = await self.book()
        old = book.teams.get(rules.who(team))
        if old is not None and name not in old.members:
            raise Refused(f"only members change the team {team!r}", slug="not-yours", status=403)
        made = Team(name=team, members=tuple(dict.fromkeys(map(rules.who, members))))
        if old is None and name not in made.members:
            raise rules.bad("members", "whoever makes a team is in it")
        if made.members:
            await self._put("team", team, TEAM + team, made)
        else:
            for paper in await asyncio.to_thread(self.papers.all, TEAM + team):
                await asyncio.to_thread(self.papers.drop, paper.drawer, paper.name)
            await self._heard()
        return made

    async def mute(self, name: str, subject: str, hours: float = 0) -> Mute:
        """Say nothing more of a thread: of the subject and what is tied to it. hours: 0 is for good."""
        subject = subject.strip()
        if not subject or len(subject) > 1_000:
            raise rules.bad("subject", "the subject of the thread, as its events have it")
        if not 0 <= hours <= MOST_HOURS:
            raise rules.bad("hours", f"a number from 0 (for good) to {MOST_HOURS}")
        book = await self.book()
        own = [mute for mute in book.mutes.values() if mute.owner == name]
        same = next((mute.id for mute in own if mute.subject == subject), "")
        if not same and len(own) >= MOST_MUTES:
            raise Refused(f"nobody has more than {MOST_MUTES} muted threads", slug="too-many", status=409)
        until = self.now() + timedelta(hours=hours) if hours > 0 else None
        mute = Mute(id=same or secrets.token_hex(6), owner=name, subject=subject, until=until)
        await self._put("mute", mute.id, name, mute)
        return mute

    async def unmute(self, name: str, id_: str) -> None:
        """Hear of a thread again."""
        book = await self.book()
        theirs(book, name, book.mutes.get(id_), "mute")
        await self._drop("mute", id_)

    # -- by the links of a message

    async def why(self, word: str) -> tuple[Reason, Place | None, list[Rule]]:
        """What a message's link says: the place, and those of its rules that are still kept."""
        reason = self.links.read(word)
        book = await self.book()
        found = [book.rules[id_] for id_ in reason.rules if id_ in book.rules]
        return reason, book.places.get(reason.place), found

    async def stop(self, word: str) -> None:
        """Stop what sent a message: its own rules are switched off; of a team's, the person leaves."""
        _, place, found = await self.why(word)
        for rule in found:
            await self._stop_rule(rule, place)

    async def later(self, word: str) -> None:
        """Less of it: the rules of a message tell once a day from now on; a team's rules are left as they are."""
        _, place, found = await self.why(word)
        for rule in found:
            if place is not None and rule.owner == place.owner:
                await self._change_rule(rule.id, lambda old: msgspec.structs.replace(old, when="daily"))

    async def narrow(self, word: str, term: str) -> None:
        """Less of it: the rules of a message exclude one thing more (`kind:change.reviewed`)."""
        _, place, found = await self.why(word)
        for rule in found:
            if place is not None and rule.owner == place.owner:
                await self._change_rule(rule.id, lambda old: _narrower(old, term))

    async def quiet_thread(self, word: str, subject: str) -> None:
        """Mute a thread for whoever the message went to."""
        _, place, _ = await self.why(word)
        if place is not None:
            await self.mute(place.owner, subject)

    async def _stop_rule(self, rule: Rule, place: Place | None) -> None:
        if place is None or rule.owner == place.owner:
            await self._change_rule(rule.id, lambda old: msgspec.structs.replace(old, on=False))
            return
        book = await self.book()
        person = book.person(place.owner)
        if rule.id not in person.without:
            left = msgspec.structs.replace(person, without=(*person.without, rule.id))
            await self._put("person", person.name, person.name, left)

    async def _change_rule(self, id_: str, how: Callable[[Rule], Rule]) -> None:
        def changed(paper: Paper) -> Paper:
            made = how(msgspec.json.decode(paper.body, type=Rule))
            return msgspec.structs.replace(paper, body=msgspec.json.encode(made))

        await asyncio.to_thread(self.papers.change, "rule", id_, changed)
        await self._heard()

    def _check_push(self, place: Place) -> None:
        keys = msgspec.json.decode(place.secret, type=dict[str, str])
        try:
            self.vapid.request(Subscription(place.to, keys["p256dh"], keys["auth"]), b"{}", self.now())
        except GiveUp as error:
            raise rules.bad("keys", error.detail) from None

    async def _letter(self, place: Place, what: str) -> None:
        body = {"place": place.id, "what": what}
        await self._put("letter", f"{what}{place.id}", place.owner, body)

    async def _put(self, drawer: str, id_: str, owner: str, value: Any) -> None:
        await asyncio.to_thread(self.papers.put, Paper(drawer, id_, owner, msgspec.json.encode(value)))
        await self._heard()

    async def _drop(self, drawer: str, id_: str) -> None:
        await asyncio.to_thread(self.papers.drop, drawer, id_)
        await self._heard()

    async def _heard(self) -> None:
        if self.notifier is not None:
            await self.notifier.load()


def owners(book: Book, name: str) -> set[str]:
    """Whose things somebody may see and change: their own and their teams'."""
    return {name, *(TEAM + team.name for team in book.teams.values() if name in team.members)}


def owning(book: Book, name: str, wanted: str) -> str:
    """The owner of something new; `Refused` when it is neither the person nor a team of theirs."""
    owner = wanted or name
    if owner not in owners(book, name):
        raise rules.bad("owner", f"{owner[:60]!r} is neither you nor a team of yours (team:<name>)")
    return owner


def theirs(book: Book, name: str, found: Any, what: str) -> Any:
    """Something that somebody may change; `Refused` (404) when it is not there for them."""
    if found is None or found.owner not in owners(book, name):
        raise Refused(f"you have no such {what}", slug="not-found", status=404)
    return found


def _narrower(rule: Rule, term: str) -> Rule:
    exclude = f"({rule.exclude}) OR {term}" if rule.exclude and term not in rule.exclude else rule.exclude or term
    return msgspec.structs.replace(rule, exclude=exclude)


def _again(old: Place, new: Place) -> Any:
    return "ready" if old.state == "ready" or new.state == "ready" else "unconfirmed"
