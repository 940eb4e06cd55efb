"""A feed's document, of any dialect, taken apart by feedparser: each entry becomes one delivery in JSON, oldest first.

In: bytes of RSS 0.9x, 1.0, 2.0 or Atom, and where they come from. Out: JSON texts `{"feed": {…}, "entry": {…}}` with
the same members whatever the dialect. What is no feed is `Refused`. Nothing is fetched here: feedparser gets a file
object, never an address.
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, Final

import feedparser
import msgspec

from firehose.errors import Refused

MOST_TEXT: Final = 20_000
MOST_ENTRIES: Final = 1_000


def entries(document: bytes, url: str) -> Sequence[bytes]:
    """The entries of a feed document, oldest first."""
    found = feedparser.parse(BytesIO(document), response_headers={"content-location": url})
    if not found.get("version") and not found.entries:
        raise Refused(f"what {url} answered is no RSS or Atom feed", slug="no-feed", status=422)
    feed = {"url": url, "title": _text(found.feed, "title"), "link": _text(found.feed, "link")}
    plain = [_entry(entry) for entry in found.entries[:MOST_ENTRIES]]
    # Feeds go from new to old. Where times say otherwise they count; the sort leaves the rest in order.
    plain.reverse()
    plain.sort(key=lambda entry: entry["published"] or entry["updated"] or "")
    return [msgspec.json.encode({"feed": feed, "entry": entry}) for entry in plain]


def _entry(entry: Any) -> dict[str, Any]:
    content = [_text(part, "value") for part in entry.get("content") or []]
    return {
        "id": _text(entry, "id"),
        "title": _text(entry, "title"),
        "link": _text(entry, "link"),
        "author": _text(entry, "author"),
        "published": _moment(entry.get("published_parsed")),
        # feedparser would give the time of publication where there is none, and warn of that.
        "updated": _moment(dict.get(entry, "updated_parsed")),
        "summary": _text(entry, "summary"),
        "content": content[0] if content and content[0] != _text(entry, "summary") else "",
        "categories": [_text(tag, "term") for tag in entry.get("tags") or [] if _text(tag, "term")],
        "enclosures": [
            {"url": _text(one, "href"), "type": _text(one, "type"), "length": _text(one, "length")}
            for one in entry.get("enclosures") or []
        ],
    }


def _text(owner: Any, name: str) -> str:
    found = owner.get(name) or ""
    return found[:MOST_TEXT] if isinstance(found, str) else ""


def _moment(parsed: Any) -> str:
    """RFC 3339 from feedparser's UTC tuple; "" when there is none or it is no time."""
    try:
        return datetime.fromtimestamp(calendar.timegm(parsed), UTC).isoformat() if parsed else ""
    except (ValueError, OverflowError, TypeError):
        return ""
