"""How a table says what a message means: templates filled from the message, or functions where words must be chosen.

In: a message's body. Out: `Said`: the line for people, link, people, packages, what it is about. A template's `{a.b}`
is the member `b` of `a`; `{a|b}` the first that is there; `{a:8}` its first 8 characters; `{@sender}` who published it.
What a template needs and the message does not have raises `Refused`; the message is then shown under its topic.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from firehose.errors import Refused
from firehose.sources.fedora.services.phrases import account
from firehose.sources.fedora.wire import Told
from firehose.wild import Wild

_PLACE: Final = re.compile(r"\{([^{}]+)\}")


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a message means. actor: who did it, "-" for nobody, "" when the service does not say. people, packages: bare
    names. about: the subject; refs: more subjects."""

    kind: str
    summary: str
    link: str = ""
    actor: str = ""
    people: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    about: str = ""
    refs: tuple[str, ...] = ()
    project: str = ""
    outcome: str = ""


class Body:
    """A message's body, for tables: texts by dotted path, missing ones empty."""

    def __init__(self, told: Told, accounts: Mapping[str, str], wild: Wild | None = None) -> None:
        self.told = told
        self._accounts = accounts
        self.wild = told.body if wild is None else wild

    def at(self, path: str) -> Wild:
        """What is at a path."""
        value = self.wild
        for step in path.split("."):
            if step.isdigit() and value.is_list():
                items = list(value.each())
                value = items[int(step)] if int(step) < len(items) else value[step]
            else:
                value = value[step]
        return value

    def __call__(self, path: str) -> str:
        """A text or number as text; "" when there is none, or anything else."""
        if path == "@sender":
            return self.told.sender
        value = self.at(path)
        if value.is_object() or value.is_list() or not value.present:
            return ""
        try:
            return value.word("")
        except Refused:
            return "true" if value.flag() else "false"

    def need(self, path: str) -> str:
        """The same, which must be there."""
        value = self(path)
        if not value:
            self.at(path).text()
            return ""
        return value

    def is_true(self, path: str) -> bool:
        """Whether there is something that counts as true."""
        value = self.at(path)
        if value.is_object():
            return any(True for _ in value.fields())
        return any(True for _ in value.each()) if value.is_list() else self(path) not in ("", "false", "0")

    def each(self, path: str) -> list[Body]:
        """The items of a list; nothing when there is none."""
        value = self.at(path)
        return [Body(self.told, self._accounts, item) for item in value.each()] if value.is_list() else []

    def names(self, path: str) -> list[str]:
        """The texts in a list; a lone text counts as a list of one."""
        value = self.at(path)
        if value.is_text():
            return [value.text()]
        return [item.word("") for item in value.each() if not item.is_object() and not item.is_list()] \
            if value.is_list() else []  # fmt: skip

    def keys(self, path: str) -> list[str]:
        """The names of an object's members; "" is the body itself."""
        value = self.at(path) if path else self.wild
        return [name for name, _ in value.fields()] if value.is_object() else []

    def account(self, name: str) -> str:
        """The account behind a nick, an address or an OpenID; the same text when it is not known."""
        return self._accounts.get(name) or account(name)

    @property
    def topic(self) -> list[str]:
        """The topic's words after the prefix."""
        return self.told.service.split(".")


Words = str | Callable[[Body], str]
Names = str | Callable[[Body], Sequence[str]]


_RUN: Final = {
    "queued": "queued",
    "running": "started",
    "success": "finished",
    "failure": "finished",
    "error": "finished",
    "cancel": "finished",
    "skipped": "finished",
}
PHASES: Final[dict[str, dict[str, str]]] = {
    "build": _RUN,
    "taskrun": _RUN,
    "pipelinerun": _RUN,
    "testsuiterun": _RUN,
    "change": {"success": "merged", "cancel": "abandoned"},
    "incident": {"failure": "detected", "success": "resolved"},
    "service": {"success": "deployed"},
}
"""Where one topic tells of several phases: the predicate by outcome; `updated` for any other."""


def kinds(kind: str) -> str:
    """A rule's kind, or all that it can become, in words."""
    predicates = dict.fromkeys([*PHASES.get(kind, {}).values(), "updated"])
    return kind if "." in kind else ", ".join(f"{kind}.{predicate}" for predicate in predicates)


def phase(kind: str, outcome: str) -> str:
    """A rule's kind, with the predicate that the outcome gives when it is only a noun."""
    return kind if "." in kind else f"{kind}.{PHASES[kind].get(outcome, 'updated')}"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What messages on a topic mean. kind: whole, or a noun of `PHASES`. people, packages: paths, separated by spaces,
    or a function; the first of the people did it, unless `actor` says who, or "-" for nobody. about, refs, project,
    link, outcome: templates or functions."""

    kind: str
    words: Words
    link: Words = ""
    people: Names = ""
    packages: Names = ""
    about: Words = ""
    refs: Words = ""
    project: Words = ""
    outcome: Words = ""
    actor: Words = ""


Table = dict[str, Rule]


def rule(kind: str, words: Words, link: Words = "", /, **more: object) -> Rule:
    """A row of a table."""
    return Rule(kind=kind, words=words, link=link, **more)  # type: ignore[arg-type]


def fill(words: Words, body: Body) -> str:
    """A template filled, or what a function says."""
    if not isinstance(words, str):
        try:
            return words(body)
        except (LookupError, ValueError):
            raise Refused("the message has another form than its service's", slug="bad-field", status=422) from None

    def value(found: re.Match[str]) -> str:
        paths, _, most = found[1].partition(":")
        options = paths.split("|")
        text = next((text for path in options[:-1] if (text := body(path))), "") or body.need(options[-1])
        return text[: int(most)] if most else text

    return _PLACE.sub(value, words)


def optional(words: Words, body: Body) -> str:
    """The same; "" when something is missing."""
    try:
        return fill(words, body)
    except Refused:
        return ""


def link(words: Words, body: Body) -> str:
    """A link that is safe to show, or none."""
    text = optional(words, body).strip()
    return text if text.startswith(("https://", "http://")) and text.isprintable() else ""


def names(given: Names, body: Body) -> tuple[str, ...]:
    """The names that a rule finds, once each."""
    try:
        found = given(body) if not isinstance(given, str) else [n for path in given.split() for n in _all(body, path)]
    except (Refused, LookupError, ValueError):
        return ()
    return tuple(dict.fromkeys(name for name in found if name))


def _all(body: Body, path: str) -> Sequence[str]:
    """The texts at a path; `[]` goes into each item of a list: `updates[].user.name`."""
    head, several, rest = path.partition("[]")
    if not several:
        return [body(path)]
    if not rest:
        return body.names(head)
    return [name for item in body.each(head) for name in _all(item, rest.lstrip("."))]


def apply(found: Rule, body: Body, otherwise: str) -> Said:
    """What a rule makes of a message. otherwise: the line when the rule's words need what the message does not have."""
    people = names(found.people, body)
    outcome = optional(found.outcome, body)
    actor = optional(found.actor, body) if found.actor else (people[0] if people else "")
    return Said(
        kind=phase(found.kind, outcome),
        summary=optional(found.words, body) or otherwise,
        link=link(found.link, body),
        actor=actor,
        people=people,
        packages=names(found.packages, body),
        about=optional(found.about, body),
        refs=tuple(optional(found.refs, body).split()),
        project=optional(found.project, body),
        outcome=outcome,
    )
