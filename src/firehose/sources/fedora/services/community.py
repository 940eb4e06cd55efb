"""People: wiki, questions, badges, accounts, calendars, elections, meetings, lists, blogs, tags.

In: messages below `wiki`, `askbot`, `fedbadges`, `fas`, `fedocal`, `fedora_elections`, `nuancier`, `meetbot`, `fmn`,
`kerneltest`, `fedoratagger`, `mailman`, `planet`, `fedoracollege`. Out: their tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from email.utils import parseaddr
from typing import Any, Final

from firehose.sources.fedora.services.rules import Body, Table, rule

_URL: Final = re.compile(r"https?://[^\s\"'<>]+")


# -- Wiki, questions


def _wiki_link(m: Body) -> str:
    return m("url").replace("http://", "https://", 1)


def _uploaded(m: Body) -> str:
    what = f'{m.need("title.mPrefixedText")} to the wiki: "{m("description")[:35]}..."'
    return f"{m.need('user_text')} uploaded {what}"


def _asked(m: Body) -> str:
    title, question = m.need("thread.title"), m("post.post_type") == "question"
    if m.is_true("created"):
        return f"{m.need('agent')} {'asked' if question else 'suggested an answer to'} the question '{title}'"
    return f"{m.need('agent')} updated {'the' if question else 'an answer to the'} question '{title}'"


def _flagged(verb: str, end: str) -> Callable[[Body], str]:
    def line(m: Body) -> str:
        thing = "a question" if m("instance.post_type") == "question" else "an answer"
        return f"{m.need('agent')} {verb} {thing} as offensive{end}"

    return line


def _post_deleted(m: Body) -> str:
    what = "the question" if m("instance.post_type") == "question" else "an answer on"
    return f"{m.need('agent')} deleted {what} '{m.need('thread.title')}'"


def _ask_link(m: Body) -> str:
    return f"https://ask.{'stg.' if m.told.staging else ''}fedoraproject.org/question/{m.need('topmost_post_id')}/"


_ASK: Final[dict[str, Any]] = {
    "people": "agent newly_mentioned_users[]",
    "about": "askbot/{thread.pk}",
    "project": "askbot",
}
ASK: Final[Table] = {
    "wiki.article.edit": rule(
        "wikipage.updated",
        '{user} made a wiki edit to "{title}"',
        _wiki_link,
        people=lambda m: [m("user").lower()],
        about="wiki/{title}",
        project="wiki",
    ),
    "wiki.upload.complete": rule(
        "artifact.published",
        _uploaded,
        people=lambda m: [m("user_text").lower()],
        project="wiki",
        about="wiki/{title.mPrefixedText}",
    ),
    "askbot.post.edit": rule("thread.updated", _asked, _ask_link, **_ASK),
    "askbot.post.delete": rule("thread.deleted", _post_deleted, _ask_link, **_ASK),
    "askbot.post.flag_offensive.add": rule("thread.updated", _flagged("flagged", "!"), _ask_link, **_ASK),
    "askbot.post.flag_offensive.delete": rule("thread.updated", _flagged("unflagged", "..."), _ask_link, **_ASK),
    "askbot.tag.update": rule(
        "thread.updated", "{agent} altered tags on askbot question '{thread.title}'", _ask_link, **_ASK
    ),
}


# -- Badges, accounts


def _named(m: Body, path: str) -> str:
    """An account or a group, written as text or as an object."""
    return m(path) or m(f"{path}.username") or m.need(f"{path}.name")


def _fas(words: str) -> Callable[[Body], str]:
    def line(m: Body) -> str:
        made = words
        for name in ("agent", "user", "group"):
            if f"[{name}]" in made:
                made = made.replace(f"[{name}]", _named(m, name))
        return made.replace("[fields]", ", ".join(m.names("fields")))

    return line


def _role(m: Body) -> str:
    to = f" to {m('status')}" if m("status") else ""
    return _fas("[agent] changed [user]'s role in the [group] group")(m) + to


def _fas_people(m: Body) -> list[str]:
    return [m(path) or m(f"{path}.username") for path in ("agent", "user")]


_ACCOUNT: Final[dict[str, Any]] = {
    "people": _fas_people,
    "about": lambda m: f"user/{_named(m, 'user')}",
    "project": "fas",
}
_GROUP: Final[dict[str, Any]] = {
    "people": _fas_people,
    "about": lambda m: f"group/{_named(m, 'group')}",
    "project": "fas",
}
_BADGE: Final[dict[str, Any]] = {"people": "user.username", "project": "badges"}
_BADGES: Final = "https://badges.fedoraproject.org/user/{user.username}"
FAS: Final[Table] = {
    "fedbadges.badge.award": rule(
        "badge.awarded",
        '{user.username} has been awarded the "{badge.name}" badge',
        _BADGES,
        **_BADGE,
        about="badge/{badge.name}",
    ),
    "fedbadges.person.rank.advance": rule(
        "account.updated",
        "{person.nickname} moved to position {person.rank} on the badges leaderboard",
        "https://badges.fedoraproject.org/user/{person.nickname}",
        people="person.nickname",
        project="badges",
    ),
    "fedbadges.person.login.first": rule(
        "account.updated", "{user.username} logged in to badges.fedoraproject.org for the first time", _BADGES, **_BADGE
    ),
    "fas.user.create": rule("account.created", _fas("New FAS account:  '[user]'  (created by '[agent]')"), **_ACCOUNT),
    "fas.user.update": rule(
        "account.updated", _fas("[agent] edited the following fields of [user]'s FAS profile:  [fields]"), **_ACCOUNT
    ),
    "fas.group.create": rule("group.created", _fas("[agent] created new FAS group [group]"), **_GROUP),
    "fas.group.update": rule(
        "group.updated", _fas("[agent] edited the following fields of the [group] FAS group:  [fields]"), **_GROUP
    ),
    "fas.role.update": rule("group.updated", _role, **_GROUP),
    "fas.group.member.apply": rule(
        "group.updated", _fas("[agent] applied for [user]'s membership in the [group] group"), **_GROUP
    ),
    "fas.group.member.sponsor": rule(
        "group.updated", _fas("[agent] sponsored [user]'s membership in the [group] group"), **_GROUP
    ),
    "fas.group.member.remove": rule("group.updated", _fas("[agent] removed [user] from the [group] group"), **_GROUP),
}


# -- Calendars, elections, wallpapers

_CAL: Final = "https://apps.fedoraproject.org/calendar/"


def _cal_link(m: Body) -> str:
    meeting = m("meeting.meeting_id")
    return f"{_CAL}meeting/{meeting}/" if meeting else f"{_CAL}{m.need('calendar.calendar_name')}/"


_CALENDAR: Final[dict[str, Any]] = {
    "people": "agent",
    "about": "calendar/{calendar.calendar_name}",
    "project": "fedocal",
}


def _cal(kind: str, words: str) -> Any:
    return rule(
        kind,
        words.replace("[c]", '"{calendar.calendar_name}"').replace("[m]", '"{meeting.meeting_name}"'),
        _cal_link,
        **_CALENDAR,
    )


CALENDARS: Final[Table] = {
    "fedocal.calendar.new": _cal("calendar.created", "{agent} created a whole new [c] calendar"),
    "fedocal.calendar.update": _cal("calendar.updated", "{agent} updated the [c] calendar"),
    "fedocal.calendar.delete": _cal("calendar.deleted", "{agent} deleted the [c] calendar"),
    "fedocal.calendar.clear": _cal("calendar.updated", "{agent} cleared the [c] calendar of all its meetings"),
    "fedocal.calendar.upload": _cal("calendar.updated", "{agent} uploaded an iCalendar file into the calendar [c]"),
    "fedocal.meeting.new": _cal("meeting.created", "{agent} created a [m] meeting in the [c] calendar"),
    "fedocal.meeting.update": _cal("meeting.updated", "{agent} updated the [m] meeting from the [c] calendar"),
    "fedocal.meeting.delete": _cal("meeting.deleted", "{agent} deleted the [m] meeting from the [c] calendar"),
    "fedocal.meeting.reminder": _cal(
        "meeting.updated",
        "Friendly reminder!  The [m] meeting from the [c] calendar starts {meeting.meeting_date} at "
        "{meeting.meeting_time_start} {meeting.meeting_timezone}",
    ),
}
_VOTE: Final[dict[str, Any]] = {
    "people": "agent fas_user",
    "about": "election/{election.alias|alias}",
    "project": "elections",
}
_VOTING: Final = "https://admin.fedoraproject.org/voting/about/{election.alias|alias}"


def _vote(kind: str, words: str) -> Any:
    return rule(kind, "{agent|fas_user} " + words.replace("[e]", '"{election.alias|alias}"'), _VOTING, **_VOTE)


def _wallpaper(kind: str, words: str) -> Any:
    made = words.replace("[e]", '"{election.name}"').replace("[c]", '{candidate.submitter}\'s "{candidate.name}"')
    return rule(
        kind,
        "{agent} " + made,
        lambda m: (
            m("candidate.original_url")
            or f"https://apps.fedoraproject.org/nuancier/{m.topic[1]}/{m.need('election.id')}"
        ),
        people="agent candidate.submitter",
        about="election/{election.name}",
        project="nuancier",
    )


def _wall_update(m: Body) -> str:
    return (
        f'{m.need("agent")} changed the following details on the "{m.need("election.name")}" election: '
        f"{', '.join(m.names('updated'))}"
    )


ELECTIONS: Final[Table] = {
    "fedora_elections.election.new": _vote("election.created", "created election [e]"),
    "fedora_elections.election.edit": _vote("election.updated", "edited election [e]"),
    "fedora_elections.candidate.new": _vote("election.updated", 'added candidate "{candidate.name}" to election [e]'),
    "fedora_elections.candidate.edit": _vote("election.updated", 'edited candidate "{candidate.name}" of election [e]'),
    "fedora_elections.candidate.delete": _vote(
        "election.updated", 'deleted candidate "{candidate.name}" of election [e]'
    ),
    "nuancier.election.new": _wallpaper("election.created", "created a new election [e]"),
    "nuancier.election.update": rule(
        "election.updated",
        _wall_update,
        "https://apps.fedoraproject.org/nuancier/election/{election.id}",
        people="agent",
        about="election/{election.name}",
        project="nuancier",
    ),
    "nuancier.candidate.new": _wallpaper("election.updated", "uploaded a new candidate for the [e] wallpaper election"),
    "nuancier.candidate.denied": _wallpaper("election.updated", "denied [c] submission to the [e] wallpaper election"),
    "nuancier.candidate.approved": _wallpaper(
        "election.updated", "approved [c] submission to the [e] wallpaper election"
    ),
}


# -- Meetings

_BOTS: Final = ("zodbot",)
_ITEMS: Final = {
    "agreed": "noted agreement",
    "accepted": "accepted an item",
    "rejected": "rejected an item",
    "action": "noted an action",
    "info": "raised a point of information",
    "idea": "proposed an idea",
    "help": "called for help",
    "link": "linked to more information",
}


def _attendees(m: Body) -> list[str]:
    owner = m("details.nick") or m("owner")
    present = [nick for nick in m.keys("attendees") if nick not in _BOTS]
    return [m.account(nick) for nick in sorted(present, key=lambda nick: nick != owner)]


def _meeting(m: Body) -> str:
    owner, title, channel = m.account(m.need("owner")), m("meeting_topic"), m.need("channel")
    match m.topic[2]:
        case "start":
            return (
                f'{owner} started meeting "{title}" in {channel}'
                if title
                else f"{owner} started a meeting in {channel}"
            )
        case "complete":
            titled = f' titled "{title}"' if title else ""
            return f"{owner}'s meeting{titled} ended in {channel}"
        case "topic":
            what = f'"{title}" meeting' if title else "meeting"
            return f'The topic of {owner}\'s {what} changed to "{m("topic") or "no topic"}" in {channel}'
    who, where = m.account(m.need("details.nick")), f'the "{title}" meeting' if title else "a meeting"
    return f'{who} {_ITEMS.get(m.topic[-1], m.topic[-1])} in {where} in {channel}: "{m("details.line")}"'


def _meeting_link(m: Body) -> str:
    if m.topic[2] == "complete":
        return m("url").replace("http://", "https://", 1) + ".html"
    found = _URL.search(m("details.line")) if m.topic[-1] == "link" else None
    return found[0] if found else ""


_MEETING: Final[dict[str, Any]] = {
    "people": _attendees,
    "actor": lambda m: m.account(m("details.nick") or m("owner")),
    "about": "meeting/{channel}",
    "project": "meetbot",
}
MEETINGS: Final[Table] = {
    "meetbot.meeting.start": rule("meeting.started", _meeting, _meeting_link, **_MEETING),
    "meetbot.meeting.complete": rule("meeting.finished", _meeting, _meeting_link, **_MEETING),
    "meetbot.meeting.topic.update": rule("meeting.updated", _meeting, _meeting_link, **_MEETING),
    "meetbot.meeting.item.*": rule("meeting.updated", _meeting, _meeting_link, **_MEETING),
}


# -- Notifications, tags, mail, blogs


def _openid(m: Body) -> str:
    return m.account(m.need("openid"))


def _fmn(words: str) -> Callable[[Body], str]:
    return lambda m: words.format(who=_openid(m), context=m("context"), changed=m("changed"))


_FMN: Final[dict[str, Any]] = {"people": lambda m: [_openid(m)], "project": "fmn"}
_FMN_LINK: Final = "https://apps.fedoraproject.org/notifications/"


def _preference(m: Body) -> str:
    if m("changed") == "enabled":
        return f"{_openid(m)} toggled their flow of {m('context')} messages"
    what = {"details": "delivery details", "batch_values": "digest options"}.get(m("changed"), m("changed"))
    return f"{_openid(m)} updated their {m('context')} {what}"


def _tagged_package(m: Body) -> str:
    return m("vote.tag.package") or next(iter(m.keys("vote.tag.package")), "")


def _tagger(m: Body, path: str) -> str:
    name = m(f"{path}.username")
    return "An anonymous user" if m.is_true(f"{path}.anonymous") else name


def _tagger_people(m: Body) -> list[str]:
    found = [m(path) for path in ("vote.user.username", "rating.user.username", "user.username")]
    return [name for name in found if name != "anonymous"]


def _voted(m: Body) -> str:
    verb = "upvoted" if m.is_true("vote.like") else "downvoted"
    return f'{m.need("vote.user.username")} {verb} "{m("vote.tag.tag")}" on {_tagged_package(m)}'


def _tag_packages(m: Body) -> list[str]:
    return [_tagged_package(m), m("rating.package.name"), m("package.name")]


def _used(m: Body) -> str:
    verb = "use" if m.is_true("usage") else "no longer use"
    return f"{_tagger(m, 'user')} declared that they {verb} {m.need('package.name')}"


def _tag_link(m: Body) -> str:
    name = next((name for name in _tag_packages(m) if name), "")
    return f"https://apps.fedoraproject.org/tagger/{name}" if name else ""


_TAG: Final[dict[str, Any]] = {"people": _tagger_people, "packages": _tag_packages, "project": "tagger"}


def _writer(m: Body) -> str:
    """The account of who wrote; "" when only the address is known."""
    found = m.account(parseaddr(m("msg.from"))[1])
    return "" if "@" in found else found


def _mail(m: Body) -> str:
    name, title = m.need("mlist.list_name"), " ".join(m("msg.subject").split())
    who = _writer(m) or "someone"
    if m("msg.references") or m("msg.in-reply-to"):
        return f"On the {name} list, {who} replied to '{title}'"
    return f"{who} wrote '{title}' to the {name} list"


def _mail_link(m: Body) -> str:
    found = m("msg.archived-at").strip().removeprefix("<").removesuffix(">")
    return f"https://lists.fedoraproject.org/archives{found}" if found.startswith("/") else found


_KERNEL: Final[dict[str, Any]] = {"people": "agent", "packages": lambda m: ["kernel"], "project": "kerneltest"}


def _karma(m: Body) -> str:
    what = "a karma cookie" if m("vote") == "1" else "negative karma"
    said = f'.  "{m("line")}"' if m("line") else ""
    return f"{m.need('agent')} gave {m.need('recipient')}({m('total')}) {what} in {m('channel')}{said}"


def _hub_link(m: Body) -> str:
    return m("hub_url") or f"https://hubs.fedoraproject.org/u/{m.need('username')}/"


def _hub_people(m: Body) -> list[str]:
    return [m("username"), m("hub_name") if m("hub_type") == "user" else ""]


_HUB: Final[dict[str, Any]] = {"people": _hub_people, "about": "hub/{hub_name|username}", "project": "hubs"}
HUBS: Final[Table] = {
    "hubs.user.created": rule("account.created", "New Hubs user: {username}", _hub_link, **_HUB),
    "hubs.user.role.added": rule("group.updated", "{username} has joined hub {hub_name} as {role}", _hub_link, **_HUB),
    "hubs.user.role.changed": rule(
        "group.updated", "{username}'s role on hub {hub_name} changed from {old_role} to {role}", _hub_link, **_HUB
    ),
    "hubs.user.role.removed": rule(
        "group.updated", "{username}'s role {role} on hub {hub_name} was removed", _hub_link, **_HUB
    ),
    "hubs.hub.created": rule("group.created", "New hub: {hub_name}", _hub_link, **_HUB),
    "hubs.hub.updated": rule("group.updated", "Hub {hub_name}'s configuration was changed", _hub_link, **_HUB),
    "hubs.widget.updated": rule(
        "group.updated",
        'On hub {hub_name}, the configuration for widget "{widget_label}" was changed',
        _hub_link,
        **_HUB,
    ),
}


def _college_link(m: Body) -> str:
    return m("link").replace("https://", "http://", 1)


OTHERS: Final[Table] = {
    "fmn.filter.update": rule(
        "account.updated", _fmn("{who} updated the {changed} on a fmn {context} filter"), _FMN_LINK, **_FMN
    ),
    "fmn.preference.update": rule("account.updated", _preference, _FMN_LINK, **_FMN),
    "fmn.confirmation.update": rule(
        "account.updated", _fmn("the {changed} of one of {who}'s pending confirmations changed"), _FMN_LINK, **_FMN
    ),
    "kerneltest.#": rule(
        "testsuiterun.finished",
        "{agent} ran a test of {test.kernel_version} ({test.result})",
        "https://apps.fedoraproject.org/kerneltest/kernel/{test.kernel_version}",
        **_KERNEL,
        outcome=lambda m: {"PASS": "success", "FAIL": "failure"}.get(m("test.result").upper(), ""),
    ),
    "kerneltest.release.new": rule(
        "release.updated",
        "{agent} added a new release for kerneltest: {release.releasenum} {release.support}",
        "https://apps.fedoraproject.org/kerneltest/stats",
        **_KERNEL,
    ),
    "kerneltest.release.edit": rule(
        "release.updated",
        "{agent} edited the {release.releasenum}-{release.support} release for kerneltest",
        "https://apps.fedoraproject.org/kerneltest/stats",
        **_KERNEL,
    ),
    "irc.karma": rule(
        "badge.awarded",
        _karma,
        "https://badges.fedoraproject.org/user/{recipient}",
        people="agent recipient",
        about="user/{recipient}",
        project="irc",
    ),
    "fmn.rule.update": rule(
        "account.updated", _fmn("{who} updated the {changed} on a fmn {context} rule"), _FMN_LINK, **_FMN
    ),
    "fedoratagger.tag.update": rule("artifact.tagged", _voted, _tag_link, **_TAG),
    "fedoratagger.tag.create": rule(
        "artifact.tagged",
        lambda m: f'{m.need("vote.user.username")} added tag "{m("vote.tag.tag")}" to {_tagged_package(m)}',
        _tag_link,
        **_TAG,
    ),
    "fedoratagger.rating.update": rule(
        "artifact.tagged",
        lambda m: f"{_tagger(m, 'rating.user')} gave {m.need('rating.package.name')} a rating of {m('rating.rating')}",
        _tag_link,
        **_TAG,
    ),
    "fedoratagger.usage.toggle": rule("artifact.tagged", _used, _tag_link, **_TAG),
    "fedoratagger.user.rank.update": rule(
        "account.updated", "{user.username}'s rank changed to {user.rank}", _tag_link, **_TAG
    ),
    "mailman.receive": rule(
        "thread.updated",
        _mail,
        _mail_link,
        people=lambda m: [_writer(m)],
        about="list/{mlist.list_name}",
        project="lists/{mlist.list_name}",
    ),
    "planet.post.new": rule(
        "article.published",
        '{username} posted "{post.title}"',
        "{post.link}",
        people="username",
        about="planet/{post.id}",
        project="planet",
    ),
    "fedoracollege.content.edit": rule(
        "article.updated",
        '{username} edited the content "{title}"',
        _college_link,
        people="username",
        project="fedoracollege",
    ),
    "fedoracollege.content.added": rule(
        "article.published",
        '{username} added the content "{title}"',
        _college_link,
        people="username",
        project="fedoracollege",
    ),
}
TABLE: Final[Table] = {**ASK, **FAS, **CALENDARS, **ELECTIONS, **MEETINGS, **HUBS, **OTHERS}
