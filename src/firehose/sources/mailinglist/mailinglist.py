"""Mailing lists: what a mail means that a list sent. A new thread is `thread.created`, an answer `comment.added`.

In: a message as IMAP gave it. Out: one event with the thread as its subject, so that a discussion is one graph;
`Ignored` for mail without a `List-Id`, and for lists that the settings do not name. People are names, never addresses;
the payload is JSON made of the message's headers and its first plain text.
"""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Final

import msgspec

from firehose import source, subject
from firehose.event import Event, fingerprint, line
from firehose.mail import date, header, plain_text

KINDS: Final = {"mail.new": "thread.created", "mail.reply": "comment.added"}
IGNORED: Final = {
    "mail.no-list": "no mailing list sent it: it has no List-Id",
    "mail.other-list": "a list that the setting `lists` does not name",
}
MOST_TEXT: Final = 100_000
_IDS: Final = re.compile(r"<([^<>\s]{1,300})>")
_PREFIX: Final = re.compile(r"^(?:(?:re|aw|fwd?)\s*:\s*|\[[^\]]{0,60}\]\s*)+", re.IGNORECASE)


class Settings(source.Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """imap, imap_user, imap_secret_file, imap_secret_env, imap_folder, imap_tls: the mailbox (`host:port`; `implicit`,
    `starttls` or `none`). idle: seconds that one IDLE lasts.

    lists: List-Id -> project, "" for none; without it all lists count.
    """

    imap: str = ""
    imap_user: str = ""
    imap_secret_file: str = ""
    imap_secret_env: str = ""
    imap_folder: str = "INBOX"
    imap_tls: str = "implicit"
    idle: float = 300.0
    lists: dict[str, str] = msgspec.field(default_factory=dict)


def holds(settings: Settings) -> source.Mailbox | None:
    """The mailbox, if there is one."""
    if not settings.imap:
        return None
    return source.Mailbox(
        settings.imap, settings.imap_user, folder=settings.imap_folder, tls=settings.imap_tls, idle=settings.idle
    )


def read(delivery: source.Delivery, settings: Settings) -> source.Verdict:
    """What a mail means."""
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
    title = line(_PREFIX.sub("", header(mail, "Subject")), 200) or "(no subject)"
    author = _person(mail)
    words = f"{author or 'somebody'} {'answered' if above else 'wrote'} on {name.partition('.')[0]}: {title}"
    text = plain_text(mail, MOST_TEXT)
    return [
        Event(
            id=fingerprint(own),
            source=settings.url.rstrip("/") or f"urn:firehose:{delivery.source}",
            type=f"org.infra-firehose.mailinglist.{'reply' if above else 'new'}",
            kind="comment.added" if above else "thread.created",
            subject=f"thread/{_mark(thread)}",
            time=date(mail) or delivery.received,
            project=settings.lists.get(name, ""),
            actor=author,
            summary=words,
            link=_link(mail),
            refs=(f"list/{subject.escape(name)}", *((f"mail/{_mark(above[-1])}",) if above else ())),
            data=msgspec.json.encode(
                {"list": name, "message-id": own, "thread": thread, "subject": header(mail, "Subject"),
                 "from": author, "date": header(mail, "Date"), "body": text}
            ),
            text=f"{title} {text}",
        )
    ]  # fmt: skip


def _mark(message_id: str) -> str:
    """A Message-ID as a name: it looks like an address, and addresses are taken out of what is public."""
    return fingerprint(message_id)[:16]


def _person(mail: EmailMessage) -> str:
    """The sender's name; lists write `Mira Novak via devel`."""
    name = parseaddr(header(mail, "From"))[0].partition(" via ")[0].strip().strip("'\"")
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
)
