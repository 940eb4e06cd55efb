"""A real PostgreSQL, once for all tests of a session; every test gets a database of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import psycopg
import pytest

from firehose.ops.bench.postgres import binaries, server
from firehose.testing import need

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The server's URL."""
    need(str(binaries() or ""), "PostgreSQL")
    with server() as url:
        yield url


@pytest.fixture
def postgres(postgres_server: str) -> str:
    """The URL of an empty database."""
    return new_database(postgres_server)


def new_database(url: str) -> str:
    """Another empty database on a server."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    return url.replace("/postgres?", f"/{name}?")
