"""Nodes, requests and images through a real ZooKeeper: their stories are told whole, once, and joined to the build."""

from __future__ import annotations

import json
import socket
import subprocess
import zlib
from pathlib import Path
from typing import Any

import httpx
from kazoo.security import make_digest_acl
from tests.journeys.reader import everywhere, listening, search, sink, source, until
from tests.servers.feed import FeedServer
from tests.servers.hook import Receiver
from tests.servers.zookeeper import Guarded, ZooKeeper

from firehose.testing import HubProcess, StartHub, peer

SETTINGS = '[sources.nodes]\nkind = "nodepool"\nurl = "https://zuul.lumen.example"\nzookeeper = "{hosts}"\n'
REQUEST = "/nodepool/requests/100-0000000007"
NODE = "/nodepool/nodes/0000000042"
EVENT, BUILDSET = "5c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


def request(state: str, at: float, **more: Any) -> dict[str, Any]:
    asked = {"buildset_uuid": BUILDSET, "tenant_name": "lumen", "pipeline_name": "check", "job_name": "unit-tests"}
    return {
        "state": state, "state_time": at, "created_time": 1_760_000_000.0, "node_types": ["trixie"], "nodes": [],
        "declined_by": [], "requestor": "NodePool:zuul.lumen.example", "requestor_data": asked, "event_id": EVENT,
        **more,
    }  # fmt: skip


def node(state: str, at: float, **more: Any) -> dict[str, Any]:
    return {
        "state": state, "state_time": at, "created_time": 1_760_000_001.0, "provider": "cloud-a", "type": ["trixie"],
        "allocated_to": "100-0000000007", "launcher": f"nl01-{BUILDSET}", "connection_port": {"token": "not-for-you"},
        "user_data": "not-for-you", "host_keys": ["ssh-ed25519 not-for-you"], "driver_data": {"a": "not-for-you"},
        **more,
    }  # fmt: skip


def connected(hub: HubProcess) -> None:
    until(lambda: True if source(hub, "nodes")["connection"].startswith("ZooKeeper") else None, "the session")


def told(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["kind"], event["type"].rpartition(".")[2]) for event in events]


def test_a_node_from_request_to_end_is_one_graph(start_hub: StartHub, zookeeper: ZooKeeper, receiver: Receiver) -> None:
    hub = start_hub(SETTINGS.format(hosts=zookeeper.hosts) + sink(receiver))
    connected(hub)
    with listening(hub, "events/nodes/#") as reader:
        story: list[tuple[str, object]] = [
            (REQUEST, request("requested", 1_760_000_000)),
            (REQUEST, request("pending", 1_760_000_000.5)),
            (NODE, node("building", 1_760_000_002)),
            (NODE, node("ready", 1_760_000_060, hostname="np0000000042")),
            (REQUEST, request("fulfilled", 1_760_000_061, nodes=["0000000042"])),
            (NODE, node("in-use", 1_760_000_062)),
        ]
        # A znode shows its last state alone, so each waits until the one before was seen.
        for count, (path, record) in enumerate(story, 1):
            zookeeper.put(path, record)
            reader.wait(count + (count > 2))  # a node that comes as `building` was created, too
        zookeeper.delete(REQUEST)
        zookeeper.put(NODE, node("used", 1_760_000_662))
        zookeeper.put(f"{NODE}/lock", b"")
        reader.wait(8)
        zookeeper.delete(NODE)
        events = reader.wait(9)
    assert told(events) == [
        ("environment.requested", "requested"), ("environment.accepted", "pending"),
        ("environment.created", "new"), ("environment.modified", "building"), ("environment.modified", "ready"),
        ("environment.fulfilled", "fulfilled"), ("environment.modified", "in-use"), ("environment.modified", "used"),
        ("environment.deleted", "gone"),
    ]  # fmt: skip
    found = {event["type"].rpartition(".")[2]: event for event in search(hub, "source:nodes", 9)}
    assert found["ready"]["summary"] == "Node 0000000042 (trixie, cloud-a) is ready after 59 s"
    assert found["used"]["data"]["durations"] == {"building": 58, "ready": 2, "in-use": 600, "total": 661}
    assert everywhere(found["used"], reader, receiver) == (
        "environment.modified", "", "nl01", "Node 0000000042 (trixie, cloud-a) was used for 10 min",
        "https://zuul.lumen.example/t/lumen/nodes",
        f"noderequest/100-0000000007 buildset/{BUILDSET} zuul-event/{EVENT}",
    )  # fmt: skip
    assert (found["gone"]["data"]["label"], found["gone"]["data"]["provider"]) == ("trixie", "cloud-a")
    assert found["in-use"]["link"] == "https://zuul.lumen.example/t/lumen/nodes"
    assert found["requested"]["summary"] == "Node request 100-0000000007 (unit-tests, check) asks for trixie"
    wanted = {"noderequest/100-0000000007", f"buildset/{BUILDSET}", f"zuul-event/{EVENT}"}
    assert all(wanted <= set(found[word]["refs"].split()) for word in ("new", "ready", "used", "gone"))
    graph = hub.get(f"/v1/graph/zuul-event/{EVENT}")["events"]
    assert {event["id"] for event in graph} == {event["id"] for event in found.values()}
    assert "not-for-you" not in json.dumps(graph)
    assert source(hub, "nodes")["verdicts"]["ignored"] == 1  # the answered request that Zuul took away


def test_what_happened_while_the_hub_was_away_is_told_once(start_hub: StartHub, zookeeper: ZooKeeper) -> None:
    nodes = [f"/nodepool/nodes/{number:010}" for number in range(6)]
    for path in nodes[:4]:
        zookeeper.put(path, node("ready", 1_760_000_100, allocated_to=None))
    hub = start_hub(SETTINGS.format(hosts=zookeeper.hosts))
    assert len(search(hub, "source:nodes", 8)) == 8  # created and ready
    hub.kill()
    zookeeper.put(nodes[0], node("in-use", 1_760_000_200))
    zookeeper.delete(nodes[1])
    zookeeper.put(nodes[4], node("building", 1_760_000_300))
    zookeeper.put(nodes[5], node("building", 1_760_000_300))
    zookeeper.delete(nodes[5])  # came and went: nobody can tell its story, but that it was there is known
    hub.start()
    connected(hub)
    after = search(hub, "source:nodes", 13)[8:]
    assert {(event["kind"], event["subject"]) for event in after} == {
        ("environment.modified", "node/0000000000"), ("environment.deleted", "node/0000000001"),
        ("environment.created", "node/0000000004"), ("environment.modified", "node/0000000004"),
        ("incident.detected", "source/nodes"),
    }  # fmt: skip
    assert "did not see 1 znodes in /nodepool/nodes" in next(e["summary"] for e in after if e["severity"] == "notice")
    hub.stop()
    hub.start()
    connected(hub)
    zookeeper.put(nodes[2], node("used", 1_760_000_400))
    assert [event["kind"] for event in search(hub, "source:nodes", 14)][13:] == ["environment.modified"]
    assert source(hub, "nodes")["verdicts"]["duplicate"] == 0


def test_a_lost_server_is_found_again_and_nothing_is_lost_or_doubled(start_hub: StartHub, zookeeper: ZooKeeper) -> None:
    hub = start_hub(SETTINGS.format(hosts=zookeeper.hosts))
    connected(hub)
    zookeeper.put(NODE, node("building", 1_760_000_002))
    search(hub, "source:nodes", 2)
    zookeeper.stop()
    until(lambda: True if source(hub, "nodes")["connection"].startswith("not") else None, "the loss")
    zookeeper.start()
    zookeeper.put(NODE, node("ready", 1_760_000_060))
    found = search(hub, "source:nodes", 3)
    assert told(found)[2:] == [("environment.modified", "ready")]
    verdicts = source(hub, "nodes")["verdicts"]
    assert (verdicts["event"], verdicts["duplicate"]) == (2, 0)  # created and building came in one delivery


def test_zuuls_launcher_keeps_packed_records(start_hub: StartHub, zookeeper: ZooKeeper) -> None:
    def packed(record: dict[str, Any], driver: bytes = b"") -> bytes:
        return driver + zlib.compress(json.dumps(record).encode())

    asked = {
        "uuid": "a1", "state": "requested", "tenant_name": "lumen", "pipeline_name": "gate", "buildset_uuid": BUILDSET,
        "job_name": "docs", "labels": ["trixie", "trixie"], "request_time": 1_760_000_000.0, "zuul_event_id": EVENT,
        "provider_node_data": [], "span_info": {"secret": "not-for-you"},
    }  # fmt: skip
    made = {
        "uuid": "b2", "state": "building", "state_time": 1_760_000_002.0, "request_time": 1_760_000_001.0,
        "label": "trixie", "provider": "review.lumen.example/lumen%2Fzuul/cloud-b", "zuul_event_id": EVENT,
        "kubernetes_connection": {"token": "not-for-you"}, "create_state": {"x": "not-for-you"},
    }  # fmt: skip
    hub = start_hub(SETTINGS.format(hosts=zookeeper.hosts))
    connected(hub)
    with listening(hub, "events/nodes/#") as reader:
        zookeeper.put("/zuul/nodeset/requests/a1", packed(asked))
        zookeeper.put("/zuul/nodes/nodes/b2", packed(made, b"openstack\x00"))
        reader.wait(3)
        zookeeper.put("/zuul/nodes/nodes/b2/assignment", packed({"request_id": "a1", "tenant_name": "lumen"}))
        zookeeper.put(
            "/zuul/nodes/nodes/b2", packed(made | {"state": "ready", "state_time": 1_760_000_032.0}, b"aws\x00")
        )
        zookeeper.put(
            "/zuul/nodeset/requests/a1", packed(asked | {"state": "fulfilled", "provider_node_data": [{"uuid": "b2"}]})
        )
        events = reader.wait(5)
        zookeeper.put("/zuul/nodes/nodes/b2", b"openstack\x00 not-for-you, whatever it is")
        until(lambda: True if source(hub, "nodes")["verdicts"]["refused"] else None, "the quarantine")
        zookeeper.put("/nodepool/images/trixie/builds/0000000003", {"state": "building", "state_time": 1_760_000_000.0})
        reader.wait(6)
        zookeeper.put("/nodepool/images/trixie/builds/0000000003", {"state": "ready", "state_time": 1_760_000_600.0})
        events = reader.wait(7)
    ready = next(event for event in events if event["type"] == "org.zuul-ci.launcher.node.ready")
    assert ready["summary"] == "Node b2 (trixie, cloud-b) is ready after 31 s"
    assert set(ready["refs"].split()) == {"noderequest/a1", f"buildset/{BUILDSET}", f"zuul-event/{EVENT}"}
    assert events[-1]["summary"] == "Image trixie 0000000003 was built after 10 min"
    login = {"authorization": f"Bearer {hub.token('admin')}"}
    quarantine = httpx.get(f"{hub.url}/v1/quarantine", headers=login).json()
    assert "/zuul/nodes/nodes/b2 holds no record" in json.dumps(quarantine)
    assert "not-for-you" not in json.dumps([quarantine, hub.get(f"/v1/graph/zuul-event/{EVENT}")])


def test_what_zuuls_own_classes_write_is_read(start_hub: StartHub, zookeeper: ZooKeeper) -> None:
    command = [peer("zuul"), str(Path(__file__).with_name("zuul_launcher.py")), zookeeper.hosts, EVENT, BUILDSET]
    hub = start_hub(SETTINGS.format(hosts=zookeeper.hosts))
    connected(hub)
    counts = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
    with (
        listening(hub, "events/nodes/#") as reader,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as zuul,
    ):
        assert zuul.stdin is not None
        assert zuul.stdout is not None
        ids = []
        for count in counts:
            zuul.stdin.write("on\n")
            zuul.stdin.flush()
            ids.append(json.loads(zuul.stdout.readline()))
            events = reader.wait(count)
        zuul.stdin.close()
    assert told(events) == [
        ("environment.requested", "requested"), ("environment.accepted", "accepted"),
        ("environment.created", "requested"), ("environment.modified", "building"), ("environment.modified", "ready"),
        ("environment.fulfilled", "fulfilled"), ("environment.modified", "in-use"), ("environment.modified", "used"),
        ("environment.deleted", "gone"), ("artifact.packaged", "ready"), ("taskrun.started", "uploading"),
        ("artifact.published", "ready"),
    ]  # fmt: skip
    request, node = ids[0], ids[3]
    assert [event["subject"] for event in events[:4]] == [*[f"noderequest/{request}"] * 2, *[f"node/{node}"] * 2]
    wanted = {f"noderequest/{request}", f"buildset/{BUILDSET}", f"zuul-event/{EVENT}"}
    assert all(wanted <= set(event["refs"].split()) for event in events[3:5] + events[6:9])
    assert events[4]["summary"].startswith(f"Node {node} (trixie, cloud-b) is ready after ")
    assert events[-1]["refs"] == "image/33cc44dd"
    assert "not-for-you" not in json.dumps(events)


def test_what_nodepools_own_launcher_and_builder_write_is_read(
    start_hub: StartHub, guarded_zookeeper: Guarded, receiver: Receiver, tmp_path: Path
) -> None:
    server, folder = guarded_zookeeper, tmp_path / "nodepool"
    folder.mkdir()
    files = [str(path) for path in (server.own.authority, server.own.certificate, server.own.key)]
    script = str(Path(__file__).with_name("nodepool_records.py"))
    command = [peer("nodepool"), "-W", "ignore", script, str(folder), server.secure, *files, EVENT, BUILDSET]
    hub = start_hub(SETTINGS.format(hosts=server.hosts) + sink(receiver))
    connected(hub)
    # What each step ends in. The cloud's doors keep these states until the next; what is between them may go by unseen.
    ends = (
        ("request.requested",), ("request.pending", "node.building"), ("node.ready", "request.fulfilled"),
        ("node.in-use",), ("node.used",), ("node.deleting",), ("node.gone",), ("request.failed",), ("build.building",),
        ("build.ready", "upload.uploading"), ("upload.ready",),
    )  # fmt: skip
    names: list[Any] = []
    with (
        listening(hub, "events/nodes/#") as reader,
        (folder / "log").open("w") as log,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True) as nodepool,
    ):
        assert nodepool.stdin is not None
        assert nodepool.stdout is not None
        for words in ends:
            nodepool.stdin.write("on\n")
            nodepool.stdin.flush()
            names.append(json.loads(nodepool.stdout.readline()))
            for word in words:
                reader.wait(1, type=f"org.zuul-ci.nodepool.{word}")
        nodepool.stdin.close()
        events = search(hub, "source:nodes", len(reader.events))
        found = {event["type"].removeprefix("org.zuul-ci.nodepool."): event for event in reversed(events)}
        request, (node, launcher), declined, build = names[0], names[3], names[7], names[10]
        why = f"buildset/{BUILDSET} zuul-event/{EVENT}"
        link, image = "https://zuul.lumen.example/t/lumen/", f"image/trixie-image/{build}"
        assert everywhere(found["request.requested"], reader, receiver) == (
            "environment.requested", "", "nodepool", f"Node request {request} (unit-tests, check) asks for trixie",
            f"{link}nodeset-requests", why,
        )  # fmt: skip
        assert everywhere(found["node.in-use"], reader, receiver) == (
            "environment.modified", "", launcher, f"Node {node} (trixie, cloud-b) is in use", f"{link}nodes",
            f"noderequest/{request} {why}",
        )  # fmt: skip
        assert everywhere(found["upload.uploading"], reader, receiver) == (
            "taskrun.started", "", "nodepool", f"Image trixie-image {build} for cloud-b is being uploaded", "", image,
        )  # fmt: skip

    def story(subject: str) -> list[str]:
        told = [event["kind"] for event in events if event["subject"].startswith(subject)]
        return [kind for kind, before in zip(told, [None, *told], strict=False) if kind != before]

    assert story(f"noderequest/{request}") == ["environment.requested", "environment.accepted", "environment.fulfilled"]
    assert story(f"node/{node}") == ["environment.created", "environment.modified", "environment.deleted"]
    assert story(f"noderequest/{declined}")[-1] == "environment.declined"
    assert story(image) == ["taskrun.started", "taskrun.finished", "taskrun.started", "artifact.published"]
    assert found["node.ready"]["summary"].startswith(f"Node {node} (trixie, cloud-b) is ready after ")
    assert found["request.failed"]["summary"].endswith(f": windows (by {launcher})")
    assert {"building", "ready", "in-use", "used", "deleting", "total"} <= set(found["node.gone"]["data"]["durations"])
    assert found["node.gone"]["refs"] == f"noderequest/{request} {why}"
    assert found["request.fulfilled"]["refs"] == f"{why} node/{node}"
    assert (found["build.ready"]["actor"], found["upload.ready"]["refs"]) == (socket.getfqdn(), image)
    assert "not-for-you" not in json.dumps(events)
    verdicts = source(hub, "nodes")["verdicts"]
    assert (verdicts["refused"], verdicts["unknown"], verdicts["duplicate"]) == (0, 0, 0)


def test_tls_with_a_certificate_of_our_own_and_znodes_that_want_a_login(
    start_hub: StartHub, guarded_zookeeper: Guarded
) -> None:
    server = guarded_zookeeper
    server.client.ensure_path("/ci/nodepool/nodes")
    own = make_digest_acl("hub", "a word", read=True)
    server.client.create("/ci/nodepool/nodes/0000000042", json.dumps(node("in-use", 1_760_000_062)).encode(), [own])
    settings = SETTINGS.format(hosts=f"{server.secure}/ci") + (
        f'tls_ca = "{server.own.authority}"\ntls_cert = "{server.own.certificate}"\ntls_key = "{server.own.key}"\n'
        'zookeeper_user = "hub"\nzookeeper_secret_env = "ZOOKEEPER_SECRET"\n'
    )
    hub = start_hub(settings, environ={"ZOOKEEPER_SECRET": "a word"})
    found = search(hub, "source:nodes", 2)
    assert told(found) == [("environment.created", "new"), ("environment.modified", "in-use")]
    connected(hub)


def test_zuuls_web_api_tells_the_same_story_by_comparing(start_hub: StartHub, feed_server: FeedServer) -> None:
    asked = {
        "uuid": "a1", "state": "requested", "pipeline_name": "gate", "buildset_uuid": BUILDSET, "job_name": "docs",
        "labels": ["trixie"], "request_time": "2025-10-09T09:20:00", "zuul_event_id": EVENT, "provider_node_data": [],
        "is_locked": False, "lock_holder": None,
    }  # fmt: skip
    made = {
        "id": "b2", "uuid": "b2", "type": ["trixie"], "label": "trixie", "state": "building",
        "state_time": "2025-10-09T09:20:02", "request_time": "2025-10-09T09:20:01", "request_id": "a1",
        "provider": "review.lumen.example/lumen%2Fzuul/cloud-b", "username": "not-for-you", "is_locked": True,
    }  # fmt: skip
    spare = made | {"uuid": "c3", "request_id": None, "state": "ready"}

    def serve(requests: list[Any], lumen: list[Any], other: list[Any]) -> None:
        for tenant, page, things in (
            ("lumen", "nodeset-requests", requests), ("other", "nodeset-requests", []),
            ("lumen", "nodes", lumen), ("other", "nodes", other),
        ):  # fmt: skip
            feed_server.documents[f"/api/tenant/{tenant}/{page}"] = json.dumps(things).encode()

    serve([asked], [made, spare], [spare])
    settings = (
        f'[sources.nodes]\nkind = "nodepool"\nurl = "{feed_server.url}"\ntenants = ["lumen", "other"]\nevery = 1\n'
    )
    hub = start_hub(settings)
    assert {kind for kind, _ in told(search(hub, "source:nodes", 5))} == {
        "environment.requested", "environment.created", "environment.modified",
    }  # fmt: skip
    serve([asked | {"state": "fulfilled", "is_locked": True}], [made | {"lock_holder": "ze01"}, spare], [spare])
    assert told(search(hub, "source:nodes", 6))[5:] == [("environment.fulfilled", "fulfilled")]
    hub.kill()
    ready = made | {"state": "ready", "state_time": "2025-10-09T09:20:32"}
    serve([], [ready], [])
    hub.start()
    found = search(hub, "source:nodes", 8)[6:]
    assert {(kind, word) for kind, word in told(found)} == {
        ("environment.modified", "ready"),
        ("environment.deleted", "gone"),
    }
    end = next(event for event in found if event["type"].endswith("ready"))
    assert end["summary"] == "Node b2 (trixie, cloud-b) is ready after 31 s"
    assert set(end["refs"].split()) == {"noderequest/a1", f"buildset/{BUILDSET}", f"zuul-event/{EVENT}"}
    assert end["link"] == f"{feed_server.url}/t/lumen/nodes"
    # A list that cannot be had says nothing about what is gone.
    feed_server.answers["/api/tenant/other/nodes"] = (503, {})
    until(lambda: True if "answered 503" in source(hub, "nodes")["connection"] else None, "the trouble")
    feed_server.documents["/api/tenant/lumen/nodes"] = b"[]"
    until(lambda: True if feed_server.count("/api/tenant/other/nodes", 503) > 3 else None, "more rounds")
    assert len(search(hub, "source:nodes", 8)) == 8
    del feed_server.answers["/api/tenant/other/nodes"]
    everything = search(hub, "source:nodes", 9)
    assert told(everything)[8:] == [("environment.deleted", "gone")]
    assert "not-for-you" not in json.dumps(everything)
    assert source(hub, "nodes")["verdicts"]["duplicate"] == 0
