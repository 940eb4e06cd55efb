"""Registries' notifications to MQTT and search: the secret in the URL, in a header, or as a signature."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

from tests.journeys.reader import everywhere, listening, search, sink
from tests.servers.hook import Receiver

from firehose import source
from firehose.testing import StartHub

SAMPLES = Path(source.__file__).parent / "sources" / "registry" / "samples"
SETTINGS = "".join(
    f'[sources.{name}]\nkind = "{name}"\nsecret_env = "HOOK_SECRET"\n'
    for name in ("dockerhub", "harbor", "npm", "registry")
)
JSON = {"content-type": "application/json"}


def body(name: str) -> bytes:
    return json.dumps(json.loads((SAMPLES / f"{name}.json").read_text())["body"]).encode()


def test_what_registries_publish_is_told_once_and_only_with_the_secret(start_hub: StartHub, receiver: Receiver) -> None:
    hub = start_hub(SETTINGS + sink(receiver), environ={"HOOK_SECRET": "s3cret"})
    docker, harbor, npm = (
        body("dockerhub.push__tag"),
        body("harbor.PUSH_ARTIFACT__tag"),
        body("npm.package-publish__new"),
    )
    signature = {"x-npm-signature": "sha256=" + hmac.new(b"s3cret", npm, hashlib.sha256).hexdigest()}
    media = {"content-type": "application/vnd.docker.distribution.events.v1+json", "authorization": "s3cret"}
    with listening(hub, "events/+/artifact/#") as reader:
        assert hub.post("/in/dockerhub?token=s3cret", docker, JSON)[0] == 202
        assert hub.post("/in/dockerhub?token=s3cret", docker, JSON)[0] == 200
        assert hub.post("/in/dockerhub", docker, JSON)[0] == 401
        assert hub.post("/in/harbor", harbor, JSON | {"authorization": "s3cret"})[0] == 202
        assert hub.post("/in/harbor", harbor, JSON | {"authorization": "guessed"})[0] == 403
        assert hub.post("/in/npm", npm, JSON | signature)[0] == 202
        assert hub.post("/in/npm", npm + b" ", JSON | signature)[0] == 403
        assert hub.post("/in/registry", body("distribution.push__manifest-and-layer"), media)[0] == 202
        events = reader.wait(4)
    assert [(event["topic"], event["subject"]) for event in events] == [
        ("events/dockerhub/artifact/published/lumen/atlas", "package/oci/lumen/atlas@2.1"),
        ("events/harbor/artifact/published/lumen/atlas", "package/oci/lumen/atlas@2.1"),
        ("events/npm/artifact/published/@lumen/atlas", "package/npm/@lumen/atlas@2.1.0"),
        ("events/registry/artifact/published/lumen/atlas", "package/oci/lumen/atlas@2.1"),
    ]
    found = search(hub, "kind:artifact.published project:lumen/atlas", 3)
    assert {event["actor"] for event in found} == {"mira"}
    assert everywhere(found[0], reader, receiver) == (
        "artifact.published", "lumen/atlas", "mira", "mira pushed lumen/atlas:2.1",
        "https://hub.lumen.example/r/lumen/atlas", "package/oci/lumen/atlas",
    )  # fmt: skip
    assert "callback_url" not in json.dumps(found)
