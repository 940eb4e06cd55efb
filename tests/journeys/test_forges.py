"""Forges' webhooks, signed, into a real hub: each sample ends as it should, joined by refs, and nothing private leaks.

The shared reference payloads have a test of their own (`test_sample_table.py`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import urllib.error
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from firehose import source
from firehose.ops.explain import Payload, explain, payloads
from firehose.testing import HubProcess, StartHub

SOURCES = Path(source.__file__).parent / "sources"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
SECRET = "a-secret-of-the-tests"
SETTINGS = """
[[mqtt.logins]]
user = "zuul"
source = "zuul"
secret_env = "HOOK_SECRET"
own_topics = true
[sources.zuul]
kind = "zuul"
""" + "".join(
    f'[sources.{kind}]\nkind = "{kind}"\nsecret_env = "HOOK_SECRET"\n'
    for kind in ("github", "gitlab", "forgejo", "gitea", "gerrit")
)
STATUS = {"event": (202, 200), "ignored": (200,), "unknown": (202,), "refused": (400, 413, 422)}


@pytest.fixture
def hub(start_hub: StartHub) -> HubProcess:
    return start_hub(SETTINGS, environ={"HOOK_SECRET": SECRET})


def signed(kind: str, payload: Payload) -> tuple[str, dict[str, str]]:
    """The path and the headers that the service would send this with."""
    headers = {"content-type": "application/json", **payload.headers}
    digest = hmac.new(SECRET.encode(), payload.body, hashlib.sha256).hexdigest()
    path = f"/in/{kind}"
    match kind:
        case "github":
            headers["x-hub-signature-256"] = f"sha256={digest}"
            headers.pop("x-hub-signature", None)
        case "gitlab":
            headers["x-gitlab-token"] = SECRET
        case "forgejo" | "gitea":
            headers["x-gitea-signature"] = digest
            headers["x-hub-signature-256"] = f"sha256={digest}"
        case "gerrit":
            path += f"?token={quote(SECRET)}"
    for name in ("host", "content-length", "connection", "accept-encoding"):
        headers.pop(name, None)
    return path, headers


def deliver(hub: HubProcess, kind: str, payload: Payload) -> tuple[int, Any]:
    path, headers = signed(kind, payload)
    return hub.post(path, payload.body, headers)


def expected(kind: str, payload: Payload, settings: Mapping[str, Any] | None = None) -> str:
    found = explain(kind, payload, NOW, settings=settings)
    return str(found["verdict"])


def own(kind: str) -> Iterator[Payload]:
    for file in sorted((SOURCES / kind / "samples").glob("*.json")):
        yield from payloads(file.read_bytes(), file=file.name)


def recorded(hub: HubProcess, answer: Any) -> None:
    """Wait until the history has what this answer promised. A single event would come from the ring, before it."""
    deadline = time.monotonic() + 90
    while not (newest := hub.get("/v1/events?limit=1")["events"]) or newest[0]["sequence"] < answer["sequence"]:
        assert time.monotonic() < deadline, f"the history still lacks {answer['sequence']}"


def everything(hub: HubProcess) -> list[dict[str, Any]]:
    """All events, page by page."""
    found: list[dict[str, Any]] = []
    path: str | None = "/v1/events?order=asc&since=earliest&limit=1000"
    while path:
        page = hub.get(path)
        found += page["events"]
        path = page["links"]["next"] if page["events"] else None
    return found


def test_every_sample_of_the_forges_ends_as_explained_and_nothing_private_leaks(hub: HubProcess) -> None:
    last: Any = None
    for kind in ("github", "gitlab", "forgejo"):
        for payload in own(kind):
            status, answer = deliver(hub, kind, payload)
            wanted = expected(kind, payload)
            assert (status in STATUS[wanted], answer["verdict"]) == (True, wanted), (kind, payload.file, answer)
            last = answer if "sequence" in answer else last
    recorded(hub, last)
    text = json.dumps(everything(hub), ensure_ascii=False)
    assert "lumen/atlas" in text
    for private in ("lumen/secret", "not-a-real-secret", "@lumen.example", "confidential_issue", "Overflow in libfoo"):
        assert private not in text, private


def test_a_change_its_builds_and_its_merge_are_one_graph(hub: HubProcess) -> None:
    wanted = ("pull_request.opened.", "pull_request.closed__merged", "workflow_run.completed.", "push__merge")
    for payload in own("github"):
        if payload.file.startswith(wanted):
            _, answer = deliver(hub, "github", payload)
    recorded(hub, answer)
    graph = hub.get("/v1/graph/" + quote("lumen/atlas#41", safe=""))
    kinds = Counter(event["kind"] for event in graph["events"])
    assert {"change.created", "change.merged", "pipelinerun.finished", "branch.updated"} <= set(kinds)


def test_a_branch_is_one_thing_for_a_forge_for_gerrit_and_for_zuul(hub: HubProcess) -> None:
    """A push that a forge tells, the same branch's update in Gerrit, and the build of the branch join in the graph."""
    for kind, name in (("github", "push__merge"), ("gerrit", "ref-updated__pushed"), ("zuul", "start__branch")):
        (payload,) = [each for each in own(kind) if each.file == f"{name}.json"]
        body = json.loads(payload.body)
        if kind == "gerrit":
            body["refUpdate"].update(project="lumen/atlas", refName="refs/heads/main")
        if kind == "zuul":
            for item in (body, *body["changes"]):
                item.update(project="lumen/atlas", branch="main", ref="refs/heads/main")
            publish(hub, [Payload(body=json.dumps(body).encode(), topic=payload.topic)])
            break
        _, answer = deliver(hub, kind, Payload(body=json.dumps(body).encode(), headers=payload.headers))
        assert answer["verdict"] == "event", answer
    deadline = time.monotonic() + 90
    found: set[tuple[str, str]] = set()
    while len(found) < 3 and time.monotonic() < deadline:
        with suppress(urllib.error.HTTPError):  # 404 until the history has the first of them
            graph = hub.get("/v1/graph/" + quote("lumen/atlas@refs/heads/main", safe=""))
            found = {(event["topic"].split("/")[1], event["kind"]) for event in graph["events"]}
    assert found == {("github", "branch.updated"), ("gerrit", "branch.updated"), ("zuul", "pipelinerun.started")}


def test_a_redelivery_is_the_same_event(hub: HubProcess) -> None:
    (payload,) = [each for each in own("github") if each.file == "pull_request.opened.json"]
    first, again = deliver(hub, "github", payload), deliver(hub, "github", payload)
    assert (first[0], again[0], again[1]["verdict"]) == (202, 200, "duplicate")
    assert first[1]["sequence"] == again[1]["sequence"]


@pytest.mark.parametrize("kind", ["github", "gitlab", "forgejo", "gitea", "gerrit"])
def test_what_proves_nothing_or_the_wrong_thing_is_refused_and_leaves_no_trace(hub: HubProcess, kind: str) -> None:
    payload = next(own("forgejo" if kind == "gitea" else kind))
    path, headers = signed(kind, payload)
    bare = {name: value for name, value in headers.items() if "signature" not in name and "token" not in name}
    status, problem = hub.post(f"/in/{kind}", payload.body, bare)
    assert (status, problem["type"].rpartition("/")[2]) == (401, "no-signature")
    wrong = {name: value.replace(SECRET, "x").replace("sha256=", "sha256=0") for name, value in headers.items()}
    wrong = {name: f"0{value}" if name.endswith("signature") else value for name, value in wrong.items()}
    status, problem = hub.post(path.replace(quote(SECRET), "x"), payload.body, wrong)
    assert (status, problem["type"].rpartition("/")[2]) == (403, "bad-signature")
    assert SECRET not in json.dumps(problem)
    status, problem = hub.post(path, payload.body + b" ", headers)
    # A token says nothing about the body, a signature does.
    assert (status == 403) == (kind not in ("gitlab", "gerrit"))
    assert [event["source"] for event in hub.get("/v1/events?since=earliest")["events"] if status == 403] == []


def publish(hub: HubProcess, found: list[Payload], login: str = "zuul") -> None:
    """Publish as Zuul's reporter does: to topics of its own, at QoS 1, and wait for each acknowledgement."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"{login}-{uuid.uuid4().hex[:8]}")
    client.username_pw_set(login, SECRET)
    client.connect("127.0.0.1", hub.mqtt_port)
    client.loop_start()
    try:
        for payload in found:
            client.publish(payload.topic, payload.body, qos=1).wait_for_publish(30)
    finally:
        client.disconnect()
        client.loop_stop()
