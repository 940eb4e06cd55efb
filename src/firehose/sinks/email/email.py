"""Mail: one for each event, threaded by the thing it is about, or a digest every hour or day.

In: events for one recipient. Out: a whole mail but for its date: plain text and HTML, with the headers that let mail
programs thread, sort and stop it (List-Id, RFC 8058). Sending is `transport.py`'s.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import parseaddr
from html import escape
from typing import Literal
from urllib.parse import urlsplit

from firehose.event import Recorded, identity, line
from firehose.mail import POLICY
from firehose.sink import Message, Outlet, Settings, SinkKind
from firehose.sinks.email.transport import connect

MOST = 1_000
_WORK = re.compile(r"[^\s~#!]+[~#!][0-9]+|(story|bug)/[0-9]+")
_NO_BRACKETS = str.maketrans("<>", "()")


class EmailSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """url: the mail server, `smtp://host[:port]` or `smtps://…`. starttls: `require`, `if-offered` or `never`. user and
    secret_file or secret_env: its login. sender: the From address. to: who gets the mails, each one of their own.
    digest: `` (a mail for each event), `hourly` or `daily`. at: the hour of a daily digest, UTC, 0 to 23."""

    url: str
    sender: str
    to: tuple[str, ...]
    starttls: Literal["require", "if-offered", "never"] = "if-offered"
    user: str = ""
    secret_file: str = ""
    secret_env: str = ""
    digest: Literal["", "hourly", "daily"] = ""
    at: int = 6


def lanes(event: Recorded, settings: EmailSettings) -> Sequence[str]:
    """One for each recipient: a mailbox that refuses holds up no other."""
    return settings.to


def due(now: datetime, lane: str, settings: EmailSettings) -> datetime | None:
    """The next full hour, or the day's hour."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    if settings.digest == "hourly":
        return hour + timedelta(hours=1)
    if settings.digest == "daily":
        today = hour.replace(hour=settings.at)
        return today if today > now else today + timedelta(days=1)
    return None


def render(events: Sequence[Recorded], lane: str, outlet: Outlet) -> Message:
    """The mail for one recipient."""
    settings: EmailSettings = outlet.settings
    last = events[-1].envelope
    host = urlsplit(outlet.hub_url).hostname or "firehose.invalid"
    id_ = hashlib.sha256(f"{lane}\n{identity(last.source, last.id)}".encode()).hexdigest()[:32]
    mail = EmailMessage(policy=POLICY)
    mail["From"] = settings.sender
    mail["To"] = lane
    mail["Subject"] = title(events, settings)
    mail["Message-ID"] = f"<{id_}@{host}>"
    if not settings.digest:
        # No mail has this id; programs thread by what mails refer to in common.
        about = f"<thread.{identity(*thread(events[-1]))}@{host}>"
        mail["References"] = about
        mail["In-Reply-To"] = about
    mail["List-Id"] = f"{line(outlet.hub_name).translate(_NO_BRACKETS)} <{outlet.name}.{host}>"
    mail["Auto-Submitted"] = "auto-generated"
    to = parseaddr(lane)[1]
    # Whoever stops these mails is known by the address alone, as when they are sent.
    stop = outlet.stop_url(to)
    if stop:
        mail["List-Unsubscribe"] = f"<{stop}>"
        if stop.startswith("https://"):
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(plain(events, outlet, stop))
    mail.add_alternative(page(events, outlet, stop), subtype="html")
    mail.set_boundary(f"=_{id_}")
    return Message(id=id_, to=to, body=mail.as_bytes())


def thread(event: Recorded) -> tuple[str, str]:
    """What a mail's thread is about: the change, story or bug, also when a build or a task of it is told; else the
    thing itself. A change is the same for everybody who speaks of it; other subjects are their source's own."""
    envelope = event.envelope
    for subject in (envelope.subject, *envelope.refs.split()):
        if _WORK.fullmatch(subject):
            return "", subject
    return envelope.source, envelope.subject


def title(events: Sequence[Recorded], settings: EmailSettings) -> str:
    """The subject line."""
    last = events[-1].envelope
    if settings.digest:
        count = len(events)
        return f"{count} event{'s' if count > 1 else ''}, the last: {line(last.summary or last.kind, 120)}"
    project = f"[{last.project}] " if last.project else ""
    return line(f"{project}{last.summary or f'{last.kind} {last.subject}'}", 200)


def address(event: Recorded, outlet: Outlet) -> str:
    """The event's page."""
    return f"{outlet.hub_url}/events/{event.cursor}"


def plain(events: Sequence[Recorded], outlet: Outlet, stop: str) -> str:
    """The mail as text."""
    rows = []
    for event in events:
        envelope = event.envelope
        rows.append(f"{envelope.time:%Y-%m-%d %H:%M} UTC  {envelope.kind}  {envelope.project}".rstrip())
        rows.append(f"  {line(envelope.summary or envelope.subject)}")
        rows.append(f"  {envelope.link or address(event, outlet)}\n")
    rows.append(f"-- \n{why(outlet)}")
    if stop:
        rows.append(f"Stop these mails: {stop}")
    return "\n".join(rows) + "\n"


def page(events: Sequence[Recorded], outlet: Outlet, stop: str) -> str:
    """The mail as HTML. Everything that came from outside is escaped, and only http links are links."""
    rows = []
    for event in events:
        envelope = event.envelope
        link = envelope.link if envelope.link.startswith(("https://", "http://")) else address(event, outlet)
        words = escape(line(envelope.summary or envelope.subject))
        rows.append(
            f'<p><a href="{escape(link)}">{words}</a><br><small>{envelope.time:%Y-%m-%d %H:%M} UTC · '
            f"{escape(envelope.kind)} · {escape(envelope.project)} · "
            f'<a href="{escape(address(event, outlet))}">event</a></small></p>'
        )
    end = f' <a href="{escape(stop)}">Stop these mails.</a>' if stop else ""
    return f"<html><body>{''.join(rows)}<hr><p><small>{escape(why(outlet))}{end}</small></p></body></html>\n"


def why(outlet: Outlet) -> str:
    """Why somebody gets this."""
    asked = outlet.settings.query or ", ".join(outlet.settings.topics) or "everything"
    return f"{outlet.hub_name} sends you this as {outlet.name!r}, which is about: {asked}."


def problem(settings: EmailSettings) -> str:
    """What is wrong with addresses and hours."""
    for text in (settings.sender, *settings.to):
        if "@" not in parseaddr(text)[1] or any(char in text for char in "\r\n"):
            return f"{text!r} is not a mail address"
        if not parseaddr(text)[1].isascii():
            return f"{text!r}: an address has ASCII letters only (no SMTPUTF8); a name before it may have any"
    if not settings.to:
        return "to: nobody gets these mails"
    return "" if 0 <= settings.at <= 23 else "at: an hour from 0 to 23"


SINK = SinkKind(
    name="email",
    title="E-mail",
    family="people",
    settings=EmailSettings,
    render=render,
    connect=connect,
    lanes=lanes,
    due=due,
    most=lambda settings: MOST if settings.digest else 1,
    recognises=True,
    check=problem,
    to=lambda settings: urlsplit(settings.url).netloc,
    formats=(
        "mail in text and HTML, threaded by subject; or an hourly or daily digest; List-Id, one-click unsubscribe",
    ),
)
