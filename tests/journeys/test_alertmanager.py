"""Alertmanager's notifications, as it posts them, to MQTT and search."""

from __future__ import annotations

import json
from pathlib import Path

from tests.journeys.reader import everywhere, listening, search, sink
from tests.servers.hook import Receiver

from firehose import source
from firehose.testing import StartHub

SAMPLES = Path(source.__file__).parent / "sources" / "alertmanager" / "samples"
SETTINGS = """
[sources.alerts]
kind = "alertmanager"
secret_env = "ALERT_SECRET"
"""


def body(name: str) -> bytes:
    return json.dumps(json.loads((SAMPLES / f"{name}.json").read_text())["body"]).encode()


def test_alerts_become_incidents_once_and_are_resolved(start_hub: StartHub, receiver: Receiver) -> None:
    hub = start_hub(SETTINGS + sink(receiver), environ={"ALERT_SECRET": "s3cret"})
    token = hub.token("publish:alerts")
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    plain = {"content-type": "application/json"}
    with listening(hub, "events/alerts/#") as reader:
        assert hub.post("/in/alerts", body("firing__two-alerts"), headers)[0] == 202
        status, told = hub.post("/in/alerts?token=s3cret", body("firing__two-alerts"), plain)
        assert (status, told["verdict"]) == (200, "duplicate")
        assert hub.post("/in/alerts", body("resolved__one"), headers)[0] == 202
        assert hub.post("/in/alerts", body("resolved__one"), plain)[0] == 401
        events = reader.wait(3)
    assert [(event["kind"], event["topic"]) for event in events] == [
        ("incident.detected", "events/alerts/incident/detected/lumen/atlas"),
        ("incident.detected", "events/alerts/incident/detected/atlas-db"),
        ("incident.resolved", "events/alerts/incident/resolved/lumen/atlas"),
    ]
    found = search(hub, "kind:incident.* project:lumen/atlas", 2)
    assert [(e["severity"], e["outcome"]) for e in found] == [("error", "failure"), ("info", "success")]
    assert found[0]["subject"] == found[1]["subject"] == "alert/1f2e3d4c5b6a7988"
    assert everywhere(found[0], reader, receiver) == (
        "incident.detected", "lumen/atlas", "",
        "DiskFull on db1.lumen.example:9100 is firing: less than 2 % left on /srv",
        "https://prometheus.lumen.example/graph?g0.expr=disk",
        "alertgroup/111ca49cca6d4266 host/db1.lumen.example:9100",
    )  # fmt: skip
