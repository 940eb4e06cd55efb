"""Feeds: what an entry means. News is `article.published`, a release is `artifact.published`.

In: an entry as `document.py` writes it. Out: one event, or `Ignored` for an entry that was old already when the feed
was first read. The folder serves two words, `feeds` and `releases`, which read the same documents; settings can say for
each address what its entries are. The id is made of the entry's own id and its time, so the same entry in two feeds is
one event.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from html import unescape
from typing import Final

import msgspec

from firehose import source, subject
from firehose.errors import Refused
from firehose.event import Event, fingerprint, line
from firehose.sources.feeds.document import entries
from firehose.sources.feeds.package import Package, package
from firehose.wild import Wild, decode

KINDS: Final = {
    "article": "article.published, article.updated",
    "release": "artifact.published, artifact.updated",
}
IGNORED: Final = {"old": "was older than `oldest_days` when the hub first saw it: a new feed is no news"}
_AGENT: Final = "infra-firehose (feed reader)"
_TAG: Final = re.compile(r"<[^<>]{0,500}>")
_RELEASE: Final = "release"


class Feed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One address. entries: `article` or `release`, "" as the source's kind says. project: of its events, "" = the
    released package's name, or none."""

    url: str
    entries: str = ""
    project: str = ""


class Settings(source.Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """feeds: what to read: addresses, or tables with `url`, `entries` (`article` or `release`) and `project`.

    every: seconds between two looks at a feed, at least 1. oldest_days: an entry that is older when it is first seen
    is left out.
    """

    feeds: list[str | Feed] = msgspec.field(default_factory=list)
    every: float = 900.0
    oldest_days: int = 7

    @property
    def addresses(self) -> list[Feed]:
        """All feeds as tables."""
        return [Feed(url=one) if isinstance(one, str) else one for one in self.feeds]


def holds(settings: Settings) -> source.Poll | None:
    """Ask each feed, every so often."""
    headers = {"User-Agent": _AGENT, "Accept": "application/atom+xml, application/rss+xml, */*"}
    requests = [source.Request(feed.url, headers=headers) for feed in settings.addresses]
    return source.Poll(max(settings.every, 1.0), lambda _cursor: requests) if requests else None


def recovered(request: source.Request, body: bytes, _settings: Settings) -> Sequence[bytes]:
    """The entries in an answer."""
    return entries(body, request.url)


def read(delivery: source.Delivery, settings: Settings) -> source.Verdict:
    """What one entry means."""
    body = decode(delivery.body)
    entry, feed = body["entry"], body["feed"]
    if not entry.is_object():
        raise Refused("entry is missing", slug="bad-field", status=422, field="entry")
    address = feed["url"].text("")
    own = next((one for one in settings.addresses if one.url == address), Feed(url=address))
    published, updated = entry["published"].moment(), entry["updated"].moment()
    time = updated or published or delivery.received
    if delivery.channel == "poll" and settings.oldest_days and _is_old(time, delivery.received, settings):
        return source.Ignored("old")
    title = line(_plain(entry["title"].text("")) or _plain(entry["summary"].text("")), 200)
    link = entry["link"].link()
    name = entry["id"].text("") or link or title
    if not name:
        raise Refused("an entry without id, link and title is nothing", slug="bad-field", status=422, field="entry.id")
    is_release = (own.entries or ("release" if settings.kind == "releases" else "article")) == _RELEASE
    found = package(link, title) if is_release else None
    is_update = bool(published and updated and updated - published > timedelta(minutes=1))
    noun = "artifact" if is_release else "article"
    project = own.project or (found.name if found else "")
    return [
        Event(
            id=fingerprint(name, entry["updated"].text("") or entry["published"].text("")),
            source=settings.url.rstrip("/") or feed["link"].link() or address or f"urn:firehose:{delivery.source}",
            type=f"org.infra-firehose.feed.{_RELEASE if is_release else 'article'}",
            kind=f"{noun}.{'updated' if is_update else 'published'}",
            subject=found.subject if found else f"article/{subject.escape(link or name)}",
            time=time,
            project=project,
            actor=_person(entry["author"]),
            summary=_summary(found, title, _plain(feed["title"].text(""))),
            link=link,
            outcome="success" if is_release and not is_update else "",
            refs=(subject.escape(project),) if is_release and "/" in project else (),
            data=delivery.body,
            text=" ".join((title, _plain(entry["summary"].text("")), _plain(entry["content"].text("")))),
        )
    ]


def _is_old(time: datetime, now: datetime, settings: Settings) -> bool:
    return now - time > timedelta(days=min(settings.oldest_days, 36_500))


def _summary(found: Package | None, title: str, feed: str) -> str:
    if found is None:
        return f"{feed}: {title}" if feed and feed not in title else title
    named = f"{found.name} {found.version} was published"
    # A title that only says name and version once more tells nothing.
    extra = title.replace(found.name, "").replace(found.version, "").strip(" :-@v")
    return f"{named}: {title}" if extra else named


def _person(author: Wild) -> str:
    """A name; an address is left out, as RSS 2.0 writes both: `mira@lumen.example (Mira Novak)`."""
    text = author.text("")
    inner = re.search(r"\(([^()]{1,100})\)", text) if "@" in text else None
    name = inner.group(1) if inner else text
    return "" if "@" in name else line(name, 80)


def _plain(html: str) -> str:
    """Words without mark-up."""
    return " ".join(unescape(_TAG.sub(" ", html)).split())


def native_kind(_delivery: source.Delivery) -> str:
    """Feeds have no kinds of their own."""
    return "entry"


SOURCE: Final = source.SourceKind(
    name="feeds",
    title="Feeds",
    family="people",
    settings=Settings,
    read=read,
    kinds=KINDS,
    ignored=IGNORED,
    also={"releases": "Releases"},
    native_kind=native_kind,
    holds=holds,
    recovered=recovered,
)
