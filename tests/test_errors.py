"""The words for errors of other people's code."""

from __future__ import annotations

import socket

import pytest

from firehose.errors import words


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (OSError("Multiple exceptions: a, b"), "OSError: Multiple exceptions: a, b"),
        (TimeoutError(), "TimeoutError"),
        (ValueError("x" * 400), "ValueError: " + "x" * 288),
    ],
)
def test_an_error_in_one_line(error: Exception, said: str) -> None:
    assert words(error) == said
