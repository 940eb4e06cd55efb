"""Mailing lists: what a mail means that a list sent. A new thread is `thread.created`, an answer `comment.added`.

In: a message as IMAP gave it, or what HyperKitty's archive says of one (`archive.py`). Out: one event with the thread
as its subject, so that a discussion is one graph; `Ignored` for mail without a `List-Id`, and for lists that the
settings do not name. People are names, never addresses; the payload is JSON made of the message's headers and its first
plain text. Both ways give the same id and subject.
"""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any, Final

import msgspec

from firehose import source, subject
from firehose.event import Event, fingerprint, line
from firehose.mail import date, header, plain_text
from firehose.sources.mailinglist import archive
from firehose.sources.mailinglist.archive import Told, mark_of, thread_of
from firehose.wild import decode

KINDS: Final = {"mail.new": "thread.created", "mail.reply": "comment.added"}
IGNORED: Final = {
    "mail.no-list": "no mailing list sent it: it has no List-Id",
    "mail.other-list": "a list that the setting `lists` does not name",
}
MOST_TEXT: Final = 100_000
_IDS: Final = re.compile(r"<([^<>\s]{1,300})>")
_PREFIX: Final = re.compile(r"^(?:(?:re|aw|fwd?)\s*:\s*|\[[^\]]{0,60}\]\s*)+", re.IGNORECASE)


class Settings(source.Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """imap, imap_user, imap_secret_file, imap_secret_env, imap_folder, imap_tls: the mailbox (`host` or
    `host:port`; `implicit`, `starttls` or `none`). imap_ca_file: the authorities of the mail server, "" for the
    system's. idle: seconds that one IDLE lasts.

    lists: List-Id -> project, "" for none; without it all lists of the mailbox count. archive: HyperKitty's address, to
    read the `lists` from there instead, every `every` seconds.
    """

    archive: str = ""
    every: float = 120.0

    imap: str = ""
    imap_user: str = ""
    imap_secret_file: str = ""
    imap_secret_env: str = ""
    imap_folder: str = "INBOX"
    imap_tls: source.Tls = "implicit"
    imap_ca_file: str = ""
    idle: float = 300.0
    lists: dict[str, str] = msgspec.field(default_factory=dict)


def holds(settings: Settings) -> source.Hold | None:
    """The mailbox, or the archive."""
    if settings.imap:
        return source.Mailbox(
            settings.imap, settings.imap_user, folder=settings.imap_folder, tls=settings.imap_tls,
            ca_file=settings.imap_ca_file, idle=settings.idle,
        )  # fmt: skip
    if settings.archive:
        return source.Poll(max(settings.every, 1.0), archive.requests(settings.archive, sorted(settings.lists)))
    return None


def read(delivery: source.Delivery, settings: Settings) -> source.Verdict:
    """What a mail means."""
    if not delivery.headers.get("content-type", "").startswith(source.MAIL) and delivery.body.startswith(b"{"):
        return _archived(delivery, settings)
    mail = message_from_bytes(delivery.body, _class=EmailMessage, policy=policy.default)
    ids = _IDS.findall(header(mail, "List-Id")) or header(mail, "List-Id").split()[-1:]
    if not ids:
        return source.Ignored("mail.no-list")
    name = ids[0].lower()
    if settings.lists and name not in settings.lists:
        return source.Ignored("mail.other-list")
    own = (_IDS.findall(header(mail, "Message-ID")) or [fingerprint(delivery.body)])[0]
    above = _IDS.findall(header(mail, "References")) + _IDS.findall(header(mail, "In-Reply-To"))
    # The first reference is the mail that the discussion began with.
    thread = above[0] if above else own
    title = header(mail, "Subject")
    text = plain_text(mail, MOST_TEXT)
    told = Told(
        name, own, thread_of(thread), mark_of(above[-1]) if above else "", title, _person(header(mail, "From")),
        date(mail) or delivery.received, _link(mail),
    )  # fmt: skip
    data = {"list": name, "message-id": own, "thread": thread, "subject": title, "from": told.author,
            "date": header(mail, "Date"), "body": text}  # fmt: skip
    return [_event(told, delivery, settings, data)]


def _archived(delivery: source.Delivery, settings: Settings) -> source.Verdict:
    told = archive.read(decode(delivery.body), delivery.received)
    if settings.lists and told.name not in settings.lists:
        return source.Ignored("mail.other-list")
    told = msgspec.structs.replace(told, author=_person(told.author))
    data = {"list": told.name, "message-id": told.own, "subject": told.title, "from": told.author,
            "date": told.time, "archive": told.link}  # fmt: skip
    return [_event(told, delivery, settings, data)]


def _event(told: Told, delivery: source.Delivery, settings: Settings, data: dict[str, Any]) -> Event:
    title = line(_PREFIX.sub("", told.title), 200) or "(no subject)"
    done = "answered" if told.answers else "wrote"
    return Event(
        id=fingerprint(told.own),
        source=settings.url.rstrip("/") or f"urn:firehose:{delivery.source}",
        type=f"org.infra-firehose.mailinglist.{'reply' if told.answers else 'new'}",
        kind="comment.added" if told.answers else "thread.created",
        subject=told.thread,
        time=told.time,
        project=settings.lists.get(told.name, ""),
        actor=told.author,
        summary=f"{told.author or 'somebody'} {done} on {told.name.partition('.')[0]}: {title}",
        link=told.link,
        refs=(f"list/{subject.escape(told.name)}", *((told.answers,) if told.answers else ())),
        data=msgspec.json.encode(data),
        text=f"{title} {data.get('body', '')}",
    )


def _person(written: str) -> str:
    """The sender's name; lists write `Mira Novak via devel`."""
    name = (parseaddr(written)[0] or ("" if "<" in written else written)).partition(" via ")[0].strip().strip("'\"")
    return "" if "@" in name else line(name, 80)


def _link(mail: EmailMessage) -> str:
    found = header(mail, "Archived-At").strip("<> ")
    return found if found.startswith(("https://", "http://")) and found.isprintable() and " " not in found else ""


def native_kind(_delivery: source.Delivery) -> str:
    """Mail has no kinds of its own."""
    return "mail"


SOURCE: Final = source.SourceKind(
    name="mailinglist",
    title="Mailing lists",
    family="people",
    settings=Settings,
    read=read,
    kinds=KINDS,
    ignored=IGNORED,
    native_kind=native_kind,
    holds=holds,
    recovered=archive.recovered,
    more=archive.more,
    step=archive.step,
)
