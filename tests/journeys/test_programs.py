"""Alertmanager and a registry server as they run, and what they post of themselves: to MQTT, search and a sink."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
from tests.journeys.reader import everywhere, listening, search, sink, source, until
from tests.servers.hook import Receiver

from firehose.bus.engine import free_port
from firehose.testing import StartHub, need


@contextmanager
def running(url: str, *command: str | Path) -> Iterator[None]:
    """A program, from when it answers at an address until the end of the body."""
    program = need(shutil.which(command[0]), str(command[0]))
    with subprocess.Popen([program, *command[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:

        def answers() -> bool | None:
            with suppress(httpx.TransportError):
                return httpx.get(url).is_success or None
            return None

        try:
            until(answers, f"{command[0]} at {url}")
            yield
        finally:
            process.kill()


def test_alertmanager_tells_of_an_alert_and_of_its_end(start_hub: StartHub, receiver: Receiver, tmp_path: Path) -> None:
    hub = start_hub('[sources.alerts]\nkind = "alertmanager"\n' + sink(receiver))
    token, config, port = tmp_path / "token", tmp_path / "alertmanager.yml", free_port()
    token.write_text(hub.token("publish:alerts"))
    config.write_text(
        "route: {receiver: firehose, group_wait: 0s, group_interval: 1s, group_by: [alertname]}\n"
        f"receivers: [{{name: firehose, webhook_configs: [{{url: '{hub.url}/in/alerts', send_resolved: true, "
        f"http_config: {{authorization: {{credentials_file: {token}}}}}}}]}}]\n"
    )
    url = f"http://127.0.0.1:{port}"
    alert = {
        "labels": {"alertname": "DiskFull", "instance": "db1:9100", "severity": "critical", "project": "lumen/atlas"},
        "annotations": {"summary": "less than 2 % left"}, "generatorURL": "https://prometheus.lumen.example/graph",
    }  # fmt: skip
    command = (
        "prometheus-alertmanager", f"--config.file={config}", f"--storage.path={tmp_path / 'alerts'}",
        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
    )  # fmt: skip
    with running(f"{url}/-/ready", *command), listening(hub, "events/alerts/#") as reader:
        httpx.post(f"{url}/api/v2/alerts", json=[alert]).raise_for_status()
        (told,) = search(hub, "kind:incident.detected")
        httpx.post(f"{url}/api/v2/alerts", json=[alert | {"endsAt": told["time"]}]).raise_for_status()
        (ended,) = search(hub, "kind:incident.resolved")
        assert everywhere(told, reader, receiver) == (
            "incident.detected", "lumen/atlas", "", "DiskFull on db1:9100 is firing: less than 2 % left",
            "https://prometheus.lumen.example/graph", told["refs"],
        )  # fmt: skip
    assert "host/db1:9100" in told["refs"].split()
    assert (ended["subject"], ended["outcome"], told["severity"]) == (told["subject"], "success", "error")
    assert source(hub, "alerts")["verdicts"]["unknown"] == 0


def test_a_registry_server_tells_of_an_image(start_hub: StartHub, receiver: Receiver, tmp_path: Path) -> None:
    hub = start_hub('[sources.images]\nkind = "registry"\nsecret_env = "S"\n' + sink(receiver), environ={"S": "s3cret"})
    config, port = tmp_path / "registry.yml", free_port()
    endpoint = {"name": "hub", "url": f"{hub.url}/in/images", "headers": {"Authorization": ["s3cret"]}}
    config.write_text(json.dumps({
        "version": "0.1", "storage": {"filesystem": {"rootdirectory": str(tmp_path / "images")}},
        "http": {"addr": f"127.0.0.1:{port}"}, "notifications": {"endpoints": [endpoint]},
    }))  # fmt: skip
    url, blob = f"http://127.0.0.1:{port}/v2", b"{}"
    digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
    media = "application/vnd.docker.distribution.manifest.v2+json"
    image = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(blob), "digest": digest}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": media, "config": image, "layers": []}).encode()
    with running(f"{url}/", "docker-registry", "serve", config), listening(hub, "events/images/#") as reader:
        upload = httpx.URL(httpx.post(f"{url}/lumen/atlas/blobs/uploads/").headers["location"])
        done = upload.copy_merge_params({"digest": digest})
        httpx.put(done, content=blob).raise_for_status()
        pushed = httpx.put(f"{url}/lumen/atlas/manifests/2.1", content=manifest, headers={"content-type": media})
        pushed.raise_for_status()
        (told,) = search(hub, "source:images")
        digest = pushed.headers["docker-content-digest"]
        assert everywhere(told, reader, receiver) == (
            "artifact.published", "lumen/atlas", "", "somebody pushed lumen/atlas:2.1",
            f"{url}/lumen/atlas/manifests/{digest}", f"package/oci/lumen/atlas {digest}",
        )  # fmt: skip
    assert source(hub, "images")["verdicts"]["unknown"] == 0
