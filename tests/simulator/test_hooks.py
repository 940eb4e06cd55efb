"""Webhooks as the forges send them: signed, again on 5xx, never again on 4xx."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from firehose.simulator.hooks import Answer, Hooks, signed

BODY = b'{"a": 1}'


@asynccontextmanager
async def receiver(*answers: tuple[int, str, str]) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers with status, header line and body, one after another; and what it was sent."""
    left, seen = list(answers), list[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(head + await reader.readexactly(len(BODY)))
        status, line, body = left.pop(0)
        writer.write(
            f"HTTP/1.1 {status} X\r\n{line}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", seen


async def post(base: str) -> Answer:
    hooks = Hooks(base, {"github": b"s3cret"}, patience=20)
    try:
        return await hooks.post("github", "issues", BODY, "0" * 32)
    finally:
        await hooks.close()


async def test_it_comes_again_until_the_hub_takes_it() -> None:
    taken = json.dumps({"id": "1", "sequence": "7", "verdict": "event"})
    busy = (503, "Retry-After: 0\r\n", "")
    async with receiver(busy, busy, (202, "", taken)) as (base, seen):
        answer = await post(base)
    assert (answer.status, answer.promised, answer.tries) == (202, True, 3)
    assert len({request.partition(b"\r\n\r\n")[0] for request in seen}) == 1


async def test_a_refusal_is_final_and_no_promise() -> None:
    async with receiver((403, "", "{}")) as (base, seen):
        answer = await post(base)
    assert (answer.status, answer.promised, len(seen)) == (403, False, 1)


@pytest.mark.parametrize("verdict", ["ignored", "unknown"])
async def test_what_becomes_no_event_is_no_promise(verdict: str) -> None:
    async with receiver((200, "", json.dumps({"verdict": verdict}))) as (base, _):
        assert not (await post(base)).promised


def test_signatures_are_those_of_the_services() -> None:
    digest = hmac.new(b"k", BODY, hashlib.sha256).hexdigest()
    assert signed("github", "push", BODY, "a" * 32, b"k")["x-hub-signature-256"] == f"sha256={digest}"
    assert signed("forgejo", "push push", BODY, "a" * 32, b"k")["x-forgejo-signature"] == digest
    assert signed("gitlab", "Push Hook", BODY, "a" * 32, b"k")["x-gitlab-token"] == "k"
