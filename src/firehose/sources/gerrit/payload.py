"""The objects inside Gerrit's events, tamed: one reading for all versions from 2.x to 3.x and all ways they come.

In: wild JSON. Out: `Change`, `PatchSet`, accounts' public names, votes. It knows the variants of
`Documentation/json.txt` and of real captures: numbers as text, `project` as an object, labels by four letters, branch
names without `refs/heads/`. Any optional field may be missing; a field of a wrong type is refused with its path.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

import msgspec

from firehose.errors import Refused
from firehose.wild import Wild

_LABELS: Final = {"VRIF": "Verified", "CRVW": "Code-Review", "APRV": "Approved", "SUBM": "Submit"}
_HEADER: Final = re.compile(r"^Patch Set \d+:(.*)")
_VOTE: Final = re.compile(r"(?<!\S)(?:([A-Za-z][\w-]*?)([+-]\d)|-([A-Za-z][\w-]*))(?!\S)")
_FOOTER: Final = re.compile(
    r"^[ \t]*(?:(?P<story>Story)|(?P<task>Task)|(?P<bug>(?:Closes|Partial|Related|Fixes)-Bug|Bug)"
    r"|(?P<blueprint>Implements|Partially-Implements|Blueprint))[ \t]*:[ \t]*"
    r"(?:blueprint[ \t:]+|bp[ \t:]+)?(?:LP[ \t]*)?#?(?P<value>[\w.-]+)",
    re.IGNORECASE | re.MULTILINE,
)
ZEROS: Final = "0" * 40


class Change(msgspec.Struct, frozen=True):
    """A change as the event shows it."""

    project: str
    number: str
    branch: str
    subject: str
    url: str
    topic: str
    change_id: str
    message: str
    wip: bool
    private: bool

    @property
    def key(self) -> str:
        """`openstack/nova~12345`."""
        return f"{self.project}~{self.number}"


class PatchSet(msgspec.Struct, frozen=True):
    """A patch set; `number` and `revision` are "" when the event has none."""

    number: str = ""
    revision: str = ""
    created: datetime | None = None
    draft: bool = False


class Vote(msgspec.Struct, frozen=True):
    """A label and the value that was given; 0 takes a vote back."""

    label: str
    value: int

    def __str__(self) -> str:
        return f"{self.label}{self.value:+d}" if self.value else f"-{self.label}"


def project(wild: Wild) -> str:
    """A project's name, which is text or `{"name": …}`."""
    return wild["name"].text() if wild.is_object() else wild.text("")


def change(body: Wild) -> Change:
    """The event's change; its number and project must be there."""
    about = body["change"]
    name = project(about["project"]) or project(body["project"])
    if not name:
        raise Refused("change.project is missing", slug="bad-field", status=422, field="change.project")
    return Change(
        project=name,
        number=about["number"].word(),
        branch=about["branch"].text(""),
        subject=about["subject"].text(""),
        url=_web(about["url"].text("")),
        topic=about["topic"].text(""),
        change_id=about["id"].text("") or body.at("changeKey", "id").text("") or body.at("changeKey", "key").text(""),
        message=about["commitMessage"].text(""),
        wip=about["wip"].flag(False),
        private=about["private"].flag(False) or about["status"].text("") == "DRAFT",
    )


def _web(address: str) -> str:
    return address if address.startswith(("https://", "http://")) else ""


def patch_set(body: Wild) -> PatchSet:
    """The event's patch set, if any."""
    about = body["patchSet"]
    if not about.present:
        return PatchSet()
    return PatchSet(
        number=about["number"].word(""),
        revision=about["revision"].text(""),
        created=moment(about["createdOn"]),
        draft=about["isDraft"].flag(False),
    )


def moment(wild: Wild) -> datetime | None:
    """Seconds since 1970 as a time; None when missing."""
    if not wild.present:
        return None
    try:
        return datetime.fromtimestamp(wild.number(), UTC)
    except (OverflowError, ValueError, OSError):
        raise Refused(f"{wild.path} is not a time", slug="bad-field", status=422, field=wild.path) from None


def person(account: Wild) -> str:
    """An account's public name: username, else name; never its e-mail address."""
    if not account.present:
        return ""
    for field in ("username", "name"):
        found = account[field].text("").strip()
        if found and "@" not in found:
            return found
    return ""


def votes(body: Wild) -> tuple[Vote, ...]:
    """The votes that this comment gave or changed, not those that merely still stand.

    Gerrit 3 lists all of the author's votes and marks changed ones by `oldValue`; the comment's first line names
    them too. Gerrit 2 lists only given ones, where a 0 is no vote.
    """
    listed = [
        (
            Vote(_label(item), int(item["value"].number(0))),
            item["oldValue"].number(0) if item["oldValue"].present else None,
        )
        for item in body["approvals"].each()
    ]
    changed = tuple(vote for vote, old in listed if old is not None and old != vote.value)
    if changed:
        return changed
    header = _HEADER.match(body["comment"].text(""))
    if header:
        return tuple(
            Vote(label, int(value)) if label else Vote(taken, 0) for label, value, taken in _VOTE.findall(header[1])
        )
    return tuple(vote for vote, _ in listed if vote.value)


def _label(approval: Wild) -> str:
    short = approval["type"].text("")
    return _LABELS.get(short, short)


def ref_name(name: str) -> str:
    """A full ref name: old Gerrits write branches without `refs/heads/`."""
    return name if name.startswith("refs/") else f"refs/heads/{name}"


def footers(message: str) -> tuple[str, ...]:
    """What a commit message says it is about: `story/…`, `task/…`, `bug/…`, `blueprint/…`, each once, in order."""
    found: dict[str, None] = {}
    for match in _FOOTER.finditer(message):
        value = match["value"].rstrip(".")
        kind = next(name for name in ("story", "task", "bug", "blueprint") if match[name])
        if value and (kind == "blueprint" or value.isdigit()):
            found[f"{kind}/{value}"] = None
    return tuple(found)
