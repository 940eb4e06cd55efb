"""Events as an Atom feed (RFC 4287) and as a JSON Feed (version 1.1).

In: events. Out: XML, JSON. Every text is a sender's, so all of it is escaped and what XML cannot carry is left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, urlsplit
from xml.sax.saxutils import escape, quoteattr

import msgspec

from firehose.event import Recorded, rfc3339
from firehose.web.hub import Hub

_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def atom(hub: Hub, events: Sequence[Recorded], words: str, query: str, this: str) -> bytes:
    """The feed of a query; `words` say what the query means, `this` is the query that gives this very page of it."""
    base = hub.settings.public_url
    address = f"{base}/v1/events?{query}"
    own = f"{base}/v1/events?{this}"
    newest = max((event.recorded for event in events), default=hub.now())
    entries = "".join(_entry(base, event) for event in events)
    text = (
        f'<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom">'
        f"<id>{_text(address)}</id><title>{_text(hub.settings.hub.name)}: {_text(words)}</title>"
        f"<updated>{rfc3339(newest)}</updated><link rel={quoteattr('self')} href={quoteattr(own)}/>"
        f"<link rel={quoteattr('alternate')} type={quoteattr('text/html')} href={quoteattr(f'{base}/search?{query}')}/>"
        f"<generator>Firehose</generator>{entries}</feed>"
    )
    return text.encode("utf-8", "replace")


def json(hub: Hub, events: Sequence[Recorded], words: str, query: str, this: str) -> bytes:
    """The same feed as JSON; the texts are plain, never HTML."""
    base = hub.settings.public_url
    return msgspec.json.encode(
        {
            "version": "https://jsonfeed.org/version/1.1",
            "title": f"{hub.settings.hub.name}: {words}",
            "home_page_url": f"{base}/search?{query}",
            "feed_url": f"{base}/v1/events?{this}",
            "items": [_item(base, event) for event in events],
        }
    )


def _item(base: str, event: Recorded) -> dict[str, object]:
    envelope = event.envelope
    said = envelope.summary or f"{envelope.kind} {envelope.subject}"
    item: dict[str, object] = {
        "id": f"{envelope.source}#{quote(envelope.id)}",
        "url": f"{base}/events/{event.cursor}",
        "title": said,
        "content_text": said,
        "date_published": rfc3339(envelope.time),
        "date_modified": rfc3339(event.recorded),
        "authors": [{"name": envelope.actor or event.name}],
        "tags": [term for term in (envelope.kind, envelope.project) if term],
    }
    if urlsplit(envelope.link).scheme in ("http", "https"):
        item["external_url"] = envelope.link
    return item


def _entry(base: str, event: Recorded) -> str:
    envelope = event.envelope
    page = f"{base}/events/{event.cursor}"
    related = f"<link rel={quoteattr('related')} href={_attribute(envelope.link)}/>" if envelope.link else ""
    terms = "".join(f"<category term={_attribute(term)}/>" for term in (envelope.kind, envelope.project) if term)
    return (
        f"<entry><id>{_text(f'{envelope.source}#{quote(envelope.id)}')}</id>"
        f"<title>{_text(envelope.summary or f'{envelope.kind} {envelope.subject}')}</title>"
        f"<updated>{rfc3339(event.recorded)}</updated><published>{rfc3339(envelope.time)}</published>"
        f"<author><name>{_text(envelope.actor or event.name)}</name></author>{terms}"
        f"<link rel={quoteattr('alternate')} type={quoteattr('text/html')} href={quoteattr(page)}/>{related}"
        f"<summary>{_text(envelope.summary)}</summary></entry>"
    )


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("", text))


def _attribute(text: str) -> str:
    return quoteattr(_NOT_XML.sub("", text))
