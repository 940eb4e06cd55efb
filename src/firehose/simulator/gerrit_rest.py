"""The REST side of a fake Gerrit: `GET /changes/` and the events-log plugin's `GET /plugins/events-log/events/`.

In: requests over plain HTTP/1.1 on loopback, with or without the `/a/` prefix for authenticated access. Out: what a
Gerrit answers, XSSI prefix included. It refuses to know the stream; it reads what the caller's `Answers` hold.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from firehose.simulator.gerrit_state import Changes

XSSI: Final = b")]}'\n"
Answer = tuple[int, bytes, str]


class Rest:
    """An HTTP server for one fake Gerrit. `requests` lists the targets that were asked for, in order."""

    def __init__(self, changes: Changes, log: Callable[[], Sequence[Mapping[str, Any]]]) -> None:
        self.changes = changes
        self.log = log
        self.events_log = False
        self.queries = True
        self.login: tuple[str, str] | None = None
        self.requests: list[str] = []
        self._server: asyncio.Server | None = None

    @property
    def running(self) -> bool:
        """Whether it listens."""
        return self._server is not None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port."""
        self._server = await asyncio.start_server(self._serve, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            target = lines[0].split(" ")[1]
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            self.requests.append(target)
            status, body, kind = self.answer(target, headers)
            writer.write(
                b"HTTP/1.1 %d X\r\nContent-Type: %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
                % (status, kind.encode(), len(body), body)
            )
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def answer(self, target: str, headers: Mapping[str, str]) -> Answer:
        """Status, body and content type for a request target."""
        parts = urlsplit(target)
        path = parts.path
        if path.startswith("/a/"):
            if not self._known(headers.get("authorization", "")):
                return 401, b"Unauthorized", "text/plain"
            path = path[2:]
        # Gerrit separates the events-log's parameters with ';'.
        query = parse_qs(parts.query.replace(";", "&"))
        if path == "/plugins/events-log/events/" and self.events_log:
            if self.login and not target.startswith("/a/"):
                return 401, b"Unauthorized", "text/plain"
            return 200, self._logged(query), "application/json"
        if path == "/changes/" and self.queries:
            found = self.changes.query(
                unquote(query.get("q", [""])[0]),
                query.get("o", []),
                int(query.get("n", ["25"])[0]),
                int(query.get("S", query.get("start", ["0"]))[0]),
            )
            return 200, XSSI + json.dumps(found).encode(), "application/json"
        return 404, b"Not Found", "text/plain"

    def _known(self, authorization: str) -> bool:
        if self.login is None:
            return False
        wanted = base64.b64encode(":".join(self.login).encode()).decode()
        return authorization == f"Basic {wanted}"

    def _logged(self, query: Mapping[str, list[str]]) -> bytes:
        earliest = _seconds(query.get("t1", ["1970-01-01"])[0])
        latest = _seconds(query.get("t2", ["9999-12-31"])[0])
        return b"".join(
            json.dumps(event).encode() + b"\n" for event in self.log() if earliest <= event["eventCreatedOn"] <= latest
        )


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
