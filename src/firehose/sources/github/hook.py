"""One GitHub webhook delivery, tamed: what all its events share, and the names that GitHub's things have here.

In: a delivery and the operator's settings. Out: a `Hook`, from which readers make events with `event(...)`. It knows
no kind of event; the subject grammar below is explained in the README.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal, TypedDict, Unpack
from urllib.parse import urlsplit

from firehose import source, subject
from firehose.errors import Refused
from firehose.event import Event, fingerprint
from firehose.wild import Wild, decode

TYPE: Final = "com.github."
ZEROS: Final = "0" * 40
_CLOSES: Final = re.compile(r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):? +#([0-9]{1,9})\b", re.IGNORECASE)
_API_PULL: Final = re.compile(r"/repos/([^/\s]{1,100}/[^/\s]{1,100})/pulls/[0-9]{1,9}$")
MOST_REFS: Final = 40
_REPOSITORIES: Final = (
    ("repository",),
    ("forkee",),
    ("pull_request", "base", "repo"),
    ("pull_request", "head", "repo"),
    ("workflow_run", "head_repository"),
    ("changes", "new_repository"),
    ("sub_issue_repo",),
    ("parent_issue_repo",),
    ("blocked_issue_repo",),
    ("blocking_issue_repo",),
)
"""Where a payload describes a repository; each may be private though the others are not."""


class Settings(source.WebhookSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """url: the server, for GitHub Enterprise its own address.

    refs_from: which of GitHub's two reports on a new or deleted branch or tag counts: `push` or `create` (and delete).
    private_repositories: publish what happens in private and internal repositories, too. Without it they count only
    when the source has an audience, which is not public.
    """

    url: str = "https://github.com"
    refs_from: Literal["push", "create"] = "push"
    private_repositories: bool = False


class Details(TypedDict, total=False):
    """What a reader says of an event beyond kind, subject and summary. Names as in `Event`."""

    time: datetime | None
    link: str
    outcome: str
    severity: str
    refs: Iterable[str]
    text: str
    actor: str
    project: str
    part: str
    type: str


class Hook:
    """A delivery with its headers and its common members."""

    def __init__(self, delivery: source.Delivery, settings: Settings) -> None:
        self.delivery = delivery
        self.settings = settings
        self.name = event_name(delivery)
        self.body = decode(delivery.body)
        self.action = self.body["action"].text("")
        self.repository = self.body["repository"]
        self.project = self.repository["full_name"].text("") or self.body.at("organization", "login").text("")
        self.actor = self.body.at("sender", "login").text("")
        self.id = delivery.headers.get("x-github-delivery", "") or fingerprint(self.name, delivery.body)
        host = delivery.headers.get("x-github-enterprise-host", "")
        self.source = settings.url.rstrip("/") or f"https://{host or 'github.com'}"

    @property
    def native(self) -> str:
        """GitHub's word: `pull_request.opened`."""
        return f"{self.name}.{self.action}" if self.action else self.name

    @property
    def private(self) -> bool:
        """Whether any repository in the payload is one that not everybody can read."""
        for path in _REPOSITORIES:
            repository = self.body.at(*path)
            if repository.present and (
                repository["private"].flag(False) or repository["visibility"].text("public") != "public"
            ):
                return True
        return False

    @property
    def unsaid(self) -> bool:
        """Whether no repository in the payload says who can read it; GitHub says so of each."""
        found = (self.body.at(*path) for path in _REPOSITORIES)
        return not any(repo["private"].present or repo["visibility"].present for repo in found)

    @property
    def who(self) -> str:
        """The actor for a sentence."""
        return self.actor or "somebody"

    @property
    def home(self) -> str:
        """The subject of the repository itself: `octo/cat`."""
        return subject.escape(self.project)

    def thing(self, noun: str, *parts: str) -> str:
        """The subject of a thing within the repository: `release/octo/cat/v1`."""
        return "/".join([noun, *(subject.escape(part) for part in (self.project, *parts))])

    def numbered(self, number: Wild, project: str = "") -> str:
        """The subject of an issue, pull request or discussion: `octo/cat#12`."""
        return f"{subject.escape(project or self.project)}#{subject.escape(number.word())}"

    def ref(self, name: str) -> str:
        """The subject of a branch or tag, by its full name: `octo/cat@refs/heads/main`."""
        return subject.ref(self.project, name)

    def mentioned(self, text: str) -> list[str]:
        """The issues that a text says it closes."""
        found = (f"{subject.escape(self.project)}#{number}" for number in _CLOSES.findall(text[:20_000]))
        return list(dict.fromkeys(found))[:MOST_REFS]

    def event(self, kind: str, about: str, summary: str, **details: Unpack[Details]) -> Event:
        """An event of this delivery. `part` tells apart the several events of one delivery."""
        part = details.get("part", "")
        refs = (ref for ref in details.get("refs", ()) if ref and ref != about)
        return Event(
            id=f"{self.id}/{part}" if part else self.id,
            source=self.source,
            type=TYPE + (details.get("type") or self.native),
            kind=kind,
            subject=about,
            time=details.get("time") or self.delivery.received,
            project=details.get("project", self.project),
            actor=details.get("actor", self.actor),
            summary=summary,
            link=details.get("link", ""),
            outcome=details.get("outcome", ""),
            severity=details.get("severity", "info"),
            refs=tuple(dict.fromkeys(refs)),
            data=self.delivery.body,
            text=details.get("text", ""),
            audience=self.settings.audience,
        )


def event_name(delivery: source.Delivery) -> str:
    """What `X-GitHub-Event` says; `Refused` when it is not there: the body does not tell."""
    name = delivery.headers.get("x-github-event", "").strip()
    if not name:
        raise Refused(
            "the header X-GitHub-Event is missing, and the body alone does not tell the event; "
            "give it: --header 'X-GitHub-Event: pull_request'",
            slug="missing-header",
            field="x-github-event",
        )
    return name


def commit(sha: Wild) -> str:
    """The subject of a commit: `commit/<sha>`, "" when there is none."""
    text = sha.text("")
    return f"commit/{subject.escape(text)}" if text and text != ZEROS else ""


def labels(item: Wild) -> str:
    """The labels of an issue or pull request, as searchable words."""
    return " ".join(label["name"].text("") for label in item["labels"].each())


def pulls(items: Wild) -> list[str]:
    """The subjects of the pull requests that a check or run belongs to. Those of forks are left out by GitHub: there
    the commit joins them."""
    found = []
    for item in items.each():
        match = _API_PULL.search(urlsplit(item["url"].link()).path)
        if match:
            found.append(f"{subject.escape(match.group(1))}#{subject.escape(item['number'].word())}")
    return found[:MOST_REFS]


def many(count: int, noun: str) -> str:
    """`1 commit`, `3 commits`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
