"""From a producer through a real hub to rooms of a real Synapse, read back by another account."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.delivery.test_kill import bearer, publish, sink, until
from tests.servers.synapse import Synapse

from firehose.testing import HubProcess, StartHub

pytestmark = pytest.mark.timeout(240)
SETTINGS = """
[sources.inbox]
kind = "inbox"
url = "https://inbox.example"
[sinks.chat]
kind = "matrix"
url = "{url}"
since = "earliest"
{login}
[sinks.chat.rooms]
"{room}" = "subject:thing-*"
"""


def settings(server: Synapse, room: str, login: str) -> str:
    return SETTINGS.format(url=server.url, room=room, login=login)


@pytest.mark.parametrize("way", ["token", "password"])
def test_a_room_is_told_in_notices_with_links(synapse: Synapse, start_hub: StartHub, tmp_path: Path, way: str) -> None:
    ada, bot = synapse.register("ada"), synapse.register("bot", "s3cret")
    room, alias = ada.room()
    secret = tmp_path / "secret"
    secret.write_text(bot.token if way == "token" else "s3cret")
    login = f'secret_file = "{secret}"' + (f'\nuser = "{bot.user}"' if way == "password" else "")
    hub = start_hub(settings(synapse, room if way == "token" else alias, login))
    publish(hub, bearer(hub), "thing-1", "other-1")
    (said,) = ada.hear(room, 1)
    until(lambda: numbers(hub), hub)
    page = f"{hub.url}/events/{numbers(hub)[0]}"
    assert said["sender"] == bot.user
    assert (said["msgtype"], said["format"]) == ("m.notice", "org.matrix.custom.html")
    assert said["body"].endswith(f"thing-1  {page}")
    assert said["formatted_body"].startswith(f'<a href="{page}">')
    until(lambda: sink(hub)["sent"] == 1, hub)
    assert sink(hub)["state"] == "healthy"


@pytest.mark.parametrize("point", ["delivery.before-send", "delivery.after-send"])
def test_a_hub_that_dies_while_it_speaks_says_all_and_nothing_twice(
    point: str, synapse: Synapse, start_hub: StartHub, tmp_path: Path
) -> None:
    ada, bot = synapse.register("ada"), synapse.register("bot", "s3cret")
    room, alias = ada.room()
    (tmp_path / "secret").write_text("s3cret")
    hub = start_hub(
        settings(synapse, alias, f'secret_file = "{tmp_path}/secret"\nuser = "{bot.user}"'),
        environ={"FIREHOSE_CRASH": f"{point}:3"},
    )
    names = [f"thing-{number}-" for number in range(60)]
    headers = bearer(hub)
    assert hub.process is not None
    with suppress(OSError):
        for name in names:
            publish(hub, headers, name)
    assert hub.process.wait(30) == -signal.SIGKILL
    hub.start()
    publish(hub, headers, *names)
    events = settled(hub, 60)
    lines = [line for notice in ada.notices(room) for line in notice["body"].split("\n")]
    assert sorted(number for line in lines for number in told(line, events)) == sorted(events)


def numbers(hub: HubProcess) -> list[str]:
    """The events that the history has, oldest first."""
    found = hub.get("/v1/events?q=subject:thing-*&limit=100&order=asc")["events"]
    return [event["sequence"] for event in found]


def settled(hub: HubProcess, count: int) -> list[str]:
    """The events, once the history has so many and the sink is done with all of them."""
    until(lambda: len(numbers(hub)) == count, hub)
    events = numbers(hub)
    until(lambda: sink(hub)["cursor"] >= int(events[-1]) and not sink(hub)["open"], hub, 120)  # type: ignore[operator]
    return events


def told(line: str, events: list[str]) -> list[str]:
    """The events that a line speaks of: the one whose page it links to, or those of the search that it links to."""
    url = urlsplit(line.rpartition("  ")[2])
    if url.path.startswith("/events/"):
        return [url.path.removeprefix("/events/")]
    asked = dict(parse_qsl(url.query))
    found = [number for number in events if asked["since"] <= number < asked["until"]]
    assert line.startswith(f"{len(found)} ")
    return found


def test_a_homeserver_that_wants_pauses_and_goes_away_hears_all_in_order(
    strict_synapse: Synapse, start_hub: StartHub, tmp_path: Path
) -> None:
    synapse = strict_synapse
    synapse.start()
    ada, bot = synapse.register("ada"), synapse.register("bot")
    rooms = [ada.room()[0] for _ in range(3)]
    synapse.stop()
    (tmp_path / "secret").write_text(bot.token)
    hub = start_hub(
        settings(synapse, rooms[0], f'secret_file = "{tmp_path}/secret"')
        + f'"{rooms[1]}" = "subject:thing-*"\n"{rooms[2]}" = "subject:thing-*"\n'
    )
    headers = bearer(hub)
    publish(hub, headers, "thing-1", "thing-2")
    until(lambda: sink(hub)["failed"], hub)
    synapse.start()
    # It is looked for, so what waits does not wait for its next try in five minutes.
    for room in rooms:
        ada.hear(room, 1)
    publish(hub, headers, "thing-3", "thing-4", "thing-5")
    events = settled(hub, 5)
    for room in rooms:
        lines = [line for notice in ada.notices(room) for line in notice["body"].split("\n")]
        assert [number for line in lines for number in told(line, events)] == events
    assert "M_LIMIT_EXCEEDED" in hub.log.read_text() or "M_LIMIT_EXCEEDED" in str(sink(hub)["trouble"])
    assert sink(hub)["dead"] == 0
