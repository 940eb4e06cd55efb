"""The ways to a person, to real receivers: mail, webhook, a push service that can decrypt, IRC; and what is refused."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import http_ece  # type: ignore[import-untyped]
import msgspec
import pytest
from aiohttp import web
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from standardwebhooks import Webhook
from tests.servers.certificates import Authority
from tests.servers.ngircd import Irc

from firehose.bus.engine import free_port
from firehose.errors import Broken, GiveUp, Gone, TryLater
from firehose.notify.carriers import Carriers, apprise_problem, mail
from firehose.notify.rules import Place
from firehose.notify.words import Item, Note, lines
from firehose.plumbing.http import Client
from firehose.plumbing.signing import Signer
from firehose.plumbing.webpush import Vapid, text
from firehose.settings import Notify

HUB = ("Firehose", "https://hub.example.org")
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ITEM = Item(time="2026-03-01 12:00 UTC", kind="change.merged", project="nova", text="Zoë merged <b>it</b>",
            link="https://review.example/7", page="https://hub.example.org/events/7")  # fmt: skip
NOTE = Note(id="a" * 32, title="[nova] Zoë merged <b>it</b>", items=(ITEM,), count=1, thread="t1",
            because="Firehose tells you because of the rule “Mine”.", why="https://hub.example.org/notify/why/w",
            stop="https://hub.example.org/v1/notify/stop/w")  # fmt: skip


class Far:
    """An HTTPS server somewhere: keeps what comes, answers as it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 201
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.got.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return web.Response(status=self.status, headers={"retry-after": "7"} if self.status == 429 else {})


@pytest.fixture
async def far(tmp_path: Path) -> AsyncIterator[tuple[Far, ssl.SSLContext]]:
    found = Far()
    issued = Authority(tmp_path / "ca").issue("push", "localhost")
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(issued.authority))
    server.load_cert_chain(issued.certificate, issued.key)
    application = web.Application()
    application.router.add_post("/{rest:.*}", found.take)
    runner = web.AppRunner(application)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=server).start()
    found.url = f"https://localhost:{port}/send/abc"
    yield found, client
    await runner.cleanup()


def clock() -> datetime:
    """The real time: a receiver checks how old a signature is."""
    return datetime.now(UTC)  # noqa: TID251


def made(folder: Path, context: ssl.SSLContext | None = None, **settings: Any) -> Carriers:
    sign = Signer(folder / "webhook.key")
    found = Carriers(msgspec.convert(settings, Notify), HUB, sign, Vapid(folder / "v.pem", "mailto:a@b.c"), clock)
    if context is not None:
        found._client = Client(("localhost",), context=context)
    return found


def browser(url: str) -> tuple[ec.EllipticCurvePrivateKey, bytes, Place]:
    key, secret = ec.generate_private_key(ec.SECP256R1()), b"sixteen bytes !!"
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    keys = json.dumps({"p256dh": text(point), "auth": text(secret)})
    return key, secret, Place(id="p", owner="ada", kind="push", to=url, secret=keys)


async def test_a_push_service_gets_what_only_the_browser_can_read(
    far: tuple[Far, ssl.SSLContext], tmp_path: Path
) -> None:
    service, context = far
    key, secret, place = browser(service.url)
    ways = made(tmp_path, context)
    assert await ways.send(place, NOTE) == "201"
    ((headers, body),) = service.got
    assert headers["authorization"].startswith("vapid t=")
    assert headers["ttl"] == "86400"
    said = json.loads(http_ece.decrypt(body, private_key=key, auth_secret=secret, version="aes128gcm"))
    assert said["title"] == NOTE.title
    assert (said["url"], said["why"], said["tag"]) == (ITEM.page, NOTE.why, "t1")
    for status, error in ((410, Gone), (404, Gone), (429, TryLater), (503, TryLater), (403, GiveUp)):
        service.status = status
        with pytest.raises(error):
            await ways.send(place, NOTE)
    await ways.close()


async def test_a_push_endpoint_on_the_inside_is_not_asked(far: tuple[Far, ssl.SSLContext], tmp_path: Path) -> None:
    service, _ = far
    ways = made(tmp_path)
    for url in (service.url, "https://169.254.169.254/latest", "https://[::1]:8080/", "https://10.0.0.1/x"):
        with pytest.raises(GiveUp, match="no request goes there"):
            await ways.send(browser(url)[2], NOTE)
    assert service.got == []
    await ways.close()


async def test_a_webhook_is_signed_with_its_own_secret(far: tuple[Far, ssl.SSLContext], tmp_path: Path) -> None:
    receiver, context = far
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    ways = made(tmp_path, context)
    place = Place(id="p", owner="ada", kind="webhook", to=receiver.url, secret=secret)
    assert ways.problem(place) == ""
    await ways.send(place, NOTE)
    ((headers, body),) = receiver.got
    said = Webhook(secret).verify(body, headers)
    assert (said["because"], said["why"], said["events"][0]["link"]) == (NOTE.because, NOTE.why, ITEM.link)
    assert headers["webhook-id"] == f"msg_{NOTE.id}"
    assert "whsec_" in ways.problem(msgspec.structs.replace(place, secret="short"))
    await ways.close()


def test_a_mail_says_why_threads_and_stops_by_one_click() -> None:
    place = Place(id="p", owner="ada", kind="email", to="ada@example.org")
    found = message_from_bytes(mail(place, NOTE, "Hub <hub@example.org>", HUB, NOW), policy=default)
    assert (found["To"], found["Subject"]) == ("ada@example.org", NOTE.title)
    assert found["References"] == "<thread.t1@hub.example.org>"
    assert (found["List-Unsubscribe"], found["List-Unsubscribe-Post"]) == (
        f"<{NOTE.stop}>",
        "List-Unsubscribe=One-Click",
    )
    plain, page = found.get_body(("plain",)), found.get_body(("html",))  # type: ignore[attr-defined]
    assert NOTE.because in plain.get_content()
    assert NOTE.why in plain.get_content()
    assert "<b>it" not in page.get_content()
    assert f'href="{NOTE.why}"' in page.get_content()


def test_links_and_ids_of_a_mail_leave_letter_by_letter_however_long() -> None:
    host = "events-and-notifications.of-the-whole-infrastructure.opendev.example.org"
    stop = f"https://{host}/v1/notify/stop/0123456789ab-12-{'+'.join(['fedcba987654'] * 5)}-{'a' * 24}"
    place = Place(id="p", owner="ada", kind="email", to="ada@example.org")
    note = msgspec.structs.replace(NOTE, stop=stop)
    whole = mail(place, note, "Hub <hub@example.org>", ("Firehose", f"https://{host}"), NOW)
    head = whole.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert f"List-Unsubscribe: <{stop}>".encode() in head
    assert f"List-Id: Firehose <notify.{host}>".encode() in head
    assert f"Message-ID: <{NOTE.id}@{host}>".encode() in head
    assert f"References: <thread.t1@{host}>".encode() in head
    assert f"In-Reply-To: <thread.t1@{host}>".encode() in head


async def test_what_no_mail_server_can_be_given_is_given_up_and_a_wrong_one_is_told_at_the_start(
    tmp_path: Path,
) -> None:
    controller = Controller(Sink(), hostname="127.0.0.1", port=free_port())
    controller.start()
    ways = made(tmp_path, mail={"url": f"smtp://127.0.0.1:{controller.port}", "sender": "hub@example.org"})
    place = Place(id="p", owner="ada", kind="email", to="jürgen@example.org")
    with pytest.raises(GiveUp, match="no mail server can be given it"):
        await ways.send(place, NOTE)
    assert await ways.send(msgspec.structs.replace(place, to="juergen@example.org"), NOTE) == "accepted"
    controller.stop()
    for url, said in (
        ("smtp://127.0.0.1:abc", "a port that is none"), ("smtp://127.0.0.1:99999", "a port that is none"),
        ("smtp://[::1", "a port that is none"), ("smtp://h:0", "a port that is none"),
        ("http://h", "is not smtps?:// or smtps?:// with a host"), ("smtp://me:s3cret@h", "it has a login in it"),
    ):  # fmt: skip
        with pytest.raises(Broken, match=f"url: .*{said}") as caught:
            made(tmp_path, mail={"url": url, "sender": "hub@example.org"})
        assert "s3cret" not in caught.value.detail
    with pytest.raises(Broken, match="sender"):
        made(tmp_path, mail={"url": "smtp://127.0.0.1", "sender": "hüb@example.org"})


def test_lines_of_chat_say_why_in_the_last() -> None:
    assert lines(NOTE) == [
        "Zoë merged <b>it</b>  https://review.example/7",
        "(Firehose tells you because of the rule “Mine”. Less or stop: https://hub.example.org/notify/why/w)",
    ]


def test_what_this_hub_cannot_send_by_is_said_before_it_is_kept(tmp_path: Path) -> None:
    ways = made(tmp_path, apprise=())
    assert ways.kinds() == ["page", "push", "webhook"]
    assert "[notify]" in ways.problem(Place(id="p", owner="a", kind="email", to="a@example.org"))


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
def test_apprise_takes_the_operators_services_and_none_with_a_host_of_ones_choice() -> None:
    pytest.importorskip("apprise")
    allowed = ("discord", "json", "slack")
    assert apprise_problem("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", allowed) == ""
    assert "host of your choice" in apprise_problem("json://127.0.0.1/admin", allowed)
    assert "not one of" in apprise_problem("syslog://", allowed)
    assert "not one of" in apprise_problem("windows://", allowed)
    assert "understands" in apprise_problem("slack://x", allowed)


async def test_a_nick_is_told_by_private_message(irc_port: int, tmp_path: Path) -> None:
    ada = await asyncio.to_thread(Irc, irc_port, "ada")
    await asyncio.to_thread(ada.hear, " 001 ")
    ways = made(
        tmp_path, irc={"host": "127.0.0.1", "port": irc_port, "tls": False, "pace": 0.0, "nick": "firehose-tells"}
    )
    holding = asyncio.get_running_loop().create_task(ways.run())
    # ngircd takes nine letters; ours are cut to that.
    assert await ways.send(Place(id="p", owner="ada", kind="irc", to="ada"), NOTE) == "2 lines"
    heard = await asyncio.to_thread(ada.hear, "PRIVMSG ada :Zoë merged", f"Less or stop: {NOTE.why}")
    assert heard.count("PRIVMSG ada") == 2
    holding.cancel()
    await ways.close()
    ada.socket.close()
