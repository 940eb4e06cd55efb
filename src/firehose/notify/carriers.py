"""The ways to a person: each carries a note to a place and says what came of it.

In: a place, a note. Out: the receiver's word, or `TryLater`, `GiveUp` (never), `Gone` (the place is no more). Mail and
IRC go by servers that the operator named; webhooks, push services and Apprise services are named by people, so those
requests leave through the checked door, or to services at fixed public hosts only. It knows no rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from html import escape
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from firehose.errors import Broken, GiveUp, Gone, SlowDown, TryLater
from firehose.event import line
from firehose.mail import POLICY
from firehose.notify import words
from firehose.notify.rules import Place
from firehose.notify.words import Note
from firehose.plumbing import smtp
from firehose.plumbing.http import Client, Limits
from firehose.plumbing.irc import Network, Server
from firehose.plumbing.signing import Signer
from firehose.plumbing.webpush import Subscription, Vapid
from firehose.settings import Notify, secret
from firehose.sinks.webhook import signing

_LIMITS: Final = Limits(connect=10, read=20, total=30, answer=64 * 1024)
JSON: Final = "application/json"


class Carriers:
    """Every way that this hub has. hub: its name and address."""

    def __init__(self, settings: Notify, hub: tuple[str, str], sign: Signer, vapid: Vapid, now: Callable[[], datetime]):
        self._settings = settings
        self._hub = hub
        self._sign = sign
        self._vapid = vapid
        self._now = now
        allow = ("0.0.0.0/0", "::/0") if settings.allow_private else settings.allow
        self._client = Client(allow, limits=_LIMITS)
        self._network = _network(settings)
        if settings.mail.url:
            smtp.check(settings.mail.url)
            if not parseaddr(settings.mail.sender)[1].isascii():
                raise Broken("notify.mail.sender: an address has ASCII letters only (no SMTPUTF8)", code=2)
            secret(settings.mail)  # one that cannot be read is told at the start

    def kinds(self) -> list[str]:
        """The kinds of places that can be reached."""
        found = ["page", "push", "webhook"]
        found += ["email"] if self._settings.mail.url else []
        found += ["irc"] if self._settings.irc.host else []
        return found + (["apprise"] if self._settings.apprise and _apprise() is not None else [])

    def problem(self, place: Place) -> str:
        """Why a place cannot be reached from here, "" when it can. Asked before it is kept."""
        if place.kind not in self.kinds():
            return f"this hub cannot send by {place.kind}; its operator sets that up in [notify]"
        if place.kind == "apprise":
            return apprise_problem(place.to, self._settings.apprise)
        if place.kind == "webhook" and place.secret:
            try:
                signing.key(place.secret.encode())
            except Broken as error:
                return error.detail
        return ""

    async def send(self, place: Place, note: Note) -> str:
        """One try."""
        try:
            return await self._send(place, note)
        except SlowDown as error:
            raise TryLater(error.detail, after=error.after) from None

    async def _send(self, place: Place, note: Note) -> str:
        match place.kind:
            case "page":
                return "kept for their page"
            case "email":
                return await self._mail(place, note)
            case "irc" if self._network is not None:
                return await self._network.say(place.to, words.lines(note))
            case "webhook":
                return await self._hook(place, note)
            case "push":
                return await self._push(place, note)
            case "apprise":
                return await self._apprise(place, note)
            case _:
                raise GiveUp(f"this hub has no way to send by {place.kind} any more")

    async def run(self) -> None:
        """Hold the connection to IRC, if there is one."""
        if self._network is not None:
            await self._network.run()

    async def close(self) -> None:
        """Let go of every connection."""
        await self._client.close()
        if self._network is not None:
            await self._network.close()

    async def _mail(self, place: Place, note: Note) -> str:
        own = self._settings.mail
        server = smtp.Server(own.url, own.starttls, own.user, secret(own).decode())
        whole = mail(place, note, own.sender, self._hub, self._now())
        return await smtp.send(server, parseaddr(own.sender)[1], place.to, whole)

    async def _hook(self, place: Place, note: Note) -> str:
        body = msgspec.json.encode({
            "id": note.id, "title": note.title, "count": note.count, "events": note.items, "because": note.because,
            "why": note.why, "stop": note.stop,
        })  # fmt: skip
        keys = [signing.key(place.secret.encode())] if place.secret else []
        stamp = int(self._now().timestamp())
        signed = signing.headers(f"msg_{note.id}", stamp, body, keys, self._sign.sign)
        return await self._post(place.to, {"content-type": JSON, **signed}, body)

    async def _push(self, place: Place, note: Note) -> str:
        keys = msgspec.json.decode(place.secret, type=dict[str, str])
        subscription = Subscription(endpoint=place.to, p256dh=keys["p256dh"], auth=keys["auth"])
        text = {
            "title": note.title[:120], "body": note.because, "url": note.items[0].page if note.items else note.why,
            "why": note.why, "tag": note.thread or note.id, "id": note.id,
        }  # fmt: skip
        request = self._vapid.request(subscription, msgspec.json.encode(text), self._now())
        return await self._post(place.to, request.headers, request.body)

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> str:
        answer = await self._client.request("POST", url, headers, body)
        if 200 <= answer.status < 300:
            return str(answer.status)
        said = f"answered {answer.status}"
        if answer.status in (404, 410):
            raise Gone(f"{said}: nobody is there any more")
        if answer.status in (400, 401, 403, 413) and urlsplit(url).scheme == "https" and "ttl" in headers:
            raise GiveUp(f"the push service {said}: {line(answer.body[:200].decode('utf-8', 'replace'))}")
        wished = answer.headers.get("retry-after", "")
        raise TryLater(said, after=float(wished) if re.fullmatch(r"[0-9]{1,6}", wished) else 0.0)

    async def _apprise(self, place: Place, note: Note) -> str:
        apprise = _apprise()
        if apprise is None or apprise_problem(place.to, self._settings.apprise):
            raise GiveUp("this hub does not send to that service any more")
        service = apprise.Apprise.instantiate(place.to)
        if service is None:
            raise GiveUp("the address is no URL that Apprise knows")
        if not await service.async_notify(title=note.title, body=words.plain(note)):
            raise TryLater("the service did not take it")
        return "notified"


def mail(place: Place, note: Note, sender: str, hub: tuple[str, str], now: datetime) -> bytes:
    """A note as a mail: text and HTML, threaded by the thing it is about, stopped by one click (RFC 8058)."""
    host = urlsplit(hub[1]).hostname or "firehose.invalid"
    whole = EmailMessage(policy=POLICY)
    whole["Date"] = format_datetime(now)
    whole["From"] = sender
    whole["To"] = place.to
    whole["Subject"] = note.title
    whole["Message-ID"] = f"<{note.id}@{host}>"
    if note.thread:
        whole["References"] = whole["In-Reply-To"] = f"<thread.{note.thread}@{host}>"
    whole["List-Id"] = f"{line(hub[0])} <notify.{host}>"
    whole["Auto-Submitted"] = "auto-generated"
    if note.stop:
        whole["List-Unsubscribe"] = f"<{note.stop}>"
        if note.stop.startswith("https://"):
            whole["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    whole.set_content(words.plain(note))
    rows = [
        f'<p><a href="{escape(one.link)}">{escape(one.text)}</a><br><small>{escape(one.time)} · {escape(one.kind)} · '
        f'{escape(one.project)} · <a href="{escape(one.page)}">event</a></small></p>'
        for one in note.items
    ]
    if note.count > len(note.items):
        rows.append(f"<p>and {note.count - len(note.items)} more</p>")
    end = f'<hr><p><small>{escape(note.because)} <a href="{escape(note.why)}">Why, less, or stop</a>.</small></p>'
    whole.add_alternative(f"<html><body>{''.join(rows)}{end}</body></html>\n", subtype="html")
    whole.set_boundary(f"=_{note.id}")
    return whole.as_bytes()


def apprise_problem(url: str, services: tuple[str, ...]) -> str:
    """Why an Apprise URL is not taken: another service than the operator lets people use, or one whose host is in the
    URL, which could be any machine inside."""
    scheme = url.partition("://")[0].lower()
    if scheme not in services:
        return f"{scheme[:20]!r} is not one of this hub's Apprise services: {', '.join(services)}"
    apprise = _apprise()
    service = apprise.Apprise.instantiate(url) if apprise is not None else None
    if service is None:
        return "that is no URL that Apprise understands"
    if any("{host}" in template for template in service.templates):
        return f"{scheme} sends to a host of your choice; use a webhook, whose address the hub can check"
    return ""


def _apprise() -> Any:
    try:
        import apprise
    except ImportError:
        return None
    return apprise


def _network(settings: Notify) -> Network | None:
    own = settings.irc
    if not own.host:
        return None
    return Network(
        Server(host=own.host, port=own.port, tls=own.tls, ca_file=own.ca_file, nick=own.nick, account=own.account,
               password=secret(own).decode(), pace=own.pace, most=1)
    )  # fmt: skip
