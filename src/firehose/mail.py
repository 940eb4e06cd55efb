"""Mail from strangers, read without stumbling: what a header, the text and the date say, or that they say nothing. And
how our own is written.

In: a parsed message, whose headers may be anything. Out: plain values. What a header means is the source's to know.
`POLICY` writes links and ids as they are: Python's own makes encoded words (RFC 2047) of what is longer than 78
characters, which no program undoes there, so that stopping by one click (RFC 8058) and threads do not work.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import parsedate_to_datetime
from typing import Any, Final

LONGEST: Final = 998
"""Characters that a line may have (RFC 5322)."""
_WHOLE: Final = frozenset((
    "list-unsubscribe", "list-unsubscribe-post", "list-id", "message-id", "in-reply-to", "references",
))  # fmt: skip


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


class _Policy(EmailPolicy):
    def fold(self, name: str, value: Any) -> str:
        """A header for text."""
        return self._whole(name, str(value)) or super().fold(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        """A header for bytes."""
        return self._whole(name, str(value)).encode("ascii") or super().fold_binary(name, value)

    def _whole(self, name: str, value: str) -> str:
        line = f"{name}: {value}"
        fits = name.lower() in _WHOLE and line.isascii() and line.isprintable() and len(line) <= LONGEST
        return line + self.linesep if fits else ""


POLICY: Final = _Policy(linesep="\r\n")
"""For every mail that leaves; lines end with CRLF."""
