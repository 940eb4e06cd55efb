"""The changes of a Zuul report: project, number and ref, and the subject that the reviewing source uses for each.

In: the message, with `changes` (Zuul 10 and later) or the same fields at the top (all versions). Out: `Change`. A tag
or a branch is a change without a number.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from firehose import subject
from firehose.wild import Wild

_PULL: Final = re.compile(r"/(?:pull|pulls|pull-request)/\d+/?(?:[?#].*)?$")
"""How GitHub, Forgejo and Pagure address a pull request; a Gerrit's project may be called anything."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Something that Zuul tests: a change with patch set, or a branch or tag (`number` is "")."""

    project: str
    branch: str = ""
    number: str = ""
    patchset: str = ""
    ref: str = ""
    owner: str = ""
    link: str = ""
    commit: str = ""

    @property
    def subject(self) -> str:
        """What the source of the change calls it: `org/project~4711` (Gerrit), `#12` (GitHub, Forgejo), `!12` (GitLab);
        a branch or tag is `org/project@refs/tags/v1`."""
        project = subject.escape(self.project)
        if not self.number:
            return subject.ref(self.project, self.ref or self.branch) if self.short else project
        mark = "!" if "/merge_requests/" in self.link else "#" if _PULL.search(self.link) else "~"
        return f"{project}{mark}{subject.escape(self.number)}"

    @property
    def short(self) -> str:
        """The branch or tag as people write it."""
        return self.ref.removeprefix("refs/heads/").removeprefix("refs/tags/") or self.branch

    @property
    def title(self) -> str:
        """The change for people: `org/project 4711,3` or `org/project v1`."""
        if not self.number:
            return f"{self.project} {self.short}".strip()
        # Patch sets of forges are commits, which say nothing to people.
        return f"{self.project} {self.number}" + (f",{self.patchset}" if len(self.patchset) < 5 else "")


def changes_of(body: Wild) -> list[Change]:
    """The item's changes, at least one."""
    found = [change_of(item) for item in body["changes"].each()]
    return found or [change_of(body)]


def change_of(item: Wild) -> Change:
    """One change object; its project is all it must have."""
    return Change(
        project=item["project"].full(),
        branch=item["branch"].text(""),
        number=item["change"].word(""),
        patchset=item["patchset"].word(""),
        ref=item["ref"].text(""),
        owner=item["owner"].text(""),
        link=web_address(item["change_url"]),
        commit=item["commit_id"].text(""),
    )


def web_address(value: Wild) -> str:
    """A link that is safe to show; anything but http and https is left out."""
    text = value.text("").strip()
    return text if text.startswith(("https://", "http://")) and not any(c.isspace() for c in text) else ""
