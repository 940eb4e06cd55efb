"""Hostile and broken requests to every source that takes webhooks, by every scheme that it has, into one real hub.

Each must end with the right status, a problem that names the cause (and the field), and under exactly one verdict in
`/metrics` and in the books; what it says holds no trace of the inside and no secret. The table is printed at the end.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.journeys.hostile import KINDS, SECRET, Shot, kind, settings, shots

from firehose.access.tokens import Tokens
from firehose.testing import HubProcess

COUNTED = re.compile(r'firehose_deliveries_total\{source="([^"]*)",verdict="([^"]*)"\} ([0-9.e+]+)')
CAUSES = re.compile(r'firehose_refusals_total\{cause="([^"]*)",source="([^"]*)"\} ([0-9.e+]+)')
TABLE: list[str] = []


class Target:
    """The hub, and what it has counted."""

    def __init__(self, hub: HubProcess) -> None:
        self.hub = hub
        self.http = httpx.Client(base_url=hub.url, timeout=60, trust_env=False)

    def token(self, scope: str) -> str:
        """A token, made beside the running hub."""
        tokens = Tokens(self.hub.data / "access.sqlite")
        text, _ = tokens.create([scope])
        tokens.close()
        return text

    def verdicts(self) -> Counter[tuple[str, str]]:
        text = self.http.get("/metrics").text
        return Counter({(name, verdict): int(float(count)) for name, verdict, count in COUNTED.findall(text)})

    def causes(self) -> Counter[tuple[str, str]]:
        text = self.http.get("/metrics").text
        return Counter({(name, cause): int(float(count)) for cause, name, count in CAUSES.findall(text)})

    def books(self) -> Counter[tuple[str, str]]:
        found: Counter[tuple[str, str]] = Counter()
        for health in self.http.get("/v1/sources").json()["sources"]:
            found.update({(health["name"], verdict): count for verdict, count in health["verdicts"].items()})
        return found


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    hub = HubProcess(tmp_path_factory.mktemp("hostile"), settings())
    hub.start({"HOOK_SECRET": SECRET})
    found = Target(hub)
    yield found
    found.http.close()
    hub.stop()
    print("\n" + "\n".join(TABLE))


def shoot(target: Target, word: str, shot: Shot) -> tuple[int, str, str]:
    """Send it; status, the verdict under which it was counted, and the problem's word."""
    before, booked = target.verdicts(), target.books()
    raw = [(name.encode(), value.encode("latin-1")) for name, value in shot.headers.items()]
    answer = target.http.post(f"/in/{word}{shot.query}", content=shot.body, headers=raw)
    counted = target.verdicts() - before
    assert (sum(counted.values()), counted) == (1, target.books() - booked), "one delivery, one verdict, in both books"
    ((name, verdict),) = counted
    assert name == word
    told = answer.json()
    assert SECRET not in answer.text
    assert not re.search(r'Traceback|File "|\.py\b', answer.text)
    slug = ""
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert {"type", "title", "status", "detail"} <= set(told)
        assert told["status"] == answer.status_code
        slug = told["type"].rpartition("/")[2]
        assert target.http.get(told["type"].removeprefix(target.hub.url)).status_code == 200, told["type"]
        assert (word, slug) in target.causes()
        assert not shot.field or told.get("field"), told
    return answer.status_code, verdict, slug


@pytest.mark.parametrize(
    ("word", "number"), [(word, number) for word in KINDS for number in range(len(kind(word).schemes))]
)
def test_each_ends_as_it_should_and_is_counted_once(target: Target, word: str, number: int) -> None:
    scheme = kind(word).schemes[number]
    token = target.token(f"publish:{word}")
    wrong: list[str] = []
    seen = False
    for name, shot in shots(word, scheme, token):
        due = shot.due
        # By the second scheme the same event is known already, that is the point of its id.
        if name == "the first time" and number:
            due = (200, "duplicate", "")
        found = shoot(target, word, shot)
        seen |= found[1] in ("event", "duplicate")
        TABLE.append(f"{word:<14}{scheme.check:<13}{name:<27}{found[0]:>4}  {found[1]:<10}{found[2]}")
        if found != due:
            wrong.append(f"{name}: {found}, not {due}")
    assert wrong == []
    assert seen


def test_an_unknown_source_is_counted_apart(target: Target) -> None:
    before = target.verdicts()
    answer = target.http.post("/in/nobody", content=b"{}", headers={"content-type": "application/json"})
    assert answer.status_code == 404
    assert answer.json()["type"].endswith("/problems/unknown-source")
    assert target.verdicts() - before == Counter({("", "refused"): 1})


@pytest.mark.parametrize("word", KINDS)
def test_a_body_that_is_cut_on_the_way_is_counted_and_not_taken(target: Target, word: str) -> None:
    before = target.verdicts()
    with socket.create_connection(("127.0.0.1", target.hub.http_port)) as connection:
        connection.sendall(b"POST /in/%b HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{}" % word.encode())
    end = time.monotonic() + 30
    while not (counted := target.verdicts() - before):
        assert time.monotonic() < end
    assert counted == Counter({(word, "refused"): 1})
    assert (word, "truncated") in target.causes()


def test_the_log_holds_no_trace_of_all_this(target: Target) -> None:
    answer = target.http.get("/healthz")
    assert answer.status_code == 200
    log = target.hub.log.read_text()
    assert "Traceback" not in log
    assert SECRET not in log
    assert os.fspath(target.hub.data) not in str(public(target))


def public(target: Target) -> Any:
    """What anybody may see of the trouble."""
    return target.http.get("/v1/sources").json()
