"""Launchpad's notification mail: what its headers and its text say. The payload is what the original lpmqtt made of it.

In: a message as IMAP gave it. Out: one event for each bug task (`X-Launchpad-Bug` comes once for each), with the
original topic `launchpad/<project>/bug/<number>`; `Ignored` for mail of other kinds, and for private bugs unless the
source has an audience. Headers may be folded and encoded, the text may be in parts and quoted: the standard library
reads that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Final

import msgspec

from firehose.errors import Refused, UnknownKind
from firehose.event import Event, fingerprint, line
from firehose.mail import date, header, plain_text
from firehose.source import Delivery, Ignored, Verdict
from firehose.sources.launchpad import names
from firehose.subject import escape

MOST_TEXT: Final = 200_000
_ADDRESS: Final = re.compile(r"\b([0-9]{1,12})@bugs\.")
_SUBJECT: Final = re.compile(r"\[Bug ([0-9]{1,12})\]\s*", re.IGNORECASE)
_PERSON: Final = re.compile(r"\(([^()\s]+)\)\s*$")
_CHANGED: Final = re.compile(r"^\*\* Changed in: *(.+)$\n((?:^ +.+$\n?)*)", re.MULTILINE)
_STATUS: Final = re.compile(r"^ *Status: *(.+?) => (.+?) *$", re.MULTILINE)
_SIGNATURE: Final = re.compile(r"^-- ?$", re.MULTILINE)
OTHERS: Final = (
    "answer", "question", "specification", "team-membership", "package-build-status", "package-upload",
    "snap-build-status", "branch-updated", "branch-revision", "code-import-updated", "code-review",
    "recipe-build-status", "live-fs-build-status", "oci-recipe-build-status", "charm-recipe-build-status",
)  # fmt: skip
"""Notification types that are no bugs: the webhooks tell them, and better."""


def read(delivery: Delivery, base: Event, *, private: bool) -> Verdict:
    """What a mail means. `private`: the events go to an audience, so private bugs may."""
    mail = message_from_bytes(delivery.body, _class=EmailMessage, policy=policy.default)
    kind = header(mail, "X-Launchpad-Notification-Type").lower()
    if not kind and not header(mail, "X-Launchpad-Bug"):
        return Ignored("mail.not-launchpad")
    if kind in OTHERS:
        return Ignored(f"mail.{kind}")
    if kind not in ("bug", ""):
        raise UnknownKind(f"mail.{kind}")
    if _is_private(mail) and not private:
        return Ignored("mail.private-bug")
    number = _number(mail)
    if not number:
        raise Refused("no bug number in Reply-To, From or Subject", slug="bad-field", status=422, field="Reply-To")
    found = Bug(mail, number, delivery)
    return [found.event(task, place, base) for place, task in enumerate(found.tasks)]


class Bug:
    """A bug mail, taken apart."""

    def __init__(self, mail: EmailMessage, number: str, delivery: Delivery) -> None:
        self.number = number
        self.delivery = delivery
        self.id = header(mail, "Message-ID") or fingerprint(delivery.body)
        self.subject = _SUBJECT.sub("", header(mail, "Subject"))
        self.body = plain_text(mail, MOST_TEXT)
        self.time = date(mail) or delivery.received
        self.tasks = list(_tasks(mail)) or [{}]
        self.reporter = header(mail, "X-Launchpad-Bug-Reporter")
        self.modifier = header(mail, "X-Launchpad-Bug-Modifier")
        self.commenters = header(mail, "X-Launchpad-Bug-Commenters").split()
        self.tags = header(mail, "X-Launchpad-Bug-Tags").split()
        self.duplicate = header(mail, "X-Launchpad-Bug-Duplicate")
        said = _SIGNATURE.split(self.body, maxsplit=1)[0]
        self.is_new = "[NEW]" in self.subject or said.startswith(("Public bug reported", "Private bug reported"))
        self.changes = {name.strip(): block for name, block in _CHANGED.findall(said)}
        self.comment = said.partition("\n** ")[0].strip() if not said.startswith("** ") else ""

    def event(self, task: dict[str, str], place: int, base: Event) -> Event:
        """One task's event."""
        project = _project(task)
        status = task.get("status", "")
        moved = self._moved(task)
        kind = "ticket.updated" if self.changes or not self.comment else "comment.added"
        if self.is_new:
            kind = "ticket.created"
        elif moved and moved[1] in names.CLOSED:
            kind = "ticket.closed"
        actor = _person(self.modifier)
        return msgspec.structs.replace(
            base,
            id=fingerprint(self.id, project, place),
            type="net.launchpad.mail.bug",
            kind=kind,
            subject=f"bug/{self.number}",
            time=self.time,
            project=project,
            actor=actor,
            summary=f"{self._words(kind, actor, moved)} {_place(task)}: {self._title}".strip(),
            link=names.bug_link(self.number),
            outcome="success" if kind == "ticket.closed" and status == "Fix Released" else "",
            refs=tuple(
                [escape(project)] * bool(project)
                + [f"bug/{number}" for number in self.duplicate.split() if number.isdigit()]
            ),
            data=msgspec.json.encode(self._payload(task, project)),
            text=" ".join((self.subject, self.comment, *self.tags)),
            alias=names.original(project, "bug", self.number),
        )

    @property
    def _title(self) -> str:
        return line(re.sub(r"^(?:\[[^\]]*\] *|Re: *)+", "", self.subject).replace("[NEW]", ""), 160)

    def _moved(self, task: dict[str, str]) -> tuple[str, str] | None:
        """From which status to which this mail moved a task."""
        for name, block in self.changes.items():
            match = _STATUS.search(block)
            if match and (len(self.tasks) == 1 or name.casefold() == _target(task).casefold()):
                return match.group(1), match.group(2)
        return None

    def _words(self, kind: str, actor: str, moved: tuple[str, str] | None) -> str:
        who, bug = actor or "somebody", f"bug {self.number} in"
        if kind == "ticket.created":
            return f"{who} reported {bug}"
        if moved:
            return f"{who} moved from {moved[0]} to {moved[1]} {bug}"
        return f"{who} commented on {bug}" if kind == "comment.added" else f"{who} changed {bug}"

    def _payload(self, task: dict[str, str], project: str) -> dict[str, object]:
        """The members that the original Firehose documented, and a few more."""
        return {
            "commenters": self.commenters,
            "bug-reporter": self.reporter,
            "bug-modifier": self.modifier,
            "bug-number": self.number,
            "event-type": "bug",
            "status": task.get("status", ""),
            "project": project,
            "assignee": task.get("assignee", ""),
            "tags": self.tags,
            "importance": task.get("importance", ""),
            "body": self.body,
            "subject": self.subject,
            "message-id": self.id,
            "duplicate-of": self.duplicate,
        }


def _number(mail: EmailMessage) -> str:
    """The bug's number: Reply-To always has it, the subject only sometimes in front."""
    for name in ("Reply-To", "From", "To"):
        if match := _ADDRESS.search(header(mail, name)):
            return match.group(1)
    match = _SUBJECT.search(header(mail, "Subject"))
    return match.group(1) if match else ""


def _tasks(mail: EmailMessage) -> Iterator[dict[str, str]]:
    """Each `X-Launchpad-Bug: product=qemu; status=New; …` as a dict."""
    for value in mail.get_all("X-Launchpad-Bug", []):
        fields = (part.partition("=") for part in " ".join(str(value).split()).split(";"))
        found = {name.strip(): text.strip() for name, _, text in fields if name.strip()}
        if found:
            yield found


def _is_private(mail: EmailMessage) -> bool:
    """Anything but a bug that is said to be public; old mail does not say."""
    visible = header(mail, "X-Launchpad-Bug-Information-Type").lower()
    return header(mail, "X-Launchpad-Bug-Private").lower() == "yes" or bool(
        visible and not visible.startswith("public")
    )


def _target(task: dict[str, str]) -> str:
    """How the text calls a task: `atlas`, `atlas/2024.1`, `atlas (Ubuntu)`, `atlas (Ubuntu Jammy)`. A series has tasks
    of its own beside that of the whole."""
    package = task.get("sourcepackage", "")
    if package:
        return f"{package} ({' '.join(filter(None, (task.get('distribution', ''), task.get('distroseries', ''))))})"
    return "/".join(filter(None, (_project(task), _series(task))))


def _place(task: dict[str, str]) -> str:
    """A task for people: `atlas`, `atlas (2024.1)`."""
    series = _series(task)
    return f"{_project(task)} ({series})" if series else _project(task)


def _series(task: dict[str, str]) -> str:
    found = task.get("distroseries", "") or task.get("productseries", "")
    return "" if found == _project(task) else found


def _project(task: dict[str, str]) -> str:
    package = "/".join(filter(None, (task.get("distribution", ""), task.get("sourcepackage", ""))))
    return task.get("product", "") or task.get("productseries", "") or package


def _person(text: str) -> str:
    """The account in `Adrian Vladu (avladu)`; never an address."""
    match = _PERSON.search(text)
    return match.group(1) if match and "@" not in match.group(1) else ""
