"""Which channel hears of an event, and in which words."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firehose.event import Event, Recorded, encode
from firehose.sink import Outlet
from firehose.sinks.irc.irc import SINK, IrcSettings

NOW = datetime(2026, 1, 2, tzinfo=UTC)
CHANNELS = "dev: {events: [change-merged], projects: [acme/widget], branches: [master]}"
CHANGE = {"project": "acme/widget", "branch": "master", "subject": "Count twice", "url": "https://r/1"}


def event(number: int = 1, project: str = "acme/widget", kind: str = "change.merged") -> Recorded:
    made = Event(
        id=str(number), source="https://r", type="t", kind=kind, subject=f"x~{number}", time=NOW, project=project,
        summary=f"{number} merged", link=f"https://r/{number}",
        data=json.dumps({"type": "change-merged", "change": CHANGE | {"project": project}}).encode(),
    )  # fmt: skip
    return Recorded(number, NOW, encode("gerrit", made))


@pytest.fixture
def settings(tmp_path: Path) -> IrcSettings:
    file = tmp_path / "channels.yaml"
    file.write_text(CHANNELS)
    return IrcSettings(
        kind="irc", host="irc.example", gerritbot=str(file), channels={"#all": "", "#heat": "project:openstack/heat"}
    )


def said(settings: IrcSettings, lane: str, *events: Recorded) -> list[str]:
    outlet = Outlet(name="x", kind=SINK, settings=settings, hub_url="https://hub")
    message = SINK.render(events, lane, outlet)
    return message.body.decode().split("\n") if message else []


def test_a_channel_hears_what_its_query_or_gerritbots_configuration_says(settings: IrcSettings) -> None:
    assert list(SINK.lanes(event(), settings)) == ["#all", "#dev"]
    assert list(SINK.lanes(event(project="openstack/heat"), settings)) == ["#all", "#heat"]


def test_the_words_are_the_events_own_or_gerritbots(settings: IrcSettings) -> None:
    assert said(settings, "#all", event()) == ["1 merged  https://r/1"]
    assert said(settings, "#dev", event()) == ["Merged acme/widget master: Count twice  https://r/1"]


@pytest.mark.parametrize("lane", ["#all", "#dev"])
def test_many_become_one_line(settings: IrcSettings, lane: str) -> None:
    (line,) = said(settings, lane, *(event(number) for number in range(1, 13)))
    assert line.startswith("12 changes merged in acme/widget  https://hub/search?")


@pytest.mark.parametrize(
    ("more", "named"),
    [({}, "needs channels"), ({"channels": {"dev": ""}}, "'#'"), ({"channels": {"#a": "knid:x"}}, "#a: "),
     ({"gerritbot": "/nowhere.yaml"}, "/nowhere.yaml")],
)  # fmt: skip
def test_settings_that_cannot_work_say_why(more: dict[str, object], named: str) -> None:
    assert named in SINK.check(IrcSettings(kind="irc", host="irc.example", **more))  # type: ignore[arg-type]
