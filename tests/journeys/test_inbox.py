"""CloudEvents into a real hub by every way there is: structured, binary and batch over HTTP, JSON over MQTT."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.publish
import pytest
from click.testing import CliRunner
from tests.journeys.reader import listening, search

from firehose.__main__ import main
from firehose.testing import HubProcess, StartHub

SETTINGS = """
[[mqtt.logins]]
user = "deployer"
source = "deploys"
secret_env = "DEPLOY_SECRET"
[sources.deploys]
kind = "inbox"
family = "deploy"
senders = ["https://deploy.example/*"]
schemas = {{ "example.deploy.*" = "{schema}" }}
[[sources.deploys.rules]]
type = "example.deploy.*"
kind = "service.deployed"
project = "{{data.service}}"
summary = "{{data.service}} {{data.version}} is live"
"""
SCHEMA = {"type": "object", "required": ["service", "version"], "properties": {"version": {"type": "string"}}}


def event(number: int, **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": f"d{number}", "source": "https://deploy.example/atlas",
        "type": "example.deploy.finished", "data": {"service": "atlas", "version": f"4.{number}"} | data,
    }  # fmt: skip


@pytest.fixture
def hub(start_hub: StartHub, tmp_path: Path) -> HubProcess:
    schema = tmp_path / "deploy.schema.json"
    schema.write_text(json.dumps(SCHEMA))
    return start_hub(SETTINGS.format(schema=schema), environ={"DEPLOY_SECRET": "s3cret"})


def found(hub: HubProcess, count: int) -> list[dict[str, Any]]:
    end = time.monotonic() + 30
    while True:
        events: list[dict[str, Any]] = hub.get("/v1/events?since=earliest&order=asc&source=deploys")["events"]
        if len(events) >= count:
            return events
        assert time.monotonic() < end, f"{len(events)} of {count} events\n{hub.tail()}"
        time.sleep(0.1)


def test_every_form_over_http_and_mqtt_becomes_the_same_events(hub: HubProcess) -> None:
    bearer = {"authorization": f"Bearer {hub.token('publish:deploys')}"}
    structured = bearer | {"content-type": "application/cloudevents+json"}
    status, told = hub.post("/in/deploys", json.dumps(event(1)).encode(), structured)
    assert (status, told["id"], told["sequence"]) == (202, "d1", f"{1:020d}")

    attributes = {f"ce-{name}": value for name, value in event(2).items() if name != "data"}
    body = json.dumps(event(2)["data"]).encode()
    assert hub.post("/in/deploys", body, bearer | attributes | {"content-type": "application/json"})[0] == 202

    batch = bearer | {"content-type": "application/cloudevents-batch+json"}
    status, told = hub.post("/in/deploys", json.dumps([event(3), event(4)]).encode(), batch)
    assert (status, [one["id"] for one in told["events"]]) == (202, ["d3", "d4"])

    login = {"username": "deployer", "password": "s3cret"}
    paho.mqtt.publish.single(
        "in/deploys/atlas", json.dumps(event(5)), qos=1, hostname="127.0.0.1", port=hub.mqtt_port, auth=login
    )  # fmt: skip
    events = found(hub, 5)
    assert [one["id"] for one in events] == ["d1", "d2", "d3", "d4", "d5"]
    assert {one["topic"] for one in events} == {"events/deploys/service/deployed/atlas"}
    assert events[4]["summary"] == "atlas 4.5 is live"

    status, told = hub.post("/in/deploys", json.dumps(event(1)).encode(), structured)
    assert (status, told["verdict"], told["sequence"]) == (200, "duplicate", f"{1:020d}")


def test_data_of_any_media_type_leave_as_they_came_on_every_way_out(start_hub: StartHub) -> None:
    hub = start_hub('[sources.box]\nkind = "inbox"')
    bearer = {"authorization": f"Bearer {hub.token('publish:box')}"}
    bodies = {"text/plain": b"as  it\ncame", "application/xml": b"<a/>", "image/png": b"\x89PNG\r\n", "": b"\xff\x00"}
    with listening(hub, "events/box/#") as reader:
        for number, (media, body) in enumerate(bodies.items(), 1):
            about = {"specversion": "1.0", "id": f"b{number}", "source": "/x", "type": "example.thing.done"}
            attributes = {f"ce-{name}": value for name, value in about.items()}
            kind = {"content-type": media} if media else {}
            answer = httpx.post(f"{hub.url}/in/box", content=body, headers=bearer | attributes | kind, trust_env=False)
            assert (answer.status_code, answer.json()["verdict"]) == (202, "event")
        heard = reader.wait(4)
    events = search(hub, "source:box", 4)
    streamed = httpx.get(
        f"{hub.url}/v1/stream?since=earliest&until=seq:5", headers={"accept": "application/x-ndjson"}, trust_env=False
    ).text.splitlines()
    told = [line for line in map(json.loads, streamed) if "specversion" in line]
    for event, live, line, (media, body) in zip(events, heard, told, bodies.items(), strict=True):
        assert event["datacontenttype"] == (media or "application/octet-stream")
        assert {"data": event.get("data"), "data_base64": event.get("data_base64")} == (
            {"data": body.decode(), "data_base64": None} if body.isascii() else
            {"data": None, "data_base64": base64.b64encode(body).decode()}
        )  # fmt: skip
        assert event == live == line
        raw = httpx.get(f"{hub.url}/v1/events/{event['sequence']}?as=raw", trust_env=False)
        assert raw.content == body


def test_an_inbox_looks_like_what_it_speaks_for(hub: HubProcess) -> None:
    (health,) = hub.get("/v1/sources")["sources"]
    assert (health["kind"], health["family"]) == ("inbox", "deploy")


def test_what_breaks_the_schema_is_refused_with_its_path_and_kept(hub: HubProcess) -> None:
    token = hub.token("publish:deploys", "admin")
    headers = {"authorization": f"Bearer {token}", "content-type": "application/cloudevents+json"}
    status, problem = hub.post("/in/deploys", json.dumps(event(1, version=4)).encode(), headers)
    assert (status, problem["field"]) == (422, "data.version")
    assert problem["type"].endswith("/schema")
    assert problem["quarantine"] == 1
    assert "4 is not of type 'string'" in problem["detail"]
    shown = CliRunner().invoke(main, ["quarantine", "show", "1", "--hub", hub.url, "--token", token])
    kept = json.loads(shown.stdout)
    assert (kept["number"], kept["field"], json.loads(kept["body"])) == (1, "data.version", event(1, version=4))
    missing = CliRunner().invoke(main, ["quarantine", "show", "2", "--hub", hub.url, "--token", token])
    assert missing.exit_code == 1


@pytest.mark.parametrize("proof", ["", "Bearer made-up"])
def test_without_a_token_nothing_comes_in(hub: HubProcess, proof: str) -> None:
    headers = {"content-type": "application/cloudevents+json"} | ({"authorization": proof} if proof else {})
    status, problem = hub.post("/in/deploys", json.dumps(event(1)).encode(), headers)
    assert status == (403 if proof else 401)
    assert problem["type"].rpartition("/")[2] == ("bad-token" if proof else "no-signature")
    assert hub.get("/v1/events?since=earliest")["events"] == []
