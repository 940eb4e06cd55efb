"""A webhook receiver on loopback: what came to it, with the message ids."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


class Receiver:
    """Answers with `status`, and keeps the ids and bodies of what it answered with 200."""

    def __init__(self) -> None:
        self.status = 200
        self.ids: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                status = receiver.status  # once: what is answered with 200 is kept
                if status == 200:
                    receiver.bodies.append(body)
                    receiver.ids.append(self.headers["webhook-id"])
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    @property
    def subjects(self) -> list[str]:
        """What the events that came are about."""
        return [body["subject"] for body in self.bodies]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver for one test."""
    found = Receiver()
    yield found
    found.server.shutdown()
    found.server.server_close()
