"""Events drive a real Zuul (scheduler, merger, web; ZooKeeper, PostgreSQL) by the sink: once each, no strangers."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.journeys.reader import listening, search, until
from tests.servers.zuul import SECRET, Zuul

from firehose.testing import HubProcess, StartHub

pytestmark = pytest.mark.timeout(600)
JSON = {"content-type": "application/json"}


def settings(name: str, zuul: Zuul, **more: str) -> str:
    """A sink of the hub's settings."""
    given = {"url": zuul.url, "issuer": "https://hub.example", "secret_env": "SHARED", "pipeline": "post", **more}
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in given.items())
    return f'[sinks.{name}]\nkind = "zuul"\ntenant = "acme"\naudience = "zuul"\nallow = ["127.0.0.1"]\n{lines}'


def happen(hub: HubProcess, zuul: Zuul, moment: int, branch: str = "main") -> None:
    """A branch of org/app moved, as Gerrit's webhooks plugin tells it; each moment is another event."""
    update = {"refName": f"refs/heads/{branch}", "project": "org/app", "oldRev": zuul.past, "newRev": zuul.head}
    body = {"type": "ref-updated", "submitter": {"name": "Ada"}, "refUpdate": update, "eventCreatedOn": moment}
    status, answer = hub.post("/in/gerrit", json.dumps(body).encode(), JSON)
    assert status == 202, answer


def sink(hub: HubProcess, name: str) -> dict[str, Any]:
    """How a sink is."""
    return next(sink for sink in hub.get("/v1/sinks")["sinks"] if sink["name"] == name)


def sent(hub: HubProcess, name: str, count: int = 1) -> dict[str, Any]:
    """The same, once it has sent so many."""
    return until(lambda: found if (found := sink(hub, name))["sent"] >= count else None, f"{name}: {hub.tail()}")


def buildsets(zuul: Zuul, pipeline: str, count: int = 1) -> list[dict[str, Any]]:
    """What Zuul's history says about a pipeline, once it has ended so many."""

    def found() -> list[dict[str, Any]] | None:
        rows = [row for row in zuul.get(f"buildsets?pipeline={pipeline}&project=org/app") if row["result"]]
        return rows if len(rows) >= count else None

    return until(found, f"{count} buildsets in {pipeline}: {zuul.log('scheduler')[-2_000:]}")


def held(zuul: Zuul) -> int:
    """Items that wait in the pipeline `hold`."""
    # A scheduler that has just begun tells of a pipeline without a name, or of none.
    known = [pipeline for pipeline in zuul.get("status")["pipelines"] if pipeline.get("name") == "hold"]
    return sum(len(items) for pipeline in known for queue in pipeline["change_queues"] for items in queue["heads"])


GERRIT = '[sources.gerrit]\nkind = "gerrit"\nurl = "https://review.example.org"\nopen = true\n'


def test_an_event_enqueues_a_branch_and_its_job_runs(start_hub: StartHub, zuul: Zuul) -> None:
    before = len(buildsets(zuul, "post", 0))
    dry = settings("dry", zuul, pipeline="hold").replace('secret_env = "SHARED"', "dry_run = true")
    hub = start_hub(
        GERRIT + settings("post", zuul) + dry + settings("stranger", zuul, secret_env="WRONG"),
        environ={"SHARED": SECRET, "WRONG": SECRET[::-1]},
    )
    with listening(hub, "events/gerrit/#") as reader:
        happen(hub, zuul, 1_750_000_001)
        (event,) = reader.wait(1)
    assert sent(hub, "post")["answer"] == "enqueue taken"
    rows = buildsets(zuul, "post", before + 1)
    assert len(rows) == before + 1
    assert rows[0]["result"] == "SUCCESS"
    assert rows[0]["user_id"] == "firehose"
    (ref,) = rows[0]["refs"]
    assert (ref["project"], ref["ref"], ref["newrev"]) == ("org/app", "refs/heads/main", zuul.head)
    assert search(hub, f"id:{event['id']}")[0]["project"] == "org/app"
    said = sent(hub, "dry")["answer"]
    assert said.startswith(f"dry run, would POST {zuul.url}/api/tenant/acme/project/org/app/enqueue")
    assert f'"newrev":"{zuul.head}"' in said
    trouble = until(lambda: sink(hub, "stranger")["trouble"], "the stranger's trouble")
    assert "does not let us (401)" in trouble["detail"]
    assert "signature" in trouble["detail"].lower(), "Zuul's own words for what is wrong"
    assert held(zuul) == 0


def test_an_event_takes_out_what_another_put_in(start_hub: StartHub, zuul: Zuul) -> None:
    keys = {"issuer": "https://keys.example", "secret_file": str(zuul.key), "auth": "RS256", "secret_env": ""}
    hub = start_hub(
        GERRIT
        + settings("in", zuul, pipeline="hold", query="data.eventCreatedOn:1750000011", **keys)
        + settings("out", zuul, pipeline="hold", action="dequeue", query="data.eventCreatedOn:1750000012", **keys)
        + settings("up", zuul, pipeline="hold", action="promote", change="1,2", query="data.eventCreatedOn:1750000013")
        + settings("typo", zuul, pipeline="psot", query="data.eventCreatedOn:1750000013"),
        environ={"SHARED": SECRET},
    )
    happen(hub, zuul, 1_750_000_011)
    sent(hub, "in")
    until(lambda: held(zuul) == 1 or None, "the branch in its pipeline")
    happen(hub, zuul, 1_750_000_012)
    assert sent(hub, "out")["answer"] == "dequeue taken"
    until(lambda: held(zuul) == 0 or None, "nothing in the pipeline")
    assert buildsets(zuul, "hold")[0]["result"] == "DEQUEUED"
    happen(hub, zuul, 1_750_000_013)
    assert sent(hub, "up")["answer"] == "promote taken"
    # There is no change in this Zuul, whose repositories are plain git: its scheduler says which one was wanted.
    until(lambda: "Unable to find 1,2" in zuul.log("scheduler") or None, "the scheduler's answer")
    found = until(lambda: found if (found := sink(hub, "typo"))["dead"] else None, "a dead letter")
    assert "Unknown pipeline" in found["trouble"]["detail"]


def test_an_answer_that_is_lost_makes_no_second_build(start_hub: StartHub, zuul: Zuul) -> None:
    before = len(buildsets(zuul, "post", 0))
    with losing(zuul.url) as (url, lost):
        hub = start_hub(GERRIT + settings("post", zuul, url=url), environ={"SHARED": SECRET})
        happen(hub, zuul, 1_750_000_021)
        until(lambda: lost.is_set() or None, "the lost answer")
        assert len(buildsets(zuul, "post", before + 1)) == before + 1
        # In the next life the sink does not know whether Zuul was asked, and looks.
        hub.kill()
        hub.start({"SHARED": SECRET})
        assert sent(hub, "post")["answer"] == "Zuul has this event's buildset already"
        happen(hub, zuul, 1_750_000_022)
        assert sent(hub, "post", 2)["answer"] == "enqueue taken"
    assert len(buildsets(zuul, "post", before + 2)) == before + 2


@contextmanager
def losing(url: str) -> Iterator[tuple[str, threading.Event]]:
    """A way to a server that breaks when the first answer to a POST comes: the address, and whether it has."""
    there, lost = urlsplit(url), threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def answers(server: socket.socket, client: socket.socket, posted: threading.Event) -> None:
        with suppress(OSError):
            while answer := server.recv(65_536):
                if posted.is_set() and not lost.is_set():
                    lost.set()
                    break
                client.sendall(answer)
            client.shutdown(socket.SHUT_RDWR)

    def carry(client: socket.socket) -> None:
        posted = threading.Event()
        with suppress(OSError), client, socket.create_connection((there.hostname or "", there.port or 0)) as server:
            threading.Thread(target=answers, args=(server, client, posted), daemon=True).start()
            while asked := client.recv(65_536):
                if asked.startswith(b"POST"):
                    posted.set()
                server.sendall(asked)

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=carry, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", lost
    listener.close()
