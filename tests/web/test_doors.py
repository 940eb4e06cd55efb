"""Other people's clients at our doors: EventStreams by SSE and NDJSON, datagrepper by page."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from tests.web.conftest import Desk
from tests.web.reading import frames


async def messages(answer: httpx.Response, count: int) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    async with asyncio.timeout(20):
        async for frame in frames(answer):
            if frame.get("event") == "message":
                found.append(frame)
            if len(found) == count:
                break
    return found


async def test_eventstreams_begins_now_and_resumes_by_its_own_ids(desk: Desk) -> None:
    await desk.give("1")
    async with desk.http.stream("GET", "/v2/stream/change.merged") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["access-control-allow-origin"] == "*"
        await desk.give("2")
        (frame,) = await messages(answer, 1)
    place = json.loads(frame["id"])
    assert json.loads(frame["data"])["meta"]["stream"] == "toy.change.merged"
    assert place[0]["offset"] == 2
    await desk.give("3")
    async with desk.http.stream("GET", "/v2/stream/all", headers={"last-event-id": frame["id"]}) as answer:
        (resumed,) = await messages(answer, 1)
    assert json.loads(resumed["data"])["id"] == "3"


async def test_eventstreams_since_replays(desk: Desk) -> None:
    await desk.give("1", "2")
    async with desk.http.stream("GET", "/v2/stream/change.merged?since=2020-01-01T00:00:00Z") as answer:
        found = await messages(answer, 2)
    assert [json.loads(frame["data"])["id"] for frame in found] == ["1", "2"]


async def test_eventstreams_as_lines(desk: Desk) -> None:
    await desk.give("1", "2")
    headers = {"accept": "application/json"}
    ids: list[str] = []
    async with (
        asyncio.timeout(20),
        desk.http.stream("GET", "/v2/stream/all?since=2020-01-01", headers=headers) as answer,
    ):
        async for line in answer.aiter_lines():
            if line:
                ids.append(json.loads(line)["id"])
            if len(ids) == 2:
                break
    assert ids == ["1", "2"]


@pytest.mark.parametrize(
    ("path", "status", "slug"),
    [
        ("/v2/stream/chnge", 404, "unknown-stream"),
        ("/v2/stream/all?sinse=1", 400, "unknown-parameter"),
        ("/v2/stream/all?since=soon", 400, "bad-parameter"),
        ("/v2/stream/", 400, "bad-parameter"),
        ("/raw?rows_per_page=1000", 400, "bad-parameter"),
        ("/v2/search?usr=x", 400, "unknown-parameter"),
        ("/id", 400, "bad-parameter"),
        ("/v2/id?id=nothing", 404, "not-found"),
    ],
)
async def test_errors_are_problems(desk: Desk, path: str, status: int, slug: str) -> None:
    answer = await desk.http.get(path)
    assert answer.status_code == status
    assert answer.json()["type"].endswith(f"/problems/{slug}")


async def ask(desk: Desk, path: str) -> Any:
    answer = await desk.http.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["access-control-allow-origin"] == "*"
    return answer.json()


async def test_datagrepper_pages_through_everything_once(desk: Desk) -> None:
    names = [str(number) for number in range(60)]
    for start in range(0, 60, 20):
        await desk.give(*names[start : start + 20])
    found: list[str] = []
    for page in range(1, 4):
        answer = await ask(desk, f"/raw?order=asc&rows_per_page=25&page={page}")
        assert (answer["total"], answer["pages"]) == (60, 3)
        found += [message["msg_id"] for message in answer["raw_messages"]]
    assert found == names
    assert (await ask(desk, "/raw?page=9"))["raw_messages"] == []
    newest = await ask(desk, "/raw?rows_per_page=1")
    assert newest["raw_messages"][0]["msg_id"] == "59"


async def test_datagrepper_filters_and_gives_fedora_messages(desk: Desk) -> None:
    await desk.give("1", project="demo/one")
    await desk.give("2", project="demo/two")
    answer = await ask(desk, "/v2/search?package=demo/two&user=ada&category=toy&topic=events.toy.change.merged")
    assert [message["id"] for message in answer["raw_messages"]] == ["2"]
    assert answer["raw_messages"][0]["body"]["names"] == ["2"]
    assert (await ask(desk, "/raw?contains=merged&not_package=demo/two"))["count"] == 1
    assert (await ask(desk, "/raw/?not_user=ada"))["count"] == 0
    assert (await ask(desk, "/v2/id?id=1"))["topic"] == "events.toy.change.merged"
    assert (await ask(desk, "/id?id=1"))["packages"] == ["demo/one"]
