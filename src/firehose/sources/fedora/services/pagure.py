"""Pagure: projects, tickets, pull requests, pushes; also Fedora's package sources, which are a Pagure.

In: messages below `pagure`. Out: their table. Tickets and pull requests are `project#12`, as forges have them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from firehose.sources.fedora.services.phrases import branch, headline, series
from firehose.sources.fedora.services.rules import Body, Table, Words, fill, rule


def _project_at(m: Body, path: str) -> str:
    """`name`, `namespace/name`, `fork/user/name`."""
    name = "/".join(part for part in (m(f"{path}.namespace"), m.need(f"{path}.name")) if part)
    return f"fork/{m(f'{path}.user.name')}/{name}" if m.is_true(f"{path}.parent") else name


_PROJECTS: Final = (
    "project",
    "pullrequest.project",
    "pull_request.project",
    "request.project",
    "repo",
    "commit.repo",
    "flag.repo",
    "flag.project",
)


def _project(m: Body) -> str:
    for path in _PROJECTS:
        if m.at(path).is_object():
            return _project_at(m, path)
    if m.at("repo").is_text():
        return m("repo")
    return m.need("project.name")


def _home(m: Body) -> str:
    """The forge that a message comes from: Pagure itself, or Fedora's package sources."""
    if m.told.topic.startswith("io.pagure."):
        return f"https://{'stg.' if m.told.staging else ''}pagure.io"
    return f"https://src.{'stg.' if m.told.staging else ''}fedoraproject.org"


def _pr(m: Body) -> str:
    return next((path for path in ("pullrequest", "pull_request", "request") if m.at(path).is_object()), "pullrequest")


def _number(m: Body) -> str:
    return m.need("issue.id") if m.at("issue").is_object() else m.need(f"{_pr(m)}.id")


def _says(words: str) -> Callable[[Body], str]:
    """A line about a project: `{p}` is its path, `{n}` the number of the ticket or pull request, `{who}` who did it."""

    def line(m: Body) -> str:
        text = words.replace("{p}", _project(m)) if "{p}" in words else words
        text = text.replace("{n}", _number(m)) if "{n}" in text else text
        return fill(text.replace("{who}", "{agent}"), m)

    return line


def _issue_link(m: Body) -> str:
    where = f"{_home(m)}/{_project(m)}/issue/{m.need('issue.id')}"
    if "comment" not in m.topic:
        return where
    comment = m("comment.id") or next((one("id") for one in reversed(m.each("issue.comments"))), "")
    return f"{where}#comment-{comment}" if comment else where


def _pr_link(m: Body) -> str:
    where = f"{_home(m)}/{_project(m)}/pull-request/{_number(m)}"
    if "comment" not in m.topic:
        return where
    comment = next((one("id") for one in reversed(m.each(f"{_pr(m)}.comments"))), "") or m("comment.id")
    return f"{where}#comment-{comment}" if comment else where


def _project_link(m: Body) -> str:
    return f"{_home(m)}/{_project(m)}"


def _ticket(m: Body) -> str:
    return f"{_project(m)}#{m.need('issue.id')}"


def _change(m: Body) -> str:
    return f"{_project(m)}#{_number(m)}"


def _issue_edit(m: Body) -> str:
    who, where, fields = m.need("agent"), f"ticket {_project(m)}#{m.need('issue.id')}", m.names("fields")
    if fields == ["status"]:
        return f"{who} set the status of {where} to: {m('issue.status')}"
    return f"{who} edited the {series(fields)} fields of {where}"


def _tags(before: str, after: str = "") -> Callable[[Body], str]:
    def line(m: Body) -> str:
        tags = series(m.names("tags"))
        return f"{m.need('agent')} {_says(before)(m).replace('[tags]', tags)}{_says(after)(m) if after else ''}"

    return line


def _pr_tags(m: Body) -> str:
    tags = series([*m.names("tags"), *m.names(f"{_pr(m)}.tags")])
    return f"{m.need('agent')} tagged pull-request {_project(m)}#{_number(m)}: {tags}"


def _access(what: str) -> Callable[[Body], str]:
    def line(m: Body) -> str:
        access = f" with {m('access')} access" if m("access") else ""
        return f"{m.need('agent')} added {_says(what)(m)}{access}"

    return line


def _forked(m: Body) -> str:
    return f"{m.need('agent')} forked {_plain_parent(m)} to {_project(m)}"


def _plain_parent(m: Body) -> str:
    return m.need("project.parent.name")


def _closed(m: Body) -> str:
    verb = "merged" if m.is_true("merged") else "closed (without merging)"
    return f"{m.need('agent')} {verb} pull request #{_number(m)} on {_project(m)}"


def _received(m: Body) -> str:
    """A push, in the two forms that Pagure had."""
    if m.at("commit").is_object():
        who = m.account(m("commit.email") or m("commit.username") or m("commit.agent"))
        told = headline(m("commit.summary"), m("commit.message"))
        return f'{who} pushed to {_project(m)} ({branch(m.need("commit.branch"))}). "{told}"'
    count = m("total_commits")
    commits = "commit" if count == "1" else "commits"
    return f"{m.need('agent')} pushed {count} {commits} to {_project(m)} ({branch(m.need('branch'))})"


def _receiver(m: Body) -> list[str]:
    who = m.account(m("commit.email")) if m.at("commit").is_object() else m("agent")
    return [] if "@" in who else [who]


def _received_link(m: Body) -> str:
    if m.at("commit").is_object():
        return f"{_home(m)}/{_project(m)}/{m.need('commit.rev')}"
    return f"{_home(m)}/{_project(m)}/branch/{branch(m.need('branch'))}"


def _pushed(m: Body) -> str:
    return (
        f"commit/{m.need('commit.rev')}"
        if m.at("commit").is_object()
        else f"{_project(m)}@refs/heads/{branch(m.need('branch'))}"
    )


def _flag_commit(m: Body) -> str:
    return (
        f"{m.need('flag.username')} {'updated its' if 'updated' in m.topic else 'added a'} flag on the commit "
        f"{m.need('flag.commit_hash')[:8]} of the project {_project(m)}"
    )


def _assigned(m: Body) -> str:
    """Who a ticket or a pull request was given to, when it says so."""
    what, where = ("ticket", "issue") if "issue" in m.topic else ("PR", _pr(m))
    to = m(f"{where}.assignee.name")
    return f"{m.need('agent')} assigned {what} {_project(m)}#{_number(m)}{f' to {to}' if to else ''}"


_P: Final[dict[str, Any]] = {"people": "agent", "project": _project}
_ISSUE: Final[dict[str, Any]] = {**_P, "about": _ticket}
_PULL: Final[dict[str, Any]] = {**_P, "about": _change}


def _issue(kind: str, words: Words) -> Any:
    return rule(kind, _says(words) if isinstance(words, str) else words, _issue_link, **_ISSUE)


def _pull(kind: str, words: Words) -> Any:
    return rule(kind, _says(words) if isinstance(words, str) else words, _pr_link, **_PULL)


def _proj(kind: str, words: Words) -> Any:
    return rule(kind, _says(words) if isinstance(words, str) else words, _project_link, **_P, about=_project)


def _fields(m: Body) -> str:
    return f"{m.need('agent')} edited the {series(m.names('fields'))} fields of project {_project(m)}"


TABLE: Final[Table] = {
    "pagure.project.new": _proj("repository.created", '{who} created a new project "{p}"'),
    "pagure.project.edit": _proj("repository.modified", _fields),
    "pagure.project.deleted": rule(
        "repository.deleted", _says('{who} deleted the project "{p}"'), _home, **_P, about=_project
    ),
    "pagure.project.forked": _proj("repository.forked", _forked),
    "pagure.project.user.added": _proj("repository.modified", _access('"{new_user}" to project {p}')),
    "pagure.project.user.removed": _proj("repository.modified", '{who} removed "{removed_user}" from the project {p}'),
    "pagure.project.user.access.updated": _proj(
        "repository.modified", '{who} updated access of "{new_user}" to {new_access} in project {p}'
    ),
    "pagure.project.group.added": _proj("repository.modified", _access('group "{new_group}" to project {p}')),
    "pagure.project.group.removed": _proj(
        "repository.modified", '{who} removed group(s) "{removed_groups|removed_group}" from the project {p}'
    ),
    "pagure.project.group.access.updated": _proj(
        "repository.modified", '{who} updated access of group "{new_group}" to {new_access} on project {p}'
    ),
    "pagure.project.tag.removed": _proj("repository.modified", _tags('removed tags "[tags]" from project {p}')),
    "pagure.project.tag.edited": _proj(
        "repository.modified", '{who} altered tags on project {p} from "{old_tag}" to "{new_tag}"'
    ),
    "pagure.issue.new": _issue("ticket.created", '{who} opened a new ticket {p}#{n}: "{issue.title}"'),
    "pagure.issue.drop": _issue("ticket.deleted", '{who} deleted ticket {p}#{n}: "{issue.title}"'),
    "pagure.issue.edit": _issue("ticket.updated", _issue_edit),
    "pagure.issue.comment.added": _issue("comment.added", '{who} commented on ticket {p}#{n}: "{issue.title}"'),
    "pagure.issue.comment.edited": _issue(
        "comment.updated", '{who} edited a comment on ticket {p}#{n}: "{issue.title}"'
    ),
    "pagure.issue.tag.added": _issue("ticket.updated", _tags("tagged ticket {p}#{n}: [tags]")),
    "pagure.issue.tag.removed": _issue("ticket.updated", _tags("removed the [tags] tags from ticket {p}#{n}")),
    "pagure.issue.assigned.added": _issue("ticket.updated", _assigned),
    "pagure.issue.assigned.reset": _issue("ticket.updated", "{who} reset the assignee of ticket {p}#{n}"),
    "pagure.issue.dependency.added": _issue(
        "ticket.updated", "{who} added ticket {p}#{n} as a dependency of ticket {p}#{added_dependency}"
    ),
    "pagure.issue.dependency.removed": _issue(
        "ticket.updated", "{who} removed ticket {p}#{n} as a dependency of ticket {p}#{removed_dependency}"
    ),
    "pagure.pull-request.new": _pull("change.created", "{who} opened pull request #{n} on {p}: {pullrequest.title}"),
    "pagure.pull-request.closed": rule(
        "change", _closed, _pr_link, **_PULL, outcome=lambda m: "success" if m.is_true("merged") else "cancel"
    ),
    "pagure.pull-request.reopened": _pull("change.restored", "{who} reopened pull request #{n} on {p}"),
    "pagure.pull-request.comment.added": _pull("comment.added", "{who} commented on PR #{n} on {p}"),
    "pagure.pull-request.comment.edited": _pull("comment.updated", "{who} edited a comment on PR #{n} on {p}"),
    "pagure.pull-request.flag.added": _pull("change.reviewed", '{flag.username} flagged {p}#{n} with "{flag.comment}"'),
    "pagure.pull-request.flag.updated": _pull(
        "change.reviewed", '{flag.username} updated the flags on {p}#{n} with: "{flag.comment}"'
    ),
    "pagure.pull-request.tag.added": _pull("change.updated", _pr_tags),
    "pagure.pull-request.tag.removed": _pull(
        "change.updated", _tags("removed the [tags] tags from pull-request {p}#{n}")
    ),
    "pagure.pull-request.updated": _pull("change.updated", "Pull-request #{n} has been updated"),
    "pagure.pull-request.rebased": _pull("change.updated", "Pull-request #{n} has been rebased"),
    "pagure.pull-request.initial_comment.edited": _pull(
        "change.updated", "{who} edited the initial comment of PR #{n} on {p}"
    ),
    "pagure.pull-request.assigned.added": _pull("change.updated", _assigned),
    "pagure.request.assigned.added": _pull("change.updated", _assigned),
    "pagure.pull-request.assigned.reset": _pull("change.updated", "{who} reset the assignee of PR {p}#{n}"),
    "pagure.request.assigned.reset": _pull("change.updated", "{who} reset the assignee of PR {p}#{n}"),
    "pagure.commit.flag.*": rule(
        "change.reviewed",
        _flag_commit,
        lambda m: f"{_home(m)}/{_project(m)}/c/{m.need('flag.commit_hash')}",
        **_P,
        about="commit/{flag.commit_hash}",
    ),
    "pagure.git.receive": rule(
        "branch.updated", _received, _received_link, people=_receiver, project=_project, about=_pushed
    ),
    "pagure.git.branch.creation": rule("branch.created", "{agent} created branch {branch}", _project_link, **_P),
    "pagure.git.branch.deletion": rule("branch.deleted", "{agent} deleted branch {branch}", _project_link, **_P),
    "pagure.git.tag.creation": rule("tag.created", "{agent} created tag {tag}", _project_link, **_P),
    "pagure.git.tag.deletion": rule("tag.deleted", "{agent} deleted tag {tag}", _project_link, **_P),
    "pagure.group.edit": rule(
        "group.updated",
        lambda m: f"{m.need('agent')} edited the {series(m.names('fields'))} fields of group {m('group.name')}",
        people="agent",
    ),
}
