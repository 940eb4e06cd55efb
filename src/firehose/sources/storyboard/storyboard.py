"""StoryBoard: what its notifications and its timeline mean.

In: a RabbitMQ notification (`resource`, `resource_after`, …), or a timeline event as `GET /api/v1/events` has it. Out:
events about stories, tasks, worklists, boards and projects. Both ways give the same id and meaning for a timeline
event, so a change from one to the other doubles nothing. Notifications do not say which stories are private, so they
become events only when the operator says that none is; what the REST API shows to anybody is public.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from firehose import event, source, subject
from firehose.errors import Refused, UnknownKind
from firehose.event import Event, fingerprint
from firehose.sources.storyboard.kinds import CLOSED, IGNORED, KINDS, TIMELINE
from firehose.wild import Wild, decode

PAGE: Final = 100
_TYPE: Final = "org.openstack.storyboard."
_DONE: Final = {"POST": "created", "PUT": "updated", "DELETE": "deleted"}


class Settings(source.Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """url: the StoryBoard's address; its timeline is read from there every `every` seconds unless `amqp` is set.

    amqp: `amqp(s)://user@host/vhost` of its RabbitMQ, "" for none. amqp_secret_file, amqp_secret_env: the password.
    amqp_ca_file: the authorities of the broker, "" for the system's. amqp_queue: the hub's own queue.
    all_stories_public: there are no private stories in this StoryBoard. names: ask the API at `url` what people and
    projects are called, which StoryBoard's messages only number.
    """

    url: str = "https://storyboard.openstack.org"
    every: float = 60.0
    amqp: str = ""
    amqp_secret_file: str = ""
    amqp_secret_env: str = ""
    amqp_ca_file: str = ""
    amqp_queue: str = "firehose"
    amqp_exchange: str = "storyboard"
    all_stories_public: bool = False
    names: bool = True


def holds(settings: Settings) -> source.Hold:
    """The queue if there is one, else the API."""
    if settings.amqp:
        bindings = ("task", "story", "project", "project_group", "timeline_event")
        return source.Queue(
            settings.amqp, settings.amqp_queue, settings.amqp_exchange, bindings, ca_file=settings.amqp_ca_file
        )
    first = f"{settings.url.rstrip('/')}/api/v1/events?sort_field=id&sort_dir=desc&limit={PAGE}&offset="

    def requests(cursor: str) -> Sequence[source.Request]:
        # Without a cursor the newest page is the start: a StoryBoard's whole past is for an import.
        return [source.Request(f"{first}0", about="0" if cursor else "first")]

    return source.Poll(max(settings.every, 1.0), requests)


def recovered(_request: source.Request, body: bytes, _settings: Settings) -> Sequence[bytes]:
    """The timeline events of one page, oldest first."""
    found = [(item["id"].count(), item.json()) for item in decode(body).each() if item.is_object()]
    return [one for _, one in sorted(found)]


def more(request: source.Request, body: bytes, _settings: Settings) -> source.Request | None:
    """The next page, while this one is full."""
    if request.about == "first" or sum(1 for _ in decode(body).each()) < PAGE:
        return None
    offset = int(request.about) + PAGE
    return source.Request(f"{request.url.rpartition('=')[0]}={offset}", about=str(offset))


def step(line: bytes, cursor: str) -> source.Step:
    """The cursor is the highest id."""
    number, last = decode(line)["id"].count(), int(cursor or 0)
    return source.Step(str(max(number, last)), fresh=number > last)


def lookups(delivery: source.Delivery, settings: Settings) -> Sequence[source.Request]:
    """Who did it, and the project of the task, or the one that all tasks of the story belong to."""
    if not settings.names:
        return ()
    body = decode(delivery.body)
    item = body if body["event_type"].present else body["resource_after"]
    if body["resource"].text("timeline_event") != "timeline_event":
        return _asked(settings, {_user(body): 3_600.0})
    if not item.is_object() or item["event_type"].text("") in IGNORED:
        return ()
    if not (settings.all_stories_public or settings.audience) and item is not body:
        return ()
    task, story = _number(item, "task"), _number(item, "story")
    # More tasks may be added to a story soon after the first.
    work = {_work(task, story): 600.0 if task else 60.0} if task or story else {}
    projects = {f"projects/{number}": 3_600.0 for number in _projects(delivery, *work)}
    return _asked(settings, {_user(item): 3_600.0} | work | projects)


def _asked(settings: Settings, wanted: dict[str, float]) -> list[source.Request]:
    api = f"{settings.url.rstrip('/')}/api/v1"
    return [source.Request(f"{api}/{about}", about=about, keep=keep) for about, keep in wanted.items() if about]


def _user(item: Wild) -> str:
    author = item["author_id"].word("")
    return f"users/{author}" if author.isalnum() else ""


def _number(item: Wild, noun: str) -> str:
    found = item[f"{noun}_id"].word("") or _info(item["event_info"])[f"{noun}_id"].word("")
    return found if found.isalnum() else ""


def _work(task: str, story: str) -> str:
    """What to ask for the project of a task, or of a story, which is that of all its tasks."""
    return f"tasks/{task}" if task else f"tasks?story_id={story}&limit=500"


def _answer(delivery: source.Delivery, about: str) -> Any:
    """What the API said, as it is; None where it said nothing. It is no part of the delivery: what cannot be read in
    there puts nothing into the quarantine."""
    try:
        return json.loads(delivery.known.get(about, b"null"))
    except (ValueError, RecursionError):
        return None


def _projects(delivery: source.Delivery, work: str = "") -> list[str]:
    """The number of the one project that tasks belong to; empty when they belong to several."""
    answer = _answer(delivery, work)
    tasks = answer if isinstance(answer, list) else [answer]
    found = {str(task.get("project_id")) for task in tasks if isinstance(task, dict)}
    return sorted(found) if len(found) == 1 and all(number.isdecimal() for number in found) else []


def _called(delivery: source.Delivery, about: str, field: str) -> str:
    answer = _answer(delivery, about)
    name = answer.get(field) if isinstance(answer, dict) else None
    return event.line(name) if isinstance(name, str) else ""


def _project_of(delivery: source.Delivery, task: str, story: str) -> tuple[str, str]:
    """Number and name of the project that something is about; empty where nobody told."""
    for number in _projects(delivery, _work(task, story)):
        return number, _called(delivery, f"projects/{number}", "name")
    return "", ""


def read(delivery: source.Delivery, settings: Settings) -> source.Verdict:
    """What a notification or a timeline event means."""
    body = decode(delivery.body)
    if body["event_type"].present:
        return _timeline(body, delivery, settings)
    resource = body["resource"].text()
    if resource in IGNORED:
        return source.Ignored(resource)
    if resource == "timeline_event":
        if not (settings.all_stories_public or settings.audience):
            return source.Ignored("may-be-private")
        return _timeline(body["resource_after"], delivery, settings, alias=_original(body))
    if resource not in ("project", "project_group"):
        raise UnknownKind(resource)
    return [_project(resource, body, delivery, settings)]


def _timeline(item: Wild, delivery: source.Delivery, settings: Settings, alias: tuple[str, ...] = ()) -> source.Verdict:
    name = item["event_type"].text()
    if name in IGNORED:
        return source.Ignored(name)
    if name not in TIMELINE:
        raise UnknownKind(f"timeline_event.{name}")
    info = _info(item["event_info"])
    numbers = {noun: (item[f"{noun}_id"].word("") or info[f"{noun}_id"].word("")) for noun in _NOUNS}
    kind, words = TIMELINE[name]
    if name == "task_status_changed" and info["new_status"].text("") in CLOSED:
        kind = "ticket.closed"
    about = next((noun for noun in _NOUNS if numbers[noun] and (noun != "task" or name.startswith("task"))), "")
    if not about:
        raise Refused("neither story_id nor worklist_id nor board_id", slug="bad-field", status=422, field="story_id")
    title = (info["task_title"].text("") if about == "task" else "") or info["story_title"].text("")
    parts = {key: info[key].word("") for key in ("old_status", "new_status", "old_priority", "new_priority")}
    tags = " ".join(tag.text("") for tag in info["tags"].each()) if info["tags"].is_list() else info["tags"].word("")
    said = "".join(words).format(**numbers, **parts, tags=tags)
    author = item["author_id"].word("")
    actor = _called(delivery, f"users/{author}", "full_name")
    story = numbers["story"]
    number, project = _project_of(delivery, _number(item, "task"), _number(item, "story"))
    return [
        Event(
            id=f"timeline_event/{item['id'].word()}",
            source=settings.url.rstrip("/"),
            type=f"{_TYPE}{name}",
            kind=kind,
            subject=_subject(about, numbers[about]),
            time=item["created_at"].moment() or delivery.received,
            project=project,
            actor=actor,
            summary=f"{actor or f'User {author}' if author else 'Somebody'} {said}" + (f": {title}" if title else ""),
            link=_link(settings, story, numbers),
            outcome="success" if kind == "ticket.closed" and parts["new_status"] == "merged" else "",
            refs=tuple(
                [_subject(noun, numbers[noun]) for noun in _NOUNS if numbers[noun] and noun != about]
                + ([f"project/{number}"] if number else [])
                + ([f"person/{subject.escape(author)}"] if author else [])
            ),
            data=delivery.body,
            text=" ".join((title, item.at("comment", "content").text(""))),
            alias=alias,
        )
    ]


_NOUNS: Final = ("task", "story", "worklist", "board")


def _subject(noun: str, number: str) -> str:
    return f"{noun}/{subject.escape(number)}"


def _info(value: Wild) -> Wild:
    """`event_info` is JSON within JSON, or already an object."""
    if not value.is_text():
        return value if value.is_object() else Wild({})
    found = decode(value.text().encode("utf-8", "replace"))
    return found if found.is_object() else Wild({})


def _link(settings: Settings, story: str, numbers: dict[str, str]) -> str:
    for noun, number in (("story", story), ("worklist", numbers["worklist"]), ("board", numbers["board"])):
        if number.isalnum():
            return f"{settings.url.rstrip('/')}/#!/{noun}/{number}"
    return ""


def _project(resource: str, body: Wild, delivery: source.Delivery, settings: Settings) -> Event:
    method = body["method"].text()
    if method not in _DONE:
        raise UnknownKind(f"{resource}.{method}")
    number = body["resource_id"].word()
    after = body["resource_after"] if body["resource_after"].present else body["resource_before"]
    name = after["name"].text("") or number
    sub = body["sub_resource"].text("")
    done = "updated" if sub else _DONE[method]
    noun = resource.replace("_", "")
    author = body["author_id"].word("")
    actor = _called(delivery, f"users/{author}", "full_name")
    return Event(
        # The service gives no id and no time of its own for these.
        id=fingerprint(delivery.body),
        source=settings.url.rstrip("/"),
        type=f"{_TYPE}{resource}.{done}",
        kind=f"{noun}.{done}",
        subject=f"{noun}/{subject.escape(number)}",
        time=after["updated_at"].moment() or after["created_at"].moment() or delivery.received,
        project=name if resource == "project" and name != number else "",
        actor=actor,
        summary=f"{actor or f'User {author}' if author else 'Somebody'} {done} {resource.replace('_', ' ')} {name}",
        link=f"{settings.url.rstrip('/')}/#!/{resource}/{number}" if number.isalnum() else "",
        data=delivery.body,
        alias=_original(body),
    )


def _original(body: Wild) -> tuple[str, ...]:
    """The topic that StoryBoard's MQTT driver of 2018 would have used."""
    parts = ["storyboard", body["resource"].word(""), body["resource_id"].word(""), body["author_id"].word("")]
    if body["sub_resource"].present:
        parts += ["sub_resource", body["sub_resource"].word(""), body["sub_resource_id"].word("")]
    levels = [subject.escape(part) for part in parts if part]
    return ("/".join(levels),) if len(levels) > 2 else ()


def native_kind(delivery: source.Delivery) -> str:
    """The timeline event's type, else the resource; "" when it cannot be read."""
    try:
        body = decode(delivery.body)
        inner = body["event_type"].text("") or body.at("resource_after", "event_type").text("")
        return inner or body["resource"].text("")
    except Refused:
        return ""


SOURCE: Final = source.SourceKind(
    name="storyboard",
    title="StoryBoard",
    family="ticket",
    settings=Settings,
    read=read,
    kinds=KINDS,
    ignored=IGNORED,
    hidden=("resource_before.email", "resource_after.email", "resource_before.openid", "resource_after.openid"),
    native_kind=native_kind,
    holds=holds,
    recovered=recovered,
    more=more,
    lookups=lookups,
    step=step,
)
