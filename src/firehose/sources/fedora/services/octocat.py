"""GitHub, as github2fedmsg passed it on: GitHub's own payload, and whose logins belong to which accounts.

In: messages below `github`. Out: their table. Subjects are those of the GitHub source, so that the graph joins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from firehose.sources.fedora.services.rules import Body, Table, Words, fill, rule


def _login(m: Body, name: str) -> str:
    return m(f"fas_usernames.{name}") or name


def _gh_user(m: Body) -> str:
    for path in ("commit.author.login", "pusher.name", "sender.login", "forkee.owner.login"):
        if name := m(path):
            return _login(m, name)
    return ""


def _gh_people(m: Body) -> list[str]:
    return [
        name
        for key in m.keys("fas_usernames")
        if not (name := m.at("fas_usernames")[key].text("")).startswith("github_org_")
    ]


def _gh_repo(m: Body) -> str:
    return f"{m('repository.owner.login') or m.need('repository.owner.name')}/{m.need('repository.name')}"


def _gh(words: str) -> Callable[[Body], str]:
    """A line: `{who}`, `{repo}`, `{n}` the number of the issue or change."""

    def line(m: Body) -> str:
        text = words.replace("{who}", _gh_user(m) or "somebody").replace("{repo}", _gh_repo(m))
        return fill(text.replace("{n}", "{number|issue.number|pull_request.number}"), m)

    return line


def _gh_link(m: Body) -> str:
    home = m("repository.html_url")
    match m.topic[1]:
        case "watch":
            return f"{home}/watchers"
        case "star":
            return f"{home}/stargazers"
        case "page_build":
            owner, name = home.split("/")[-2:]
            return f"http://{owner}.github.io/{name}/"
    paths = (
        "release.html_url",
        "target_url",
        "deployment_status.target_url",
        "compare",
        "comment.html_url",
        "review.html_url",
        "pull_request.html_url",
        "issue.html_url",
        "forkee.html_url",
    )
    return next((url.replace(": //", "://") for path in paths if (url := m(path))), home.replace(": //", "://"))


def _gh_issue(m: Body) -> str:
    action, label = m("action") or m.topic[-1], m("label.name")
    verb = f"added label {label} to" if action == "labeled" and label else action
    title = f": {m('issue.title')}" if action == "opened" else ""
    return _gh(f"{{who}} {verb} issue #{{n}} on {{repo}}")(m) + title


def _gh_pull(m: Body) -> str:
    action = m("action") or m.topic[-1]
    verb = "synchronized" if action == "synchronize" else action
    title = f": {m('pull_request.title')}" if action == "opened" else ""
    return _gh(f"{{who}} {verb} pull request #{{n}} on {{repo}}")(m) + title


def _gh_review(m: Body) -> str:
    state = m("review.state")
    verb = {
        "approved": "approved the changes on",
        "changes_requested": "requested changes on",
        "dismissed": "dismissed a review on",
    }.get(state, "commented on")
    pending = " which is in pending state" if state == "pending" else ""
    return _gh(f"{{who}} {verb} PR #{{n}} on {{repo}}")(m) + pending


def _gh_number(m: Body) -> str:
    return fill("{number|issue.number|pull_request.number}", m)


def _gh_about(m: Body) -> str:
    return f"{_gh_repo(m)}#{_gh_number(m)}"


def _gh_star(m: Body) -> str:
    return _gh(f"{{who}} {'starred' if m('action') == 'started' else 'unstarred'} {{repo}}")(m)


def _gh_release(m: Body) -> str:
    return _gh(f"{{who}} cut a release of {m.need('repository.name')}, version {{release.tag_name}}")(m)


def _gh_member(m: Body) -> str:
    who = m.need("member.login")
    if m("action") == "added":
        return _gh(f"{{who}} added {who} as a member of {{repo}}")(m)
    return _gh(f"{{who}} removed member {who} from {{repo}}")(m)


_GH: Final[dict[str, Any]] = {"people": _gh_people, "actor": _gh_user, "project": _gh_repo}
_GH_CHECKS: Final = {"success": "success", "failure": "failure", "error": "error", "pending": "running"}


def _git_hub(kind: str, words: Words, **more: Any) -> Any:
    return rule(kind, _gh(words) if isinstance(words, str) else words, _gh_link, **{**_GH, **more})


TABLE: Final[Table] = {
    "github.webhook": rule(
        "message.published", "A new github repository has been added to fedmsg", _gh_link, project="github"
    ),
    "github.push": _git_hub(
        "branch.updated",
        lambda m: _gh(f"{{who}} pushed {len(m.each('commits'))} commit(s) to {{repo}}")(m),
        about="commit/{after}",
    ),
    "github.issue.comment": _git_hub("comment.added", "{who} commented on issue #{n} on {repo}", about=_gh_about),
    "github.issue.opened": _git_hub("ticket.created", _gh_issue, about=_gh_about),
    "github.issue.closed": _git_hub("ticket.closed", _gh_issue, about=_gh_about),
    "github.issue.*": _git_hub("ticket.updated", _gh_issue, about=_gh_about),
    "github.pull_request.opened": _git_hub("change.created", _gh_pull, about=_gh_about),
    "github.pull_request.closed": _git_hub(
        "change",
        _gh_pull,
        about=_gh_about,
        outcome=lambda m: "success" if m.is_true("pull_request.merged") else "cancel",
    ),
    "github.pull_request.*": _git_hub("change.updated", _gh_pull, about=_gh_about),
    "github.pull_request_review": _git_hub("change.reviewed", _gh_review, about=_gh_about),
    "github.pull_request_review_comment": _git_hub(
        "comment.added", "{who} commented on PR #{n} on {repo}", about=_gh_about
    ),
    "github.commit_comment": _git_hub(
        "comment.added", "{who} commented on a commit on {repo}", about="commit/{comment.commit_id}"
    ),
    "github.create": _git_hub("branch.created", '{who} created a new {ref_type} "{ref}" at {repo}'),
    "github.delete": _git_hub("branch.deleted", '{who} deleted the "{ref}" {ref_type} at {repo}'),
    "github.fork": _git_hub("repository.forked", "{who} forked {repo}"),
    "github.status": _git_hub(
        "taskrun",
        "{description} for {repo} {sha:8}",
        about="commit/{sha}",
        outcome=lambda m: _GH_CHECKS.get(m("state"), ""),
    ),
    "github.watch": _git_hub("repository.modified", "{who} {action} watching {repo}"),
    "github.star": _git_hub("repository.modified", _gh_star),
    "github.release": _git_hub("artifact.published", _gh_release),
    "github.page_build": _git_hub("artifact.published", "{who} rebuilt the github.io page for {repo}"),
    "github.team_add": _git_hub("repository.modified", "The '{team.slug}' team was added to the {repo} repository"),
    "github.member": _git_hub("repository.modified", _gh_member),
    "github.deployment": _git_hub("service", "{who} created a deployment for {repo}"),
    "github.deployment_status": _git_hub(
        "service",
        '{who}\'s deployment status for {repo} updated to "{deployment_status.state}"',
        outcome=lambda m: _GH_CHECKS.get(m("deployment_status.state"), ""),
    ),
}
