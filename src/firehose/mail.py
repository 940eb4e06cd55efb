"""Mail from strangers, read without stumbling: what a header, the text and the date say, or that they say nothing.

In: a parsed message, whose headers may be anything. Out: plain values. What a header means is the source's to know.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime


def header(mail: EmailMessage, name: str) -> str:
    """A header, unfolded and decoded; "" when it is missing or cannot be read."""
    try:
        return " ".join(str(mail.get(name, "")).split())
    except (ValueError, LookupError, AttributeError, IndexError, TypeError):
        return ""


def plain_text(mail: EmailMessage, most: int) -> str:
    """At most `most` characters of the first plain part, lines ended by `\\n`; an unknown charset counts as UTF-8."""
    for part in mail.walk():
        raw = part.get_payload(decode=True) if part.get_content_type() == "text/plain" else None
        if not isinstance(raw, bytes):
            continue
        try:
            text = raw.decode(part.get_content_charset("utf-8"), "replace")
        except (LookupError, ValueError):
            text = raw.decode("utf-8", "replace")
        return text.replace("\r\n", "\n")[:most]
    return ""


def date(mail: EmailMessage) -> datetime | None:
    """The sender's date in UTC; None when there is none that can be read."""
    try:
        found = parsedate_to_datetime(header(mail, "Date"))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
