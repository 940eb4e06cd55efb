"""Registries' notifications, by samples and by the odd cases."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firehose import source
from firehose.errors import Refused, UnknownKind
from firehose.event import Event
from firehose.sources.registry.kinds import HARBOR, IGNORED, KINDS

SAMPLES = Path(__file__).parent / "samples"
REGISTRY = source.load("registry")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())["body"]


def verdict(body: object, kind: str = "quay", **more: Any) -> source.Verdict:
    delivery = source.Delivery(source="images", body=json.dumps(body).encode(), received=NOW)
    return REGISTRY.read(delivery, REGISTRY.settings(kind=kind, **more))


def events(body: object, kind: str = "quay", **more: Any) -> list[Event]:
    found = verdict(body, kind, **more)
    assert not isinstance(found, source.Ignored)
    return list(found)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("dockerhub.push__tag", ["artifact.published package/oci/lumen/atlas@2.1 mira: mira pushed lumen/atlas:2.1"]),
        ("quay.repo_push__two-tags", [
            "artifact.published package/oci/lumen/atlas@2.1 : lumen/atlas:2.1 was pushed",
            "artifact.published package/oci/lumen/atlas@latest : lumen/atlas:latest was pushed",
        ]),
        ("quay.build__failed", [
            "build.finished quay/build/296ec063 mira: "
            "the build of lumen/atlas failed: Could not find or parse Dockerfile"
        ]),
        ("quay.vulnerability_found__high", [
            "incident.detected package/oci/lumen/atlas@2.0 : CVE-2026-1234 (High) was found in lumen/atlas:2.0, "
            "and there is a fix"
        ]),
        ("harbor.PUSH_ARTIFACT__tag", [
            "artifact.published package/oci/lumen/atlas@2.1 mira: mira: pushed lumen/atlas:2.1"
        ]),
        ("npm.package-publish__new", [
            "artifact.published package/npm/@lumen/atlas@2.1.0 mira: @lumen/atlas 2.1.0 was published"
        ]),
        ("distribution.push__manifest-and-layer", [
            "artifact.published package/oci/lumen/atlas@2.1 mira: mira pushed lumen/atlas:2.1"
        ]),
    ],
)  # fmt: skip
def test_a_sample_becomes(name: str, told: list[str]) -> None:
    found = events(sample(name))
    assert [f"{one.kind} {one.subject} {one.actor}: {one.summary}" for one in found] == told
    assert all(one.project in ("lumen/atlas", "@lumen/atlas") for one in found)
    assert len({one.id for one in found}) == len(found)


def test_a_build_refers_to_its_commit_and_a_failure_is_one() -> None:
    (event,) = events(sample("quay.build__failed"))
    assert event.refs == ("package/oci/lumen/atlas", "commit/3f1d6c0e5f0b4e0e8a7a2f6f5f7f0b1a2c3d4e5f")
    assert (event.outcome, event.severity) == ("failure", "warning")
    body = sample("quay.build__failed")
    del body["error_message"]
    assert events(body)[0].kind == "build.updated"
    assert events(body | {"image_id": "sha256:aa"})[0].outcome == "success"


def test_where_it_happened_and_when() -> None:
    (hub,) = events(sample("dockerhub.push__tag"), "dockerhub")
    assert (hub.source, hub.time) == ("https://hub.docker.com", datetime.fromtimestamp(1_769_000_000, UTC))
    (harbor,) = events(sample("harbor.PUSH_ARTIFACT__tag"), "harbor")
    assert harbor.source == "https://harbor.lumen.example"
    (npm,) = events(sample("npm.package-publish__new"), "npm")
    assert npm.time == datetime(2026, 1, 21, 12, 53, 20, 123_000, UTC)
    (own,) = events(sample("distribution.push__manifest-and-layer"), "registry", url="https://oci.lumen.example/")
    assert (own.id, own.source) == ("asdf-asdf-2", "https://oci.lumen.example")


def test_the_same_push_has_the_same_id_and_quays_have_their_own() -> None:
    first, again = (events(sample("dockerhub.push__tag"))[0].id for _ in range(2))
    assert first == again


@pytest.mark.parametrize("name", ["dockerhub.push__tag", "harbor.PUSH_ARTIFACT__tag"])
def test_a_private_repository_is_left_out_unless_it_has_an_audience(name: str) -> None:
    body = sample(name)
    if "repository" in body:
        body["repository"]["is_private"] = True
    else:
        body["event_data"]["repository"]["repo_type"] = "private"
    assert verdict(body) == source.Ignored("private")
    assert len(events(body, audience="images")) == 1


def test_what_is_only_read_is_ignored_and_the_unknown_is_unknown() -> None:
    harbor = sample("harbor.PUSH_ARTIFACT__tag")
    assert verdict(harbor | {"type": "PULL_ARTIFACT"}) == source.Ignored("harbor.PULL_ARTIFACT")
    pushed = sample("distribution.push__manifest-and-layer")
    assert verdict({"events": pushed["events"][:1]}) == source.Ignored("distribution.pull")
    npm = sample("npm.package-publish__new")
    assert verdict(npm | {"event": "package:star"}) == source.Ignored("npm.package:star")
    for body, named in ((harbor | {"type": "EXPLODED"}, "EXPLODED"), (npm | {"event": "package:sold"}, "sold"),
                        ({"docker_url": "x", "repository": "lumen/atlas"}, "quay.other")):  # fmt: skip
        with pytest.raises(UnknownKind, match=named):
            verdict(body)
    with pytest.raises(Refused, match="no notification"):
        verdict({"hello": 1})


@pytest.mark.parametrize("word", sorted(HARBOR))
def test_every_word_of_harbor_becomes_an_event(word: str) -> None:
    (event,) = events(sample("harbor.PUSH_ARTIFACT__tag") | {"type": word})
    assert event.kind == KINDS[f"harbor.{word}"]
    assert not set(KINDS) & set(IGNORED)


def test_a_deletion_by_digest_alone_is_told() -> None:
    (event,) = events(
        {"events": [{"id": "d-1", "action": "delete", "target": {"digest": "sha256:bb", "repository": "lumen/atlas"}}]}
    )
    assert (event.kind, event.subject, event.refs) == ("artifact.deleted", "package/oci/lumen/atlas", ("sha256:bb",))


def test_a_missing_field_is_named() -> None:
    body = sample("dockerhub.push__tag")
    del body["repository"]["repo_name"]
    with pytest.raises(Refused) as refusal:
        verdict(body)
    assert refusal.value.field == "repository.repo_name"


@pytest.mark.parametrize("word", ["unpublish", "deprecate", "undeprecate", "owner", "change"])
def test_the_version_of_npms_envelope_is_not_the_packages(word: str) -> None:
    body = sample("npm.package-publish__new") | {"event": f"package:{word}", "change": {"user": "mira"}}
    (event,) = events(body)
    assert event.subject == "package/npm/@lumen/atlas"
    assert event.link == "https://www.npmjs.com/package/@lumen/atlas"
    assert "1.0.0" not in event.summary


@pytest.mark.parametrize(
    ("status", "outcome", "severity", "said"),
    [("Success", "success", "info", "succeeded"), ("Failed", "failure", "warning", "failed"),
     ("Stopped", "cancel", "warning", "was stopped"), ("Odd", "error", "warning", "failed")],
)  # fmt: skip
def test_a_replication_says_how_it_ended(status: str, outcome: str, severity: str, said: str) -> None:
    replication = {
        "harbor_hostname": "harbor.lumen.example", "job_status": status, "policy_creator": "mira",
        "src_resource": {"namespace": "lumen"}, "failed_artifact": [{"name_tag": "lumen/atlas [1 item(s) in total]"}],
    }  # fmt: skip
    (event,) = events(
        {"type": "REPLICATION", "occur_at": 1_769_000_000, "operator": "MANUAL",
         "event_data": {"replication": replication}}
    )  # fmt: skip
    assert (event.outcome, event.severity, event.actor) == (outcome, severity, "mira")
    assert event.summary == f"mira: the replication of lumen/atlas [1 item(s) in total] {said}"
    assert event.source == "https://harbor.lumen.example"
