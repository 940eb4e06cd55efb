"""Nodepool's and Zuul's records, by samples and by the odd cases; what must not leave; what a change is."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firehose import source
from firehose.errors import Refused, UnknownKind
from firehose.event import Event
from firehose.sources.nodepool.kinds import IGNORED, STATES
from firehose.sources.nodepool.znode import observe

SAMPLES = Path(__file__).parent / "samples"
NODEPOOL = source.load("nodepool")
NOW = datetime(2026, 1, 2, tzinfo=UTC)
NODE = "/nodepool/nodes/0000000042"


def verdict(body: Any) -> source.Verdict:
    delivery = source.Delivery(source="nodes", body=json.dumps(body).encode(), received=NOW)
    return NODEPOOL.read(delivery, NODEPOOL.settings(kind="nodepool", url="https://zuul.lumen.example/"))


def read(body: Any) -> list[Event]:
    found = verdict(body)
    assert not isinstance(found, source.Ignored)
    return list(found)


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


@pytest.mark.parametrize(
    ("name", "kind", "about", "summary"),
    [
        ("request.requested__two", "environment.requested queued", "noderequest/100-0000000007",
         "Node request 100-0000000007 (unit-tests, check) asks for 2 × trixie"),
        ("request.failed__declined", "environment.declined failure", "noderequest/100-0000000007",
         "Node request 100-0000000007 (unit-tests, check) was declined after 5 s: 2 × trixie "
         "(by nl01-PoolWorker.cloud-a-main)"),
        ("node.init__plain", "environment.created running", "node/0000000042",
         "Node 0000000042 (trixie, cloud-a) was created"),
        ("node.failed__launch", "environment.modified failure", "node/0000000042",
         "Node 0000000042 (trixie, cloud-b) failed to launch after 4 min 59 s"),
        ("node.hold__comment", "environment.modified", "node/0000000042",
         "Node 0000000042 (trixie, cloud-a) is held: debugging 987654"),
        ("node.ready__launcher", "environment.modified success", "node/7e0d9c8b7a6f5e4d3c2b1a0f9e8d7c6b",
         "Node 7e0d9c8b7a6f5e4d3c2b1a0f9e8d7c6b (trixie, cloud-b) is ready after 59 s"),
        ("build.ready__image", "taskrun.finished success", "image/trixie/0000000003",
         "Image trixie 0000000003 was built after 30 min"),
        ("upload.ready__launcher", "artifact.published success", "image/11aa22bb",
         "Image trixie for cloud-b/North was uploaded"),
        ("artifact.ready__launcher", "artifact.packaged success", "image/33cc44dd", "Image trixie 33cc44dd was built"),
    ],
)  # fmt: skip
def test_a_sample_becomes(name: str, kind: str, about: str, summary: str) -> None:
    (event,) = read(sample(name))
    assert (f"{event.kind} {event.outcome}".strip(), event.subject, event.summary) == (kind, about, summary)


def test_an_answered_request_that_goes_is_no_news_and_an_open_one_is() -> None:
    assert verdict(sample("request.gone__answered")) == source.Ignored("request.gone")
    assert [event.kind for event in read(sample("request.gone__withdrawn"))] == ["environment.cancelled"]


def test_a_node_that_came_unseen_was_created_when_its_znode_was_and_has_one_id_wherever_it_is_seen() -> None:
    created, ready = read(sample("node.ready__came-unseen"))
    assert (created.kind, created.time.timestamp()) == ("environment.created", 1_760_000_001)
    assert json.loads(ready.data)["durations"] == {"total": 59}
    seen_earlier = sample("node.ready__came-unseen") | {"data": sample("node.building__plain")["data"]}
    assert read(seen_earlier)[0].id == created.id
    assert read(seen_earlier)[1].id != ready.id


@pytest.mark.parametrize("file", sorted(SAMPLES.iterdir()), ids=lambda file: file.stem)
def test_nothing_leaves_that_is_not_on_the_list(file: Path) -> None:
    found = verdict(json.loads(file.read_text()))
    shown = "" if isinstance(found, source.Ignored) else repr(found)
    assert "not-for-you" not in shown
    assert file.stem.partition("__")[0] in {*IGNORED, *_words(), "request.gone", "node.gone"}


def _words() -> set[str]:
    return {f"{noun}.{state}" for noun, states in STATES.items() for state in states}


def test_the_hub_cuts_a_record_before_it_is_a_delivery() -> None:
    record = sample("node.in-use__plain")["data"]
    seen = source.Seen(NODE, json.dumps(record).encode(), 5, 6, 1_760_000_001_000, 1_760_000_062_000)
    observed = observe(seen, b"", lambda _path: b"")
    assert b"not-for-you" in (seen.data or b"")
    assert observed.body is not None
    assert b"not-for-you" not in observed.body + observed.memory
    gone = observe(source.Seen(NODE, None, 5, 7), observed.memory, lambda _path: b"")
    assert gone.body is not None
    assert [event.kind for event in read(json.loads(gone.body))] == ["environment.deleted"]


def test_only_another_state_is_news() -> None:
    record = sample("node.in-use__plain")["data"]
    first = observe(source.Seen(NODE, json.dumps(record).encode(), 5, 6), b"", lambda _path: b"")
    again = json.dumps(record | {"hostname": "another", "state_time": 1_760_000_063.0}).encode()
    second = observe(source.Seen(NODE, again, 5, 7), first.memory, lambda _path: b"")
    assert (first.body is None, second.body) == (False, None)
    assert b"another" in second.memory


def test_a_state_that_comes_back_is_told_again_though_the_record_has_no_time() -> None:
    first = sample("request.requested__launcher") | {"stat": {"czxid": 5, "mzxid": 5}}
    again = first | {"stat": {"czxid": 5, "mzxid": 9}, "was": {"state": "accepted", "times": {"requested": 1.0}}}
    assert read(first)[0].id != read(again)[0].id


@pytest.mark.parametrize(
    "data",
    [b"\x78\x9c broken", b"aws\x00\x78\x9c broken", b"[]", b"null", b"\xff\xfe", zlib.compress(b"not JSON")],
)
def test_what_nobody_can_read_goes_to_the_quarantine_without_its_content(data: bytes) -> None:
    observed = observe(source.Seen(NODE, data, 5, 6), b"", lambda _path: b"")
    assert observed.body is not None
    with pytest.raises(Refused, match="holds no record"):
        verdict(json.loads(observed.body))


def test_an_unknown_state_and_an_unknown_place_are_unknown() -> None:
    strange = sample("node.init__plain")
    strange["data"]["state"] = "melting"
    with pytest.raises(UnknownKind, match=r"node\.melting"):
        verdict(strange)
    with pytest.raises(UnknownKind, match="nodepool/teapots"):
        verdict({"path": "/nodepool/teapots/0007", "data": {"state": "ready"}})


@pytest.mark.parametrize("file", ["nodepool/nodepool-11-zk-records.jsonl", "zuul/launcher-14.3-zk-records.jsonl"])
def test_every_record_of_the_shared_samples_is_an_event(shared: Path, file: str) -> None:
    path = shared / "samples" / file
    if not path.exists():
        pytest.skip(f"{file} is not among the shared samples")
    records = [json.loads(row) for row in path.read_text().splitlines()]
    found = [verdict(record) for record in records]
    assert all(isinstance(one, list) and one for one in found)
    assert len(records) >= 8
