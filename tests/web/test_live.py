"""Live streams: every event after the cursor, once, in order, by each encoding, or the reason why not."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.web.conftest import Desk, running, toy_event
from tests.web.reading import ids_of, lines, messages, sse
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from firehose.bus.live import Live
from firehose.event import Recorded, encode
from firehose.query.tree import Everything
from firehose.web.encodings import Chunk, Lines, Shared
from firehose.web.pump import Pump, Wish


async def test_a_stream_begins_with_where_it_starts(desk: Desk) -> None:
    await desk.give("1", "2")
    async with sse(desk) as stream:
        info = await anext(stream)
        assert info["event"] == "info"
        assert info["id"] == f"{2:020d}"
        assert json.loads(info["data"])["head"] == f"{2:020d}"
        await desk.give("3")
        assert await ids_of(stream, 1) == ["3"]


async def test_replay_runs_into_the_live_stream(desk: Desk) -> None:
    await desk.give("1", "2")
    async with sse(desk, "/v1/stream?since=earliest") as stream:
        assert await ids_of(stream, 2) == ["1", "2"]
        await desk.give("3")
        assert await ids_of(stream, 1) == ["3"]


async def test_a_browser_resumes_after_the_last_id_and_the_header_wins(desk: Desk) -> None:
    await desk.give("1", "2", "3")
    async with sse(desk, "/v1/stream?cursor=1", **{"last-event-id": f"{2:020d}"}) as stream:
        assert await ids_of(stream, 1) == ["3"]


async def test_all_encodings_give_the_same_events_once_in_order(tmp_path: Path) -> None:
    names = [str(number) for number in range(300)]
    # A ring this small makes every reader go through the history first.
    async with running(tmp_path, ring=50) as desk:
        for start in range(0, 300, 30):
            await desk.give(*names[start : start + 30])
        path = "?since=earliest&until=latest"
        by_line = [event["id"] for event in await lines(desk, f"/v1/stream{path}") if "specversion" in event]
        by_message = [event["id"] for event in await messages(desk, f"/v1/stream/ws{path}") if "specversion" in event]
        async with sse(desk, f"/v1/stream/sse{path}") as stream:
            by_event = await ids_of(stream, 300)
        assert by_line == by_message == by_event == names


async def test_filters_in_the_path_and_by_query_narrow_a_stream(desk: Desk) -> None:
    await desk.give("1", project="demo/one")
    await desk.give("2", project="demo/two")
    end = "since=earliest&until=latest"
    topic = "/v1/stream/events/%2B/change/merged/demo/two,nothing/here"
    assert [event["id"] for event in await lines(desk, f"{topic}?{end}") if "id" in event] == ["2"]
    assert [event["id"] for event in await lines(desk, f"/v1/stream?project=demo/one&{end}") if "id" in event] == ["1"]
    assert [
        event["id"] for event in await lines(desk, f"/v1/stream/json?q=-project:demo/one&{end}") if "id" in event
    ] == ["2"]
    assert [event["id"] for event in await lines(desk, f"/v1/stream?subject=demo~2&{end}") if "id" in event] == ["2"]


async def test_a_filtered_reader_hears_of_its_progress(tmp_path: Path) -> None:
    async with running(tmp_path) as desk:
        desk.streams.heartbeat = 0.2
        async with sse(desk, "/v1/stream?project=other") as stream:
            await anext(stream)
            await desk.give("1", "2")
            async for frame in stream:
                if frame["event"] == "heartbeat" and frame["id"] == f"{2:020d}":
                    break
            assert json.loads(frame["data"]) == {"cursor": f"{2:020d}", "head": f"{2:020d}", "lag": 0}


async def test_limit_and_until_end_a_stream_with_a_goodbye(desk: Desk) -> None:
    await desk.give("1", "2", "3")
    found = await lines(desk, "/v1/stream?since=earliest&limit=2")
    assert [event.get("id", event.get("event")) for event in found] == ["info", "1", "2", "goodbye"]
    assert found[-1]["cursor"] == f"{2:020d}"
    assert found[-1]["reason"] == "complete"
    found = await lines(desk, "/v1/stream?since=earliest&until=seq:3")
    assert [event.get("id", event.get("event")) for event in found] == ["info", "1", "2", "goodbye"]


@pytest.mark.parametrize("query", ["project=demo/one", "project=demo/nothing", ""])
@pytest.mark.parametrize("ring", [50, 20_000])
async def test_a_goodbye_has_no_cursor_beyond_what_was_asked_for(tmp_path: Path, ring: int, query: str) -> None:
    async with running(tmp_path, ring=ring) as desk:
        for start in range(0, 200, 20):
            await desk.give(*[str(number) for number in range(start, start + 20)])
        goodbye = (await lines(desk, f"/v1/stream/json?{query}&cursor=20&until=seq:31"))[-1]
        assert (goodbye["event"], goodbye["reason"], goodbye["cursor"]) == ("goodbye", "complete", f"{30:020d}")
        rest = await lines(desk, f"/v1/stream/json?{query}&cursor={goodbye['cursor']}&until=seq:33")
        assert [event["id"] for event in rest if "id" in event] == ([] if "nothing" in query else ["30", "31"])


def written_at(*moments: datetime) -> Live:
    """A live end whose events were recorded at these times."""
    live = Live()
    frames = [encode("toy", toy_event(str(number))) for number in range(1, len(moments) + 1)]
    live.take([Recorded(number, *pair) for number, pair in enumerate(zip(moments, frames, strict=True), 1)])
    return live


@pytest.mark.parametrize("after", [0, 2])
async def test_a_stream_up_to_a_moment_says_goodbye_before_what_was_recorded_later(desk: Desk, after: int) -> None:
    end = desk.hub.now()
    live = written_at(end - timedelta(seconds=2), end - timedelta(seconds=1), end, end + timedelta(seconds=1))

    async def write(_: Chunk) -> None:
        return

    wish = Wish(node=Everything(), after=after, encoding=Lines(), until=end)
    pump = Pump(replace(desk.hub, live=live), wish, Shared(), write)
    await pump.run()
    assert (pump.reason, pump.given, pump.cursor) == ("complete", 2 - after, 2)


async def test_a_cursor_older_than_the_history_is_gone_and_the_floor_is_named(desk: Desk) -> None:
    await desk.give("1", "2", "3")
    await asyncio.to_thread(desk.hub.reader.store.forget, 2)
    answer = await desk.http.get("/v1/stream?cursor=1")
    assert answer.status_code == 410
    assert answer.json()["type"].endswith("/cursor-too-old")
    assert answer.json()["floor"] == f"{2:020d}"
    found = await messages(desk, "/v1/stream?cursor=1")
    assert [(message["event"], message["reason"]) for message in found] == [("error", "cursor-too-old")]


async def test_a_stream_waits_for_a_since_that_is_still_to_come(desk: Desk) -> None:
    begin = desk.hub.now()
    live = written_at(begin - timedelta(seconds=2), begin - timedelta(seconds=1), begin, begin + timedelta(seconds=1))

    async def write(_: Chunk) -> None:
        return

    wish = Wish(node=Everything(), after=0, encoding=Lines(), since=begin, most=1)
    pump = Pump(replace(desk.hub, live=live), wish, Shared(), write)
    await pump.run()
    assert (pump.given, pump.cursor) == (1, 3)
    async with sse(desk, "/v1/stream?since=9000-01-01") as early, sse(desk, "/v1/stream") as now:
        await anext(early)
        await desk.give("1")
        assert await ids_of(now, 1) == ["1"]
        assert desk.streams.delivered == 1


PROBLEMS = [
    pytest.param("/v1/stream?colour=red", {}, 400, "unknown-parameter", id="unknown parameter"),
    pytest.param("/v1/stream?q=kind:", {}, 400, "bad-query", id="broken query"),
    pytest.param("/v1/stream/events/%23/x", {}, 400, "bad-parameter", id="filter that is none"),
    pytest.param("/v1/stream?cursor=99", {}, 409, "future-cursor", id="cursor of another hub"),
    pytest.param("/v1/stream?since=seq:99", {}, 409, "future-cursor", id="sequence of another hub"),
    pytest.param("/v1/stream?cursor=x%0d%0aid:%201", {}, 400, "bad-parameter", id="line ends in a cursor"),
    pytest.param("/v1/stream", {"last-event-id": "0; x"}, 400, "bad-parameter", id="strange Last-Event-ID"),
    pytest.param("/v1/stream", {"accept": "image/png"}, 406, "not-acceptable", id="no such encoding"),
    pytest.param("/v1/stream?order=desc", {}, 400, "bad-parameter", id="backwards"),
]


@pytest.mark.parametrize(("path", "headers", "status", "slug"), PROBLEMS)
async def test_what_cannot_be_read_is_a_problem(
    desk: Desk, path: str, headers: dict[str, str], status: int, slug: str
) -> None:
    answer = await desk.http.get(path, headers=headers)
    assert answer.status_code == status
    assert answer.json()["type"].endswith(f"/problems/{slug}")
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_websocket_address_without_an_upgrade_says_what_it_wants(desk: Desk) -> None:
    answer = await desk.http.get("/v1/stream/ws")
    assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")
    assert answer.json()["title"] == "A WebSocket is needed"


async def test_ids_with_line_ends_cannot_break_a_frame(desk: Desk) -> None:
    await desk.give('1\r\nid: 7\r\ndata: "x"\n\nevent: heartbeat')
    async with sse(desk, "/v1/stream?since=earliest") as stream:
        assert (await anext(stream))["event"] == "info"
        frame = await anext(stream)
        assert set(frame) == {"id", "data"}
        assert frame["id"] == f"{1:020d}"


async def test_raw_gives_the_upstream_payload_on_one_line(desk: Desk) -> None:
    await desk.give("1")
    found = await lines(desk, "/v1/stream?since=earliest&until=latest&as=raw")
    assert found[1] == {"kind": "merged", "names": ["1"], "project": "demo/one"}


async def test_cloudevents_over_websocket_are_all_cloudevents(desk: Desk) -> None:
    await desk.give("1")
    found = await messages(desk, "/v1/stream?since=earliest&until=latest", ["cloudevents.json"])
    assert [message["type"] for message in found] == [
        "firehose.stream.info", "org.example.merged", "firehose.stream.goodbye",
    ]  # fmt: skip
    assert all(message["specversion"] == "1.0" for message in found)


async def test_a_reader_that_hangs_up_is_forgotten(desk: Desk) -> None:
    async with sse(desk) as stream:
        await anext(stream)
        assert desk.streams.count == 1
    async with connect(f"ws://127.0.0.1:{desk.port}/v1/stream", proxy=None) as socket:
        await socket.recv()
    for _ in range(500):
        if not desk.streams.count:
            break
        await asyncio.sleep(0.01)
    assert desk.streams.count == 0


async def test_a_hub_that_stops_says_goodbye_with_the_cursor(desk: Desk) -> None:
    await desk.give("1")
    async with sse(desk) as stream, connect(f"ws://127.0.0.1:{desk.port}/v1/stream", proxy=None) as socket:
        await anext(stream)
        await socket.recv()
        await desk.server.close()
        last = [frame async for frame in stream][-1]
        assert (last["event"], last["id"]) == ("goodbye", f"{1:020d}")
        assert json.loads(await socket.recv())["reason"] == "shutdown"
        with pytest.raises(ConnectionClosed):
            await socket.recv()


async def test_a_reader_that_takes_nothing_is_cut_and_others_do_not_wait(tmp_path: Path) -> None:
    async with running(tmp_path) as desk:
        desk.streams.heartbeat, desk.streams.stall = 0.3, 0.5
        _, writer = await asyncio.open_connection("127.0.0.1", desk.port)
        writer.write(b"GET /v1/stream HTTP/1.1\r\nHost: x\r\n\r\n")
        async with sse(desk) as stream:
            await anext(stream)
            while desk.streams.count < 2:
                await asyncio.sleep(0.01)
            bulk = json.dumps("x" * 200_000).encode()
            for number in range(100):
                await desk.feed(toy_event(str(number), bulk))
            assert await ids_of(stream, 100) == [str(number) for number in range(100)]
            async with asyncio.timeout(20):
                while desk.streams.count > 1:
                    await asyncio.sleep(0.01)
        writer.close()
