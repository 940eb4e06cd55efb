"""What people keep: who they are, where they want to hear, the rules, what is muted. Values only, checked here.

In: what somebody typed or a program sent. Out: frozen values, or `Refused` that names the field and what would work.
It knows no database, no clock and nobody's password; whose token spoke is decided in `web/`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, time
from email.utils import parseaddr
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from firehose import urls
from firehose.errors import Refused
from firehose.query.parse import parse
from firehose.query.tree import Node, Not, both
from firehose.query.write import quoted

When = Literal["now", "hourly", "daily"]
PlaceKind = Literal["page", "email", "irc", "apprise", "webhook", "push"]
State = Literal["ready", "unconfirmed", "stopped"]
MEMBERS: Final = "members"
"""A team's rule that goes to every member, at the place each one prefers."""
TEAM: Final = "team:"
MOST_RULES: Final = 200
MOST_PLACES: Final = 20
MOST_NAMES: Final = 50
LONGEST: Final = 2_000
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
_NICK: Final = re.compile(r"[A-Za-z\[\]\\`_^{|}][A-Za-z0-9\[\]\\`_^{|}-]{0,63}")
_SELF: Final = re.compile(r"(?<![^\s(:-])@(me|team)(?![^\s)])")


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is told. name: as the token says. names: how sources call them, for `@me` and "not my own".
    zone: an IANA time zone; quiet_from, quiet_to: `HH:MM`, nothing at once in between ("" is never); daily: `HH:MM`.
    prefers: the place for a team's messages ("" is the first that is ready). without: rules of teams that they left."""

    name: str
    names: tuple[str, ...] = ()
    zone: str = "UTC"
    quiet_from: str = ""
    quiet_to: str = ""
    daily: str = "08:00"
    prefers: str = ""
    without: tuple[str, ...] = ()

    @property
    def actors(self) -> tuple[str, ...]:
        """Every name that is them."""
        return tuple(dict.fromkeys((*self.names, self.name)))


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """People who share rules and places. Every member may change all of it."""

    name: str
    members: tuple[str, ...]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody hears. owner: a person's name, or `team:<name>`. to: an address, nick, URL; secret: what a push
    subscription or a webhook's signature needs. A place that is not `ready` gets nothing; `why` says the reason."""

    id: str
    owner: str
    kind: PlaceKind
    title: str = ""
    to: str = ""
    secret: str = ""
    state: State = "ready"
    why: str = ""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What to tell. query, exclude: the query language, with `@me` and `@team` for the owner's names. own: also what
    they did themselves. to: a place's id, or `members`. when: at once, or together every hour or day."""

    id: str
    owner: str
    title: str
    query: str = ""
    exclude: str = ""
    own: bool = False
    to: str
    when: When = "now"
    on: bool = True


class Mute(msgspec.Struct, frozen=True, kw_only=True):
    """A thread that somebody wants nothing more of: everything about a subject or tied to it. until: None is for
    good."""

    id: str
    owner: str
    subject: str
    until: datetime | None = None


class Draft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule as somebody writes it. owner: "" is themselves."""

    title: str = ""
    owner: str = ""
    query: str = ""
    exclude: str = ""
    own: bool = False
    to: str = ""
    when: When = "now"
    on: bool = True


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person as they write themselves."""

    names: tuple[str, ...] = ()
    zone: str = "UTC"
    quiet_from: str = ""
    quiet_to: str = ""
    daily: str = "08:00"
    prefers: str = ""


class Spot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place as somebody writes it. keys: a push subscription's."""

    kind: PlaceKind
    to: str = ""
    title: str = ""
    owner: str = ""
    secret: str = ""
    keys: dict[str, str] = msgspec.field(default_factory=dict)


class Starter(msgspec.Struct, frozen=True):
    """A rule to begin with: its words, why one may want it, what it asks."""

    name: str
    title: str
    why: str
    query: str
    when: When = "now"


STARTERS: Final = (
    Starter("mine", "What happens to my changes",
            "Reviews, votes, merges and test results of whatever names you, but not what you did yourself.",
            "@me (kind:change.* OR kind:pipelinerun.* OR kind:taskrun.*)"),
    Starter("failed", "What fails", "Every run that ends in failure or error, together once an hour.",
            "kind:pipelinerun.finished (outcome:failure OR outcome:error)", "hourly"),
    Starter("merged", "What merges", "The day's merged changes, in one message.", "kind:change.merged", "daily"),
    Starter("incidents", "Incidents", "What the hub or a monitor reports as broken, at once.",
            "kind:incident.*"),
)  # fmt: skip
"""Rules for those who have none."""


def who(name: str) -> str:
    """A person's or team's name, if it can be one."""
    if not _NAME.fullmatch(name):
        raise bad("name", f"{name[:40]!r} is no name: letters, digits, '-' and '_', at most 100")
    return name


def checked_person(name: str, given: Profile, without: tuple[str, ...] = ()) -> Person:
    """Somebody as they say they are; `Refused` names the field."""
    names = tuple(dict.fromkeys(" ".join(one.split()) for one in given.names if one.strip()))
    if len(names) > MOST_NAMES or any(len(one) > 200 or '"' in one for one in names):
        raise bad("names", f"at most {MOST_NAMES} names of 200 characters, without quotes")
    zone(given.zone)
    for field in ("quiet_from", "quiet_to", "daily"):
        text = getattr(given, field)
        if text or field == "daily":
            hour(text, field)
    if bool(given.quiet_from) != bool(given.quiet_to):
        raise bad("quiet_to" if given.quiet_from else "quiet_from", "quiet hours have a beginning and an end")
    return Person(
        name=name, names=names, zone=given.zone, quiet_from=given.quiet_from, quiet_to=given.quiet_to,
        daily=given.daily, prefers=given.prefers, without=without,
    )  # fmt: skip


def checked_rule(id_: str, owner: str, draft: Draft, now: datetime) -> Rule:
    """A rule as it can be kept; `Refused` says where a query is wrong."""
    title = " ".join(draft.title.split())[:200]
    if not title:
        raise bad("title", "a rule needs a title: it is what a message says as the reason")
    for field in ("query", "exclude"):
        check_query(field, getattr(draft, field), now)
    if owner.startswith(TEAM) and "@me" in _selves(draft.query + " " + draft.exclude):
        raise bad("query", "a team's rule has no @me: write @team")
    if not draft.to:
        raise bad("to", "say where: the id of a place, or members for a team's rule")
    if draft.to == MEMBERS and not owner.startswith(TEAM):
        raise bad("to", "members is for rules of a team")
    return Rule(
        id=id_, owner=owner, title=title, query=draft.query.strip(), exclude=draft.exclude.strip(), own=draft.own,
        to=draft.to, when=draft.when, on=draft.on,
    )  # fmt: skip


def check_query(field: str, text: str, now: datetime) -> None:
    """Refuse a query that cannot be read, under the name of its field."""
    if len(text) > LONGEST:
        raise bad(field, f"at most {LONGEST} characters")
    try:
        parse(text, now)
    except Refused as error:
        raise Refused(error.detail, slug=error.slug, field=field, extra=error.extra) from None


def node(query: str, exclude: str, mine: Sequence[str], team: Sequence[str], now: datetime) -> Node:
    """What a rule asks for, with `@me` and `@team` put in."""
    wanted = parse(named(query, mine, team), now)
    if not exclude.strip():
        return wanted
    return both(wanted, Not(parse(named(exclude, mine, team), now)))


def named(text: str, mine: Sequence[str], team: Sequence[str]) -> str:
    """The query with the names of people for `@me` and `@team`; nobody's name is one that no event has."""

    def names(found: re.Match[str]) -> str:
        known = mine if found[1] == "me" else team
        return "(" + " OR ".join(quoted(name) for name in known or ("nobody-at-all",)) + ")"

    return _SELF.sub(names, text)


def _selves(text: str) -> set[str]:
    return {found[0] for found in _SELF.finditer(text)}


def checked_place(id_: str, owner: str, given: Spot) -> Place:
    """A place as it can be kept. Whether requests may go there is decided when they do. Mail addresses and nicks must
    be confirmed by whoever reads them; the others can only disturb who entered them, or ask for a signature."""
    to, secret, state = given.to.strip(), given.secret, "ready"
    match given.kind:
        case "page":
            to = ""
        case "email":
            state = "unconfirmed"
            if not _mailbox(to):
                raise bad("to", f"{to[:80]!r} is not a mail address in ASCII letters, such as ada@example.org")
        case "irc":
            state = "unconfirmed"
            if not _NICK.fullmatch(to):
                raise bad("to", f"{to[:40]!r} is not a nick; channels are the operator's, in [sinks.…]")
        case "webhook":
            if not _url(to, ("https", "http")):
                raise bad("to", "a webhook is an http or https URL")
        case "push":
            if not _url(to, ("https",)) or not {"p256dh", "auth"} <= given.keys.keys():
                raise bad("to", "a push subscription has an https endpoint and the keys p256dh and auth")
            secret = msgspec.json.encode({key: given.keys[key][:200] for key in ("p256dh", "auth")}).decode()
        case "apprise":
            if "://" not in to or len(to) > LONGEST:
                raise bad("to", "an Apprise URL begins with its service, such as slack://")
    title = " ".join(given.title.split())[:100]
    return Place(id=id_, owner=owner, kind=given.kind, title=title, to=to, secret=secret, state=state)  # type: ignore[arg-type]


def _mailbox(text: str) -> bool:
    written = re.fullmatch(r"[!-~]+", text) and re.fullmatch(r"[^@<>,;:\"]+@[^@<>,;:\"]+", text)
    return written is not None and len(text) <= 254 and parseaddr(text)[1] == text


def _url(text: str, schemes: Sequence[str]) -> bool:
    return not urls.problem(text, schemes) and len(text) <= LONGEST and text.isprintable() and " " not in text


def zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise bad("zone", f"there is no time zone {name[:60]!r}; such as Europe/Berlin or UTC") from None


def hour(text: str, field: str) -> time:
    """A time of day, `HH:MM`."""
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text):
        raise bad(field, f"{text[:20]!r} is no time of day such as 07:30")
    return time.fromisoformat(text)


def bad(field: str, why: str, **extra: Any) -> Refused:
    """What is wrong with a field."""
    return Refused(why, slug="bad-field", field=field, extra=extra)
