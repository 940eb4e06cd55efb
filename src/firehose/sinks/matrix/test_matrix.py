"""Which room hears of an event, in which words, and what a homeserver's answers mean."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firehose.errors import Broken, FirehoseError, GiveUp, SlowDown, TryLater
from firehose.event import Event, Recorded, encode
from firehose.plumbing.clock import now
from firehose.sink import Message, Outlet, Tools
from firehose.sinks.matrix.matrix import LONGEST, SINK, MatrixSettings, content, linked

NOW = datetime(2026, 1, 2, tzinfo=UTC)
CHANNELS = "dev: {events: [change-merged], projects: [acme/widget], branches: [master]}"
CHANGE = {"project": "acme/widget", "branch": "master", "subject": "Count <twice>", "url": "https://r/1"}


def event(number: int = 1, project: str = "acme/widget", summary: str = "") -> Recorded:
    made = Event(
        id=str(number), source="https://r", type="t", kind="change.merged", subject=f"x~{number}", time=NOW,
        project=project, summary=summary or f"{number} merged", link=f"https://r/{number}",
        data=json.dumps({"type": "change-merged", "change": CHANGE | {"project": project}}).encode(),
    )  # fmt: skip
    return Recorded(number, NOW, encode("gerrit", made))


@pytest.fixture
def settings(tmp_path: Path) -> MatrixSettings:
    file = tmp_path / "channels.yaml"
    file.write_text(CHANNELS)
    rooms = {"#all:m.example": "", "!heat:m.example": "project:openstack/heat"}
    return MatrixSettings(
        kind="matrix", url="https://m.example", gerritbot=str(file), gerritbot_server="m.example", rooms=rooms
    )


def outlet(settings: MatrixSettings, name: str = "x") -> Outlet:
    return Outlet(name=name, kind=SINK, settings=settings, hub_url="https://hub")


def said(settings: MatrixSettings, lane: str, *events: Recorded) -> dict[str, str]:
    message = SINK.render(events, lane, outlet(settings))
    assert message is not None
    return dict(json.loads(message.body))


def test_a_room_hears_what_its_query_or_gerritbots_configuration_says(settings: MatrixSettings) -> None:
    assert list(SINK.lanes(event(), settings)) == ["#all:m.example", "#dev:m.example"]
    assert list(SINK.lanes(event(project="openstack/heat"), settings)) == ["#all:m.example", "!heat:m.example"]


def test_a_notice_is_text_and_html(settings: MatrixSettings) -> None:
    assert said(settings, "#all:m.example", event(summary="Zoë merged <b>it</b>")) == {
        "msgtype": "m.notice", "body": "Zoë merged <b>it</b>  https://r/1", "format": "org.matrix.custom.html",
        "formatted_body": '<a href="https://r/1">Zoë merged &lt;b&gt;it&lt;/b&gt;</a>',
    }  # fmt: skip
    old = said(settings, "#dev:m.example", event())
    assert old["body"] == "Merged acme/widget master: Count <twice>  https://r/1"
    assert old["formatted_body"] == '<a href="https://r/1">Merged acme/widget master: Count &lt;twice&gt;</a>'


def test_many_become_one_line_and_few_stay_lines_of_one_notice(settings: MatrixSettings) -> None:
    many = said(settings, "#all:m.example", *(event(number) for number in range(1, 13)))
    assert many["body"].startswith("12 changes merged in acme/widget  https://hub/search?kind=change.merged&")
    two = said(settings, "#all:m.example", event(1), event(2, project="b"))
    assert two["body"] == "1 merged  https://r/1\n2 merged  https://r/2"
    assert two["formatted_body"].count("<br>") == 1


def test_the_id_is_the_events_and_the_rooms(settings: MatrixSettings) -> None:
    def id_(name: str, lane: str, *numbers: int) -> str:
        return SINK.render([event(n) for n in numbers], lane, outlet(settings, name)).id  # type: ignore[union-attr]

    same = id_("x", "#all:m.example", 1, 2)
    assert same == id_("x", "#all:m.example", 1, 2)
    others = [id_("x", "#all:m.example", 1), id_("x", "#all:m.example", 1, 2, 3), id_("x", "#dev:m.example", 1, 2)]
    assert len({same, *others, id_("y", "#all:m.example", 1, 2)}) == 5


def test_only_web_addresses_are_links() -> None:
    assert linked("a  javascript:alert(1)") == "a  javascript:alert(1)"
    assert linked('a  https://r/"><img>') == '<a href="https://r/&quot;&gt;&lt;img&gt;">a</a>'


def test_what_is_too_long_loses_its_html_first_and_then_its_end() -> None:
    long = json.loads(content(["&" * 9_000] * 2))
    assert "formatted_body" not in long
    longer = content(['"' * 40_000])
    assert len(longer) <= LONGEST
    assert json.loads(longer)["body"].endswith("…")


@pytest.mark.parametrize(
    ("more", "named"),
    [({}, "needs rooms"), ({"rooms": {"dev": ""}}, "'dev'"), ({"rooms": {"#dev": ""}}, "'#dev'"),
     ({"rooms": {"#a:b": "knid:x"}}, "#a:b: "), ({"gerritbot": "/nowhere.yaml"}, "/nowhere.yaml"),
     ({"rooms": {"#a:b": ""}, "user": "bot"}, "user: 'bot'")],
)  # fmt: skip
def test_settings_that_cannot_work_say_why(more: dict[str, Any], named: str) -> None:
    assert named in SINK.check(MatrixSettings(kind="matrix", url="https://m.example", **more))


def test_gerritbots_channels_need_a_server(settings: MatrixSettings) -> None:
    assert SINK.check(settings) == ""
    bare = MatrixSettings(kind="matrix", url="https://m.example", gerritbot=settings.gerritbot)
    assert "gerritbot_server" in SINK.check(bare)


def tools(secret: bytes = b"token") -> Tools:
    return Tools(secret=lambda word: secret, sign=lambda words: b"", now=now)


@pytest.mark.parametrize(("url", "secret", "named"), [("ftp://m", b"x", "url"), ("https://m", b"", "secret_file")])
async def test_without_an_address_or_a_secret_the_operator_is_told(url: str, secret: bytes, named: str) -> None:
    with pytest.raises(Broken, match=named):
        SINK.connect(outlet(MatrixSettings(kind="matrix", url=url)), tools(secret))


@asynccontextmanager
async def answering(path: str, status: str, body: dict[str, object]) -> AsyncIterator[str]:
    """A homeserver that says what a real one does not on demand: `body` below `path`, consent elsewhere."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        found = path in asked
        fine = {"user_id": "@bot:m", "room_id": "!r:m", "event_id": "$1"}
        told = json.dumps(body if found else fine).encode()
        if "m.room.encryption" in asked and not found:
            status_, told = "404 Not Found", b'{"errcode":"M_NOT_FOUND","error":"none"}'
        else:
            status_ = status if found else "200 OK"
        head = (
            f"HTTP/1.1 {status_}\r\nContent-Type: application/json\r\nContent-Length: {len(told)}\r\nConnection: close"
        )
        writer.write(f"{head}\r\nLocation: http://127.0.0.1:9/\r\n\r\n".encode() + told)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


def problem(code: str, **more: object) -> dict[str, object]:
    return {"errcode": code, "error": "because", **more}


@pytest.mark.parametrize(
    ("path", "status", "body", "error", "words"),
    [
        ("/send/", "429 Too Many", problem("M_LIMIT_EXCEEDED", retry_after_ms=2_500), SlowDown, "M_LIMIT_EXCEEDED"),
        ("/send/", "429 Too Many", problem("M_LIMIT_EXCEEDED", retry_after_ms=1), SlowDown, "M_LIMIT_EXCEEDED"),
        ("/send/", "429 Too Many", {}, SlowDown, "429"),
        ("/send/", "413 Too Large", problem("M_TOO_LARGE"), GiveUp, "M_TOO_LARGE"),
        ("/send/", "403 Forbidden", problem("M_FORBIDDEN"), TryLater, "because"),
        ("/send/", "502 Bad Gateway", {}, TryLater, "502"),
        ("/send/", "307 Redirect", {}, TryLater, "307"),
        ("/join/", "403 Forbidden", problem("M_FORBIDDEN"), TryLater, "does not let us in"),
        ("m.room.encryption", "200 OK", {"algorithm": "m.megolm.v1.aes-sha2"}, GiveUp, "encrypted"),
        ("/whoami", "401 Unauthorized", problem("M_UNKNOWN_TOKEN"), TryLater, "token any more"),
    ],
)
async def test_what_a_homeservers_answers_mean(
    path: str, status: str, body: dict[str, object], error: type[FirehoseError], words: str
) -> None:
    async with answering(path, status, body) as url:
        transport = SINK.connect(outlet(MatrixSettings(kind="matrix", url=url)), tools())
        message = Message(id="1", to="!r:m", body=content(["hello"]))
        with pytest.raises(error, match=words) as raised:
            await transport.send(message)
        await transport.close()
    if body.get("retry_after_ms"):
        assert isinstance(raised.value, SlowDown)
        assert raised.value.after == max(1.0, float(str(body["retry_after_ms"])) / 1_000)
