"""Deliveries by HTTP: each ends with the right status and a problem that names the cause."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import httpx
import msgspec
import pytest
from tests.web.conftest import Desk, signed

MERGED = b'{"kind":"merged","names":["1"]}'


async def test_a_signed_delivery_is_on_the_stream_when_it_is_answered(desk: Desk) -> None:
    answer = await desk.post(MERGED)
    assert answer.status_code == 202
    assert answer.json() == {"id": "1", "sequence": "00000000000000000001", "verdict": "event"}
    assert (await desk.bus.span()).last == 1


async def test_a_delivery_of_several_events_lists_them_all(desk: Desk) -> None:
    answer = (await desk.post(b'{"kind":"merged","names":["1","2"]}')).json()
    assert [event["id"] for event in answer["events"]] == ["1", "2"]
    assert answer["id"] == "1"


async def test_the_second_time_it_is_a_duplicate_with_the_first_ones_sequence(desk: Desk) -> None:
    first = await desk.post(MERGED)
    again = await desk.post(MERGED)
    assert again.status_code == 200
    assert again.json() == {**first.json(), "verdict": "duplicate"}


async def test_what_a_source_ignores_is_answered_as_ignored(desk: Desk) -> None:
    answer = await desk.post(b'{"kind":"noise"}')
    assert (answer.status_code, answer.json()) == (200, {"verdict": "ignored", "kind": "noise"})


async def test_an_unknown_kind_is_kept_in_quarantine(desk: Desk) -> None:
    answer = await desk.post(b'{"kind":"exploded"}')
    assert (answer.status_code, answer.json()) == (202, {"verdict": "unknown", "kind": "exploded", "quarantine": 1})


HOSTILE = [
    pytest.param(MERGED, {"content-type": "application/json"}, 401, "no-signature", id="no signature"),
    pytest.param(MERGED, signed(MERGED, b"wrong"), 403, "bad-signature", id="wrong secret"),
    pytest.param(MERGED, {"x-toy-signature": "sha256=zz"}, 403, "bad-signature", id="signature is no hex"),
    pytest.param(MERGED, {**signed(MERGED), "content-type": "text/xml"}, 415, "bad-content-type", id="content type"),
    pytest.param(b"[" * 5_000, signed(b"[" * 5_000), 400, "too-deep", id="deep nesting"),
    pytest.param(b'{"kind":"\xff"}', signed(b'{"kind":"\xff"}'), 400, "bad-encoding", id="invalid UTF-8"),
    pytest.param(b'{"kind"', signed(b'{"kind"'), 400, "bad-json", id="cut JSON"),
    pytest.param(b"{}", signed(b"{}"), 422, "bad-field", id="field missing"),
    pytest.param(b"x" * 1_048_577, signed(b"x"), 413, "too-large", id="oversized"),
    pytest.param(MERGED, {"authorization": "Bearer fht_nothing"}, 403, "bad-token", id="unknown token"),
]


@pytest.mark.parametrize(("body", "headers", "status", "slug"), HOSTILE)
async def test_a_hostile_delivery_is_refused_with_its_cause(
    desk: Desk, body: bytes, headers: dict[str, str], status: int, slug: str
) -> None:
    answer = await desk.post(body, headers)
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status)
    assert problem["type"].endswith(f"/problems/{slug}")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in answer.text
    health = desk.hub.ledger.of("toy")
    assert health is not None
    assert health.verdicts["refused"] == 1
    assert (await desk.http.get(problem["type"])).status_code == 200


async def test_an_unknown_source_is_named(desk: Desk) -> None:
    answer = await desk.http.post("/in/nobody%0d%0aset-cookie:%20x", content=b"{}")
    assert answer.status_code == 404
    assert answer.json()["type"].endswith("/unknown-source")
    assert "set-cookie" not in answer.headers


async def test_a_token_with_the_scope_may_publish_and_loses_that_at_once(desk: Desk) -> None:
    text, token = desk.hub.tokens.create(["publish:toy"])
    headers = {"authorization": f"Bearer {text}", "content-type": "application/json"}
    assert (await desk.post(MERGED, headers)).status_code == 202
    desk.hub.tokens.revoke(token.number)
    assert (await desk.post(MERGED, headers)).status_code == 403


async def test_a_bus_that_is_away_is_503_and_nothing_is_kept(desk: Desk) -> None:
    desk.bus.away = True
    answer = await desk.post(MERGED)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    desk.bus.away = False
    assert (await desk.post(MERGED)).status_code == 202


async def test_a_get_explains_the_address(desk: Desk) -> None:
    answer = await desk.http.get("/in/toy")
    assert answer.json()["title"] == "Toy"
    assert (await desk.http.put("/in/toy", content=b"")).status_code == 405


async def raw(desk: Desk, *parts: bytes) -> bytes:
    """Send bytes as they are, then hang up our side; what comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    answer = b""
    with suppress(OSError):
        # The server may hang up at any moment, that is an answer, too.
        for part in parts:
            writer.write(part)
            await writer.drain()
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return answer


async def test_a_body_that_is_cut_is_not_taken(desk: Desk) -> None:
    await raw(desk, b"POST /in/toy HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{}")
    for _ in range(500):
        health = desk.hub.ledger.of("toy")
        if health and health.trouble and health.trouble.cause == "truncated":
            break
        await asyncio.sleep(0.01)
    else:
        raise AssertionError("the cut delivery was not counted")
    assert (await desk.bus.span()).last == 0


async def test_a_chunked_flood_is_cut_off_at_the_limit(desk: Desk) -> None:
    chunk = b"%x\r\n%b\r\n" % (65_536, b"x" * 65_536)
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    writer.write(b"POST /in/toy HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    # One byte over the limit, and no end: the answer must come before the body is complete.
    writer.write(chunk * 16 + b"1\r\nx\r\n")
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n"), 30)).startswith(b"HTTP/1.1 413")
    writer.close()


async def test_a_flood_of_headers_is_refused_and_the_hub_goes_on(desk: Desk) -> None:
    flood = b"".join(b"X-%d: %b\r\n" % (number, b"y" * 100) for number in range(2_000))
    answer = await raw(desk, b"POST /in/toy HTTP/1.1\r\nHost: x\r\n" + flood + b"\r\n")
    assert not answer or answer.startswith(b"HTTP/1.1 4")
    assert (await desk.post(MERGED)).status_code == 202


async def test_hundred_deliveries_at_once_are_each_one_event(desk: Desk) -> None:
    bodies = [msgspec.json.encode({"kind": "merged", "names": [str(number)]}) for number in range(100)]
    answers: list[httpx.Response] = await asyncio.gather(*(desk.post(body) for body in bodies))
    assert sorted(answer.json()["sequence"] for answer in answers) == [f"{number:020d}" for number in range(1, 101)]
