"""One Forgejo or Gitea webhook delivery, tamed: what all its events share, and what things are called here.

In: a delivery and the operator's settings, whose `kind` says which of the two it is. Out: a `Hook`, from which readers
make events with `event(...)`. Both send the same payloads under headers of their own; the subject grammar is explained
in the README.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal, TypedDict, Unpack

from firehose import source, subject
from firehose.errors import Refused
from firehose.event import Event, fingerprint
from firehose.wild import Wild, decode

ZEROS: Final = "0" * 40
MOST_REFS: Final = 40
TYPES: Final = {"forgejo": "org.forgejo.", "gitea": "io.gitea."}
BRANDS: Final = ("forgejo", "gitea", "gogs", "github")
"""Whose headers they send, best first: the same delivery carries several."""

# What the header "…-Event" calls a review; "…-Event-Type", where it is sent, already has our word.
_ALIASES: Final = {
    "pull_request_approved": "pull_request_review_approved",
    "pull_request_rejected": "pull_request_review_rejected",
}
_CLOSES: Final = re.compile(r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):? +#([0-9]{1,9})\b", re.IGNORECASE)
_REPOSITORIES: Final = (
    ("repository",),
    ("forkee",),
    ("run", "repository"),
    ("pull_request", "base", "repo"),
    ("pull_request", "head", "repo"),
    ("package", "repository"),
)
_OWNERS: Final = (
    ("repository", "owner"),
    ("package", "owner"),
    ("organization",),
)


class Settings(source.WebhookSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """url: the server's address ("" = where the payload says its repository is).

    refs_from: which of the two reports on a new or deleted branch or tag counts: `create` (and delete) or `push`.
    private_repositories: publish what happens in repositories that not everybody can read, too. Without it they count
    only when the source has an audience, which is not public.
    """

    refs_from: Literal["create", "push"] = "create"
    private_repositories: bool = False


class Details(TypedDict, total=False):
    """What a reader says of an event beyond kind, subject and summary. Names as in `Event`."""

    time: datetime | None
    link: str
    outcome: str
    severity: str
    refs: Iterable[str]
    text: str


class Hook:
    """A delivery with its headers and its common members."""

    def __init__(self, delivery: source.Delivery, settings: Settings) -> None:
        self.delivery = delivery
        self.settings = settings
        self.body = decode(delivery.body)
        self.name = event_name(delivery, self.body)
        self.action = self.body["action"].text("")
        self.repository = self._repository()
        self.project = self.repository["full_name"].text("")
        people = (self.body["sender"], self.body["pusher"], self.body.at("run", "trigger_user"))
        self.actor = next(filter(None, map(_login, people)), "")
        found = (delivery.headers.get(f"x-{brand}-delivery", "") for brand in BRANDS)
        self.id = next(filter(None, found), "") or fingerprint(self.name, delivery.body)
        self.source = settings.url.rstrip("/") or self._address()

    def _repository(self) -> Wild:
        # A fork's report has the new repository as `repository` and the one it comes from as `forkee`.
        places = ("forkee", "repository") if self.name == "fork" else ("repository", "run.repository")
        found = [self.body.at(*place.split(".")) for place in places]
        return next((place for place in found if place.present), found[0])

    def _address(self) -> str:
        page = self.repository["html_url"].link()
        root = page.removesuffix(f"/{self.project}") if self.project else ""
        return root if root and root != page else f"urn:firehose:{self.delivery.source}"

    @property
    def native(self) -> str:
        """The sender's word: `pull_request.opened`."""
        return f"{self.name}.{self.action}" if self.action else self.name

    @property
    def private(self) -> bool:
        """Whether any repository in the payload, or its owner, is one that not everybody can see."""
        repositories = (self.body.at(*path) for path in _REPOSITORIES)
        owners = (self.body.at(*path, "visibility") for path in _OWNERS)
        return any(repo["private"].flag(False) or repo["internal"].flag(False) for repo in repositories) or any(
            (owner.text("") or "public") != "public" for owner in owners
        )

    @property
    def unsaid(self) -> bool:
        """Whether nothing in the payload says who can see the repository, or its owner; Forgejo says so of each."""
        repositories = (self.body.at(*path) for path in _REPOSITORIES)
        owners = (self.body.at(*path, "visibility") for path in _OWNERS)
        return not any(repo["private"].present for repo in repositories) and not any(o.present for o in owners)

    @property
    def who(self) -> str:
        """The actor for a sentence."""
        return self.actor or "somebody"

    @property
    def home(self) -> str:
        """The subject of the repository itself."""
        return subject.escape(self.project)

    def thing(self, noun: str, *parts: str) -> str:
        """The subject of a thing within the repository: `release/owner/repository/v1`."""
        return "/".join([noun, *(subject.escape(part) for part in (self.project, *parts) if part)])

    def numbered(self, number: Wild) -> str:
        """The subject of an issue or pull request: `owner/repository#12`."""
        return f"{self.home}#{subject.escape(number.word())}"

    def ref(self, name: str) -> str:
        """The subject of a branch or tag, by its full name: `owner/repository@refs/heads/main`."""
        return subject.ref(self.project, name)

    def mentioned(self, text: str) -> list[str]:
        """The issues that a text says it closes."""
        found = (f"{self.home}#{number}" for number in _CLOSES.findall(text[:20_000]))
        return list(dict.fromkeys(found))[:MOST_REFS]

    def event(self, kind: str, about: str, summary: str, **details: Unpack[Details]) -> Event:
        """The event of this delivery."""
        refs = (ref for ref in details.get("refs", ()) if ref and ref != about)
        return Event(
            id=self.id,
            source=self.source,
            type=TYPES.get(self.settings.kind, TYPES["forgejo"]) + self.native,
            kind=kind,
            subject=about,
            time=details.get("time") or self.delivery.received,
            project=self.project,
            actor=self.actor,
            summary=summary,
            link=details.get("link", ""),
            outcome=details.get("outcome", ""),
            severity=details.get("severity", "info"),
            refs=tuple(dict.fromkeys(refs)),
            data=self.delivery.body,
            text=details.get("text", ""),
            audience=self.settings.audience,
        )


def event_name(delivery: source.Delivery, body: Wild) -> str:
    """What the headers call the event; `Refused` when they do not: the body alone does not tell."""
    headers = delivery.headers
    for suffix in ("event-type", "event"):
        for brand in BRANDS:
            name = headers.get(f"x-{brand}-{suffix}", "").strip()
            if name == "pull_request_comment" and body["review"].present:
                return "pull_request_review_comment"
            if name:
                return _ALIASES.get(name, name)
    raise Refused(
        "none of X-Forgejo-Event and X-Gitea-Event is there, and the body alone does not tell the event; "
        "give it: --header 'X-Forgejo-Event: pull_request'",
        slug="missing-header",
        field="x-forgejo-event",
    )


def _login(person: Wild) -> str:
    return person["login"].text("") or person["username"].text("")


def commit(sha: Wild) -> str:
    """The subject of a commit: `commit/<sha>`, "" when there is none."""
    text = sha.text("")
    return f"commit/{subject.escape(text)}" if text and text.strip("0") else ""


def short(hook: Hook, item: Wild) -> str:
    """What people call an issue or pull request: `owner/repository#12`."""
    return f"{hook.project}#{item['number'].word()}"


def tail(item: Wild) -> str:
    """The end of a summary: `: Title`."""
    title = item["title"].text("")
    return f": {title}" if title else ""


def labels(item: Wild) -> str:
    """The labels of an issue or pull request, as searchable words."""
    return " ".join(label["name"].text("") for label in item["labels"].each())


def many(count: int, noun: str) -> str:
    """`1 commit`, `3 commits`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
