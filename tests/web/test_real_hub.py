"""The web on a whole hub with the real engine: every encoding gives the same events, once, across a restart."""

from __future__ import annotations

import json

import httpx
import pytest
from websockets.sync.client import connect

from firehose.access.tokens import Tokens
from firehose.testing import HubProcess, StartHub

INBOX = """
[sources.ci]
kind = "inbox"
"""


@pytest.fixture
def hub(start_hub: StartHub) -> HubProcess:
    return start_hub(INBOX)


def token(hub: HubProcess, scope: str) -> dict[str, str]:
    """A token made beside the running hub."""
    tokens = Tokens(hub.folder / "data" / "access.sqlite")
    text, _ = tokens.create([scope])
    tokens.close()
    return {"authorization": f"Bearer {text}"}


def post(hub: HubProcess, headers: dict[str, str], *numbers: int) -> list[httpx.Response]:
    return [
        httpx.post(
            f"{hub.url}/in/ci", headers={**headers, "content-type": "application/cloudevents+json"}, trust_env=False,
            content=json.dumps({"specversion": "1.0", "id": str(number), "source": "https://ci.example",
                                "type": "example.build.finished", "data": {}}),
        )
        for number in numbers
    ]  # fmt: skip


def sse(hub: HubProcess, count: int, **headers: str) -> list[str]:
    """The ids of the next so many events after `Last-Event-ID`."""
    found: list[str] = []
    with httpx.stream("GET", f"{hub.url}/v1/stream", headers={"accept": "text/event-stream", **headers},
                      timeout=30, trust_env=False) as answer:  # fmt: skip
        for line in answer.iter_lines():
            if line.startswith("data: ") and '"specversion"' in line:
                found.append(json.loads(line[6:])["id"])
            if len(found) == count:
                return found
    return found


def test_all_encodings_give_the_same_events_and_a_reader_resumes_across_a_restart(hub: HubProcess) -> None:
    ci = token(hub, "publish:ci")
    answers = post(hub, ci, *range(1, 21))
    assert [answer.status_code for answer in answers] == [202] * 20
    again = post(hub, ci, 7)[0]
    assert (again.status_code, again.json()["sequence"]) == (200, f"{7:020d}")

    names = [str(number) for number in range(1, 21)]
    wanted = "since=earliest&until=latest"
    lines = httpx.get(f"{hub.url}/v1/stream/json?{wanted}", timeout=30, trust_env=False).text.splitlines()
    assert [event["id"] for event in map(json.loads, lines) if "specversion" in event] == names
    with connect(f"{hub.url.replace('http', 'ws')}/v1/stream/ws?{wanted}", proxy=None) as socket:
        assert [event["id"] for event in map(json.loads, socket) if "specversion" in event] == names
    assert sse(hub, 20, **{"last-event-id": "0"}) == names

    assert hub.stop() == 0
    hub.start({})
    post(hub, ci, 21)
    assert sse(hub, 3, **{"last-event-id": f"{18:020d}"}) == ["19", "20", "21"]


def test_a_token_that_is_revoked_beside_the_hub_is_refused_at_once(hub: HubProcess) -> None:
    ci = token(hub, "publish:ci")
    assert post(hub, ci, 1)[0].status_code == 202
    tokens = Tokens(hub.folder / "data" / "access.sqlite")
    (made,) = tokens.all()
    tokens.revoke(made.number)
    assert post(hub, ci, 2)[0].status_code == 403
