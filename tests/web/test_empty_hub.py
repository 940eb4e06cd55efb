"""A hub in which nothing has happened yet says so, and what is missing, on every page."""

from __future__ import annotations

import re

import httpx
import pytest
from tests.journeys.reader import until

from firehose.testing import HubProcess, StartHub

SETTINGS = """
[sources.forge]
kind = "github"
[sources.mail]
kind = "mailinglist"
imap = "127.0.0.1:1"
imap_user = "lists"
imap_tls = "none"
"""


@pytest.fixture
def hub(start_hub: StartHub) -> HubProcess:
    return start_hub(SETTINGS)


def page(hub: HubProcess, path: str) -> str:
    answer = httpx.get(f"{hub.url}{path}", trust_env=False)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.text))


def test_an_empty_hub_says_what_is_missing(hub: HubProcess) -> None:
    assert "Nothing has arrived yet" in page(hub, "/")
    assert "2 sources are set up. New events show up here by themselves." in page(hub, "/")
    assert "Nothing has arrived yet" in page(hub, "/search?since=earliest")
    assert "The history is empty." in page(hub, "/search")
    asked = page(hub, "/search?q=kind%3Achange.merged")
    assert "Nothing like that in this range" in asked
    assert "Nor anywhere in the history." in asked
    table = page(hub, "/sources")
    assert "forge is not set up. Nothing can come in: the source has neither a secret nor a connection" in table
    told = {health["name"]: health for health in hub.get("/v1/sources")["sources"]}
    assert (told["forge"]["state"], told["forge"]["verdicts"]["event"]) == ("never", 0)
    until(lambda: hub.get("/v1/sources")["sources"][1]["state"] == "down" or None, "the mailbox is down")
    assert "mail is not connected. Connection refused" in page(hub, "/sources")
    assert '"source": "forge", "event": "nothing can come in' in hub.log.read_text()
