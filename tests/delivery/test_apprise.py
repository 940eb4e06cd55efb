"""From a producer through a real hub to a service that Apprise knows: once, with what happened and where to look."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.delivery.test_kill import bearer, publish, sink, until
from tests.servers.hook import Receiver

from firehose.testing import StartHub

pytestmark = pytest.mark.timeout(240)
SETTINGS = """
[sources.inbox]
kind = "inbox"
url = "https://inbox.example"
[sinks.night]
kind = "apprise"
secret_file = "{file}"
allow = ["127.0.0.1"]
query = "subject:thing-*"
"""


def test_a_service_is_told_also_what_happened_while_it_was_in_trouble(
    start_hub: StartHub, receiver: Receiver, tmp_path: Path
) -> None:
    file = tmp_path / "service.url"
    file.write_text(receiver.url.replace("http://", "json://"))
    hub = start_hub(SETTINGS.format(file=file))
    headers = bearer(hub)
    receiver.status = 500
    publish(hub, headers, "thing-1", "other-1")
    until(lambda: sink(hub)["failed"], hub)
    receiver.status = 200
    publish(hub, headers, "thing-2")
    until(lambda: len(receiver.bodies) == 2, hub)
    page = f"{hub.url}/events/"
    assert sorted(page in body["message"] for body in receiver.bodies) == [True, True]
    assert {body["message"].split("thing-")[1][0] for body in receiver.bodies} == {"1", "2"}
    assert file.read_text() not in hub.log.read_text()
