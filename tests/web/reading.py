"""What readers of a stream see, by each encoding, for tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
from tests.web.conftest import Desk
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


@asynccontextmanager
async def sse(desk: Desk, path: str = "/v1/stream", **more: Any) -> AsyncIterator[AsyncIterator[dict[str, str]]]:
    """Server-sent events as a browser takes them apart: event, data, id."""
    async with desk.http.stream("GET", path, headers={"accept": "text/event-stream", **more}) as answer:
        assert answer.status_code == 200, await answer.aread()
        yield frames(answer)


async def frames(answer: httpx.Response) -> AsyncIterator[dict[str, str]]:
    frame: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if not line:
            if frame:
                yield frame
            frame = {}
            continue
        name, _, value = line.partition(": ")
        frame[name] = f"{frame[name]}\n{value}" if name in frame else value


async def ids_of(stream: AsyncIterator[dict[str, str]], count: int) -> list[str]:
    """The ids of the next so many events."""
    found: list[str] = []
    async with asyncio.timeout(20):
        async for frame in stream:
            if "event" not in frame:
                found.append(json.loads(frame["data"])["id"])
                assert int(frame["id"]) == int(json.loads(frame["data"])["sequence"])
            if len(found) == count:
                break
    return found


async def lines(desk: Desk, path: str) -> list[dict[str, Any]]:
    """All lines of a stream that ends by itself."""
    answer = await desk.http.get(path, headers={"accept": "application/x-ndjson"})
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


async def messages(desk: Desk, path: str, subprotocols: list[Any] | None = None) -> list[dict[str, Any]]:
    """All messages of a WebSocket until the hub closes it."""
    async with connect(f"ws://127.0.0.1:{desk.port}{path}", subprotocols=subprotocols, proxy=None) as socket:
        found: list[dict[str, Any]] = []
        with suppress(ConnectionClosed):
            async for message in socket:
                found.append(json.loads(message))
        return found
