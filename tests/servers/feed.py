"""A web server on loopback that serves documents with ETags, or answers otherwise; it notes what was asked."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class FeedServer:
    """documents: path -> body. answers: path -> (status, headers) instead. asked: (path, condition, status)."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.answers: dict[str, tuple[int, dict[str, str]]] = {}
        self.asked: list[tuple[str, str, int]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            """One request."""

            def do_GET(self) -> None:
                """Answer it."""
                owner.answer(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """304 when the condition fits, else the document."""
        body = self.documents.get(request.path, b"")
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        condition = request.headers.get("If-None-Match", "")
        status, headers = self.answers.get(request.path, (200 if body else 404, {}))
        if status == 200 and condition == etag:
            status = 304
        request.send_response(status)
        for name, value in ({"ETag": etag} | headers).items():
            request.send_header(name, value)
        sent = body if status == 200 else b""
        request.send_header("Content-Length", str(len(sent)))
        request.end_headers()
        request.wfile.write(sent)
        self.asked.append((request.path, condition, status))

    def count(self, path: str, status: int) -> int:
        """How often a path was answered so."""
        return sum(1 for asked, _, answered in list(self.asked) if (asked, answered) == (path, status))

    def stop(self) -> None:
        """No more answers."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def feed_server() -> Iterator[FeedServer]:
    """A running server, empty."""
    server = FeedServer()
    yield server
    server.stop()
