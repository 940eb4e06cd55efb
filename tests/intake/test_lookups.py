"""Names for numbers: asked once, in order, and never in the way of what they are about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from firehose.errors import GiveUp, TryLater
from firehose.intake import lookups
from firehose.intake.lookups import Lookups
from firehose.plumbing.clock import now
from firehose.source import Delivery, Ignored, Request, Settings, SourceKind
from firehose.wild import decode


def wanted(delivery: Delivery, settings: Settings) -> Sequence[Request]:
    """A task leads to its project."""
    task = decode(delivery.body)["task"].word()
    found = [Request(f"{settings.url}/tasks/{task}", about=f"tasks/{task}", keep=60.0)]
    answer = delivery.known.get(f"tasks/{task}")
    project = json.loads(answer)["project"] if answer else 0
    return [*found, Request(f"{settings.url}/projects/{project}", about=f"projects/{project}")] if project else found


KIND = SourceKind(
    name="toy", title="Toy", family="ticket", settings=Settings, read=lambda *_: Ignored("x"), kinds={}, lookups=wanted
)


class Service:
    """What it answers, by path, and what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {name.replace("_", "/"): value for name, value in answers.items()}
        self.asked: list[str] = []

    async def fetch(self, request: Request) -> bytes:
        path = request.url.removeprefix("https://toy.example/")
        self.asked.append(path)
        answer = self.answers.get(path, GiveUp(f"{path} answered 404"))
        if isinstance(answer, Exception):
            raise answer
        return json.dumps(answer).encode()


def about(*tasks: int) -> list[Delivery]:
    return [Delivery(source="toy", body=b'{"task": %d}' % task, received=now()) for task in tasks]


def names(service: Service) -> Lookups:
    return Lookups(KIND, Settings(kind="toy", url="https://toy.example"), service.fetch)


async def test_an_answer_leads_to_the_next_question_and_each_is_asked_once() -> None:
    service = Service(tasks_1={"project": 3}, tasks_2={"project": 3}, projects_3={"name": "atlas"})
    looked = names(service)
    first, second = await looked.fill(about(1, 2))
    assert json.loads(first.known["projects/3"]) == json.loads(second.known["projects/3"]) == {"name": "atlas"}
    assert [delivery.body for delivery in await looked.fill(about(2, 1))] == [b'{"task": 2}', b'{"task": 1}']
    assert sorted(service.asked) == ["projects/3", "tasks/1", "tasks/2"]


async def test_what_is_not_there_is_not_asked_for_again_at_once() -> None:
    service = Service(tasks_1={"project": 9})
    looked = names(service)
    (found,) = await looked.fill(about(1))
    assert list(found.known) == ["tasks/1"]
    await looked.fill(about(1))
    assert service.asked == ["tasks/1", "projects/9"]


async def test_a_service_that_is_away_is_left_alone_for_a_while() -> None:
    service = Service(tasks_1=TryLater("away"))
    looked = names(service)
    for deliveries in (about(1), about(1), about(2, 3)):
        assert await looked.fill(deliveries) == deliveries
    assert service.asked == ["tasks/1"]


async def test_an_answer_is_believed_as_long_as_the_source_says(monkeypatch: pytest.MonkeyPatch) -> None:
    time = [0.0]
    monkeypatch.setattr(lookups, "monotonic", lambda: time[0])
    service = Service(tasks_1={"project": 3}, projects_3={"name": "atlas"})
    looked = names(service)
    await looked.fill(about(1))
    time[0] = 61.0
    service.answers["tasks/1"] = {"project": 4}
    service.answers["projects/4"] = {"name": "harbor"}
    (found,) = await looked.fill(about(1))
    assert json.loads(found.known["projects/4"]) == {"name": "harbor"}
    assert service.asked == ["tasks/1", "projects/3", "tasks/1", "projects/4"]


async def test_what_cannot_be_read_goes_on_to_the_gate() -> None:
    broken = Delivery(source="toy", body=b"no JSON", received=now())
    assert await names(Service()).fill([broken]) == [broken]
