"""A real hub with a webhook sink to a real receiver: everything arrives, also when the hub is killed on the way."""

from __future__ import annotations

import json
import signal
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest
from click.testing import CliRunner
from tests.servers.hook import Receiver

from firehose.delivery import unsubscribe
from firehose.delivery.room import signer
from firehose.ops.outgoing import sinks_resume
from firehose.testing import HubProcess, StartHub

pytestmark = pytest.mark.timeout(240)


def settings(receiver: Receiver, url: str = "") -> str:
    return (
        '[sources.inbox]\nkind = "inbox"\nurl = "https://inbox.example"\n'
        f'[sinks.hook]\nkind = "webhook"\nurl = "{url or receiver.url}"\nallow_private = true\nsince = "earliest"\n'
        'query = "subject:thing-*"\n'
    )


def bearer(hub: HubProcess) -> dict[str, str]:
    token = hub.token("publish:inbox", "admin")
    return {"authorization": f"Bearer {token}", "content-type": "application/cloudevents+json"}


def publish(hub: HubProcess, headers: dict[str, str], *subjects: str) -> None:
    for subject in subjects:
        event = {"specversion": "1.0", "id": subject, "source": "https://inbox.example", "type": "org.example.done",
                 "subject": subject}  # fmt: skip
        status, answer = hub.post("/in/inbox", json.dumps(event).encode(), headers)
        assert status in (200, 202), answer


def until(what: Callable[[], object], hub: HubProcess, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, hub.tail()
        time.sleep(0.05)


def sink(hub: HubProcess) -> dict[str, object]:
    (found,) = hub.get("/v1/sinks")["sinks"]
    return dict(found)


def test_events_reach_a_receiver_and_the_books_tell(start_hub: StartHub, receiver: Receiver) -> None:
    hub = start_hub(settings(receiver))
    names = [f"thing-{number}" for number in range(20)]
    publish(hub, bearer(hub), *names, "other-1")
    until(lambda: len(receiver.ids) == 20, hub)
    assert sorted(receiver.subjects) == sorted(names)
    until(lambda: sink(hub)["sent"] == 20, hub)
    told = sink(hub)
    assert (told["state"], told["lag"], told["open"], told["dead"]) == ("healthy", 0, 0, 0)
    assert told["to"] == receiver.url.removesuffix("/hook")
    (key,) = hub.get("/v1/keys")["keys"]
    assert key["whpk"].startswith("whpk_")


@pytest.mark.parametrize("point", ["delivery.before-send", "delivery.after-send"])
def test_a_hub_that_dies_while_it_sends_loses_nothing(point: str, start_hub: StartHub, receiver: Receiver) -> None:
    hub = start_hub(settings(receiver), environ={"FIREHOSE_CRASH": f"{point}:7"})
    names = [f"thing-{number}" for number in range(30)]
    headers = bearer(hub)
    assert hub.process is not None
    with suppress(OSError):
        for name in names:
            publish(hub, headers, name)
    assert hub.process.wait(30) == -signal.SIGKILL
    hub.start()
    publish(hub, headers, *names)
    until(lambda: set(receiver.subjects) == set(names), hub)
    counts = Counter(receiver.ids)
    assert len(counts) == 30
    # What was sent since the position was last saved is sent again, under the same id.
    assert max(counts.values()) <= 2


def test_a_receiver_that_says_410_and_one_that_was_away(start_hub: StartHub, receiver: Receiver) -> None:
    hub = start_hub(settings(receiver))
    headers = bearer(hub)
    receiver.status = 410
    publish(hub, headers, "thing-1")
    until(lambda: sink(hub)["state"] == "disabled", hub)
    publish(hub, headers, "thing-2")
    assert "410" in str(sink(hub)["why"])
    hub.stop()
    hub.start()
    until(lambda: sink(hub)["state"] == "disabled", hub)
    receiver.status = 200
    status, _ = hub.post("/v1/sinks/hook/enable", b"", headers)
    assert status == 200
    until(lambda: sorted(receiver.subjects) == ["thing-1", "thing-2"], hub)


def test_the_link_of_a_mail_asks_first_and_stops_when_posted(start_hub: StartHub, receiver: Receiver) -> None:
    hub = start_hub(settings(receiver))
    link = unsubscribe.link(signer(hub.data), hub.url, "hook", "ada@example.org")
    with urllib.request.urlopen(link) as answer:
        assert "Stop these mails?" in answer.read().decode()
    with urllib.request.urlopen(link) as answer:
        assert "Stop these mails?" in answer.read().decode()
    with urllib.request.urlopen(link, b"List-Unsubscribe=One-Click") as answer:
        assert "gets nothing more" in answer.read().decode()
    with urllib.request.urlopen(link) as answer:
        assert "Stopped" in answer.read().decode()
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(link[:-3])
    assert error.value.code == 404


def test_who_stopped_mails_by_a_link_gets_them_again_when_an_admin_says_so(
    start_hub: StartHub, receiver: Receiver
) -> None:
    hub = start_hub(settings(receiver))
    link = unsubscribe.link(signer(hub.data), hub.url, "hook", "ada@example.org")
    urllib.request.urlopen(link, b"List-Unsubscribe=One-Click").close()
    told = json.dumps({"address": "ada@example.org"}).encode()
    assert hub.post("/v1/sinks/hook/resume", told, {})[0] == 401
    headers = {"authorization": f"Bearer {hub.token('admin')}"}
    assert hub.post("/v1/sinks/other/resume", told, headers)[0] == 404
    assert hub.post("/v1/sinks/hook/resume", b'{"adress": "ada@example.org"}', headers)[0] == 400
    options = ["--hub", hub.url, "--token", hub.token("admin")]
    done = CliRunner().invoke(sinks_resume, ["hook", "ada@example.org", *options], catch_exceptions=False)
    assert json.loads(done.output) == {"name": "hook", "address": "ada@example.org", "resumed": True}
    with urllib.request.urlopen(link) as answer:
        assert "Stop these mails?" in answer.read().decode()
    assert hub.post("/v1/sinks/hook/resume", told, headers)[0] == 404
