"""One GitLab webhook delivery, tamed: what all its events share, and the names that GitLab's things have here.

In: a delivery and the operator's settings. Out: a `Hook`, from which readers make events with `event(...)`. The body
names its kind itself (`object_kind`, or `event_name` in system hooks). It says what is private and confidential; the
subject grammar is explained in the README.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final, TypedDict, Unpack
from urllib.parse import urlsplit

from firehose import source, subject
from firehose.errors import Refused
from firehose.event import Event, fingerprint
from firehose.wild import Wild, decode

TYPE: Final = "com.gitlab."
ZEROS: Final = "0" * 40
MOST_REFS: Final = 40
PUBLIC: Final = 20
"""GitLab's `visibility_level`: 0 private, 10 internal, 20 public."""

_CLOSES: Final = re.compile(
    r"\b(?:clos(?:e[sd]?|ing)|fix(?:e[sd]|ing)?|resolv(?:e[sd]?|ing)):? +#([0-9]{1,9})\b", re.IGNORECASE
)
_MERGE_REQUEST: Final = re.compile(r"^/(.{1,300}?)(?:/-)?/merge_requests/([0-9]{1,9})\b")
_PROJECTS: Final = (
    ("project",),
    ("repository",),
    ("object_attributes", "source"),
    ("object_attributes", "target"),
    ("merge_request", "source"),
    ("merge_request", "target"),
)
_CONFIDENTIAL: Final = (
    ("object_attributes", "confidential"),
    ("object_attributes", "internal"),
    ("issue", "confidential"),
    ("work_item", "confidential"),
    ("note", "confidential"),
    ("note", "internal"),
    ("epic", "confidential"),
)


class Settings(source.WebhookSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """url: the GitLab server ("" = what its header `X-Gitlab-Instance` says, else https://gitlab.com).

    private_repositories: publish what happens in private and internal projects, too. Without it they count only when
    the source has an audience, which is not public. Confidential issues and notes always need an audience.
    """

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
    type: str


class Hook:
    """A delivery with its common members. `own` is `object_attributes`, where GitLab keeps the thing itself."""

    def __init__(self, delivery: source.Delivery, settings: Settings) -> None:
        self.delivery = delivery
        self.settings = settings
        self.body = decode(delivery.body)
        self.name = kind_of(self.body)
        self.own = self.body["object_attributes"]
        self.action = self.own["action"].text("") or self.body["action"].text("")
        self.project = _project(self.body)
        self.actor = self.body.at("user", "username").text("") or self.body["user_username"].text("")
        self.id = delivery.headers.get("idempotency-key", "") or fingerprint(
            delivery.headers.get("x-gitlab-event-uuid", ""), delivery.body
        )
        given = delivery.headers.get("x-gitlab-instance", "")
        self.source = (settings.url or (given if given.startswith("https://") else "https://gitlab.com")).rstrip("/")

    @property
    def native(self) -> str:
        """GitLab's word: `merge_request.open`."""
        return f"{self.name}.{self.action}" if self.action else self.name

    @property
    def confidential(self) -> bool:
        """Whether this is about an issue or note that only members of the project may read."""
        header = self.delivery.headers.get("x-gitlab-event", "")
        return (
            header.lower().startswith("confidential")
            or self.body["event_type"].text("").startswith("confidential")
            or any(self.body.at(*path).flag(False) for path in _CONFIDENTIAL)
        )

    @property
    def private(self) -> bool:
        """Whether any project in the payload is one that not everybody can read."""
        words = [
            self.body["project_visibility"].text(PUBLIC_WORD),
            self.body.at("project", "visibility").text("public"),
        ]
        levels = (self.body.at(*path, "visibility_level").number(PUBLIC) for path in _PROJECTS)
        return any(level < PUBLIC for level in levels) or any(not word.endswith(PUBLIC_WORD) for word in words)

    @property
    def unsaid(self) -> bool:
        """Whether nothing in the payload says who can read the project; GitLab says so of each."""
        words = (self.body["project_visibility"], self.body.at("project", "visibility"))
        levels = (self.body.at(*path, "visibility_level") for path in _PROJECTS)
        return not any(found.present for found in (*words, *levels))

    @property
    def who(self) -> str:
        """The actor for a sentence."""
        return self.actor or "somebody"

    @property
    def home(self) -> str:
        """The subject of the project itself."""
        return subject.escape(self.project)

    def thing(self, noun: str, *parts: str) -> str:
        """The subject of a thing within the project: `pipeline/group/project/31`."""
        return "/".join([noun, *(subject.escape(part) for part in (self.project, *parts))])

    def merge_request(self, item: Wild) -> str:
        """The subject of a merge request of this project: `group/project!12`."""
        return f"{self.home}!{subject.escape(item['iid'].word())}"

    def merge_request_elsewhere(self, item: Wild) -> str:
        """The same for one that a fork's pipeline runs for: its address names the project it goes to."""
        match = _MERGE_REQUEST.match(urlsplit(item["url"].link()).path)
        return f"{subject.escape(match.group(1))}!{match.group(2)}" if match else self.merge_request(item)

    def issue(self, item: Wild) -> str:
        """The subject of an issue or work item: `group/project#12`."""
        return f"{self.home}#{subject.escape(item['iid'].word())}"

    def ref(self, name: str) -> str:
        """The subject of a branch or tag, by its full name: `group/project@refs/heads/main`."""
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
            type=TYPE + (details.get("type") or self.native),
            kind=kind,
            subject=about,
            time=details.get("time") or self.delivery.received,
            project=self.project,
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


PUBLIC_WORD: Final = "public"


def kind_of(body: Wild) -> str:
    """What the body calls itself; `Refused` when it does not."""
    name = body["object_kind"].text("") or body["event_name"].text("")
    if not name:
        raise Refused(
            "neither object_kind nor event_name is there, so this is no GitLab webhook",
            slug="bad-field",
            status=422,
            field="object_kind",
        )
    return name


def _project(body: Wild) -> str:
    """The project's full path, from the first place that has it; job events of older versions only have addresses."""
    for path in ("project.path_with_namespace", "path_with_namespace", "object_attributes.target.path_with_namespace"):
        found = body.at(*path.split(".")).text("")
        if found:
            return found
    address = body.at("repository", "homepage").link() or body.at("project", "web_url").link()
    return urlsplit(address).path.strip("/") or body["project_name"].text("").replace(" ", "")


def commit(sha: Wild) -> str:
    """The subject of a commit: `commit/<sha>`, "" when there is none."""
    text = sha.text("")
    return f"commit/{subject.escape(text)}" if text and text != ZEROS else ""


def labels(body: Wild) -> str:
    """The labels of an issue or merge request, as searchable words."""
    return " ".join(label["title"].text("") for label in body["labels"].each())


def titled(item: Wild) -> str:
    """The end of a summary: `: Title`."""
    title = item["title"].text("")
    return f": {title}" if title else ""


def many(count: int, noun: str) -> str:
    """`1 commit`, `3 commits`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
