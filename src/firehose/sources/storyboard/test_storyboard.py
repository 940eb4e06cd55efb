"""StoryBoard's timeline and notifications, by samples and by the odd cases."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firehose import source
from firehose.errors import UnknownKind
from firehose.event import Event
from firehose.sources.storyboard.kinds import IGNORED, TIMELINE

SAMPLES = Path(__file__).parent / "samples"
STORYBOARD = source.load("storyboard")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def verdict(body: Any, **own: Any) -> source.Verdict:
    delivery = source.Delivery(source="storyboard", body=json.dumps(body).encode(), received=NOW)
    return STORYBOARD.read(
        delivery, STORYBOARD.settings(kind="storyboard", url="https://stories.lumen.example/", **own)
    )


def read(body: Any, **own: Any) -> Event:
    found = verdict(body, **own)
    assert not isinstance(found, source.Ignored)
    (event,) = found
    return event


@pytest.mark.parametrize(
    ("name", "kind", "about", "summary"),
    [
        ("story_created__rest", "ticket.created", "story/425", "User 7 reported story 425: Draw tiles in parallel"),
        ("task_created__rest", "ticket.created", "task/9", "User 7 added task 9 to story 425: Lock the cache"),
        ("task_status_changed__merged", "ticket.closed success", "task/9",
         "User 7 moved task 9 of story 425 from review to merged: Lock the cache"),
        ("task_status_changed__review", "ticket.updated", "task/9",
         "User 7 moved task 9 of story 425 from todo to review: Lock the cache"),
        ("user_comment__rest", "comment.added", "story/425", "User 7 commented on story 425"),
        ("tags_added__rest", "ticket.updated", "story/425", "User 7 added the tags maps slow to story 425"),
        ("board_created__rest", "board.created", "board/3", "User 7 made board 3"),
        ("project__renamed", "project.updated", "project/3", "User 7 updated project lumen/atlas"),
        ("project_group__project-added", "projectgroup.updated", "projectgroup/2",
         "User 7 updated project group 2"),
    ],
)  # fmt: skip
def test_a_sample_becomes(name: str, kind: str, about: str, summary: str) -> None:
    event = read(sample(name))
    assert (f"{event.kind} {event.outcome}".strip(), event.subject, event.summary) == (kind, about, summary)


def test_a_task_belongs_to_its_story_and_links_there() -> None:
    event = read(sample("task_created__rest"))
    assert event.refs == ("story/425", "person/7")
    assert event.link == "https://stories.lumen.example/#!/story/425"
    assert event.time == datetime(2025, 10, 9, 9, 20, tzinfo=UTC)


def test_both_ways_give_the_same_event() -> None:
    by_rest = read(sample("story_created__rest"))
    by_queue = read(sample("story_created__amqp"), all_stories_public=True)
    assert (by_rest.id, by_rest.kind, by_rest.summary) == (by_queue.id, by_queue.kind, by_queue.summary)


def test_what_may_be_private_stays_out_until_the_operator_says_otherwise() -> None:
    for name in ("story_created__amqp", "task_priority_changed__amqp"):
        assert verdict(sample(name)) == source.Ignored("may-be-private")
        assert read(sample(name), audience="stories").kind.startswith("ticket.")
    assert verdict(sample("story__private"), all_stories_public=True) == source.Ignored("story")


def test_mqtt_driver_defect_numbers_could_not_be_joined_to_a_topic() -> None:
    event = read(sample("task_priority_changed__amqp"), all_stories_public=True)
    assert event.alias == ("storyboard/timeline_event/9005/7",)
    assert read(sample("project_group__project-added")).alias == (
        "storyboard/projectgroup/2/7/sub_resource/project/1".replace("projectgroup", "project_group"),
    )


def test_permissions_and_subscriptions_are_ignored_and_the_unknown_is_unknown() -> None:
    assert verdict(sample("subscription__plain")) == source.Ignored("subscription")
    assert verdict(sample("board_permissions_changed__rest")) == source.Ignored("board_permissions_changed")
    with pytest.raises(UnknownKind, match="teapot"):
        verdict(sample("story_created__rest") | {"event_type": "teapot"})
    assert set(TIMELINE) & set(IGNORED) == set()


def test_the_poll_goes_on_after_its_cursor() -> None:
    assert STORYBOARD.holds is not None
    assert STORYBOARD.recovered is not None
    assert STORYBOARD.more is not None
    assert STORYBOARD.step is not None
    settings = STORYBOARD.settings(kind="storyboard")
    hold = STORYBOARD.holds(settings)
    assert isinstance(hold, source.Poll)
    (first,), (later,) = hold.requests(""), hold.requests("41")
    page = json.dumps([{"id": number} for number in range(140, 40, -1)]).encode()
    assert [json.loads(one)["id"] for one in STORYBOARD.recovered(later, page, settings)] == list(range(41, 141))
    assert STORYBOARD.more(first, page, settings) is None
    following = STORYBOARD.more(later, page, settings)
    assert following is not None
    assert following.url.endswith("offset=100")
    assert STORYBOARD.more(following, b"[]", settings) is None
    assert STORYBOARD.step(b'{"id": 42}', "41") == source.Step("42")
    assert STORYBOARD.step(b'{"id": 40}', "41") == source.Step("41", fresh=False)


def test_the_shared_notifications_are_read(shared: Path) -> None:
    lines = (shared / "samples" / "storyboard-notifications" / "notifications-constructed.jsonl").read_text()
    bodies = [json.loads(line)["payload"] for line in lines.splitlines()]
    found = [verdict(body, all_stories_public=True) for body in bodies]
    assert len(found) == 15
    events = [event for one in found if not isinstance(one, source.Ignored) for event in one]
    assert len(events) == 8


def test_the_shared_timeline_is_read(shared: Path) -> None:
    page = json.loads((shared / "samples" / "storyboard" / "events_get_all.json").read_text())["response"]["body"]
    assert [read(item).kind for item in page] == ["ticket.created"] * len(page)


def named(name: str, **answers: object) -> source.Delivery:
    """A sample with what the API said."""
    known = {about: json.dumps(answer).encode() for about, answer in answers.items()}
    return source.Delivery(source="storyboard", body=json.dumps(sample(name)).encode(), received=NOW, known=known)


def settings(**own: Any) -> Any:
    return STORYBOARD.settings(kind="storyboard", url="https://stories.lumen.example/", **own)


def told(delivery: source.Delivery) -> Event:
    found = STORYBOARD.read(delivery, settings())
    assert not isinstance(found, source.Ignored)
    return found[0]


def asked(delivery: source.Delivery, **own: Any) -> list[str]:
    assert STORYBOARD.lookups is not None
    return [one.url for one in STORYBOARD.lookups(delivery, settings(**own))]


@pytest.mark.parametrize(
    ("tasks", "project"),
    [
        ([{"project_id": 3}, {"project_id": 3}], "lumen/atlas"),
        ([{"project_id": 3}, {"project_id": 4}], ""),
        ([], ""),
        ("no list", ""),
        ([{"project_id": {"x": 1}}], ""),
        ([{"project_id": None}], ""),
    ],
)
def test_a_story_belongs_to_the_project_of_all_its_tasks(tasks: object, project: str) -> None:
    nobody = {"projects/None": {"name": "nobody's"}}
    answers = {"tasks?story_id=425&limit=500": tasks, "projects/3": {"name": "lumen/atlas"}} | nobody
    event = told(named("user_comment__rest", **answers))
    assert (event.project, event.actor) == (project, "")
    assert ("project/3" in event.refs) == bool(project)


def test_people_are_asked_for_by_number_and_nothing_that_may_be_private() -> None:
    api = "https://stories.lumen.example/api/v1"
    assert asked(named("user_comment__rest")) == [f"{api}/users/7", f"{api}/tasks?story_id=425&limit=500"]
    assert asked(named("task_priority_changed__amqp"), all_stories_public=True) == [f"{api}/users/7", f"{api}/tasks/9"]
    assert asked(named("story_created__amqp")) == []
    assert asked(named("user_comment__rest"), names=False) == []
    event = told(named("project__renamed", **{"users/7": {"full_name": "Mira"}}))
    assert (event.actor, event.summary) == ("Mira", "Mira updated project lumen/atlas")
