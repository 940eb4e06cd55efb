"""Feed entries, by samples, and documents of all dialects."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from firehose import source
from firehose.errors import Refused
from firehose.event import Event
from firehose.sources.feeds.document import entries
from firehose.sources.feeds.package import package

SAMPLES = Path(__file__).parent / "samples"
FEEDS = source.load("feeds")
NOW = datetime(2025, 10, 10, 12, tzinfo=UTC)
URL = "https://blog.lumen.example/feed.xml"


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def verdict(body: Any, word: str = "feeds", received: datetime = NOW, **own: Any) -> source.Verdict:
    delivery = source.Delivery(source="planet", body=json.dumps(body).encode(), received=received, channel="poll")
    return FEEDS.read(delivery, FEEDS.settings(kind=word, **own))


def read(body: Any, word: str = "feeds", **own: Any) -> Event:
    found = verdict(body, word, **own)
    assert not isinstance(found, source.Ignored)
    (event,) = found
    return event


@pytest.mark.parametrize(
    ("name", "word", "kind", "about", "summary"),
    [
        ("article__blog-post", "feeds", "article.published", "article/https://blog.lumen.example/fast-tiles",
         "Lumen blog: Fast tiles & more"),
        ("article__updated", "feeds", "article.updated", "article/https://blog.lumen.example/fast-tiles",
         "Lumen blog: Fast tiles"),
        ("article__nothing-but-a-title", "feeds", "article.published", "article/A%20note", "Lumen blog: A note"),
        ("release__pypi", "releases", "artifact.published", "package/pypi/atlas@2.4.0", "atlas 2.4.0 was published"),
        ("release__forge", "releases", "artifact.published", "release/lumen/atlas/v2.4.0",
         "lumen/atlas v2.4.0 was published: v2.4.0: Fast tiles"),
    ],
)  # fmt: skip
def test_a_sample_becomes(name: str, word: str, kind: str, about: str, summary: str) -> None:
    event = read(sample(name), word)
    assert (event.kind, event.subject, event.summary) == (kind, about, summary)


def test_an_author_is_a_name_and_no_address() -> None:
    assert read(sample("article__blog-post")).actor == "Mira Novak"
    body = sample("article__blog-post")
    body["entry"]["author"] = "mira@lumen.example"
    assert read(body).actor == ""


def test_a_release_belongs_to_its_package_and_the_settings_know_better() -> None:
    assert read(sample("release__pypi"), "releases").project == "atlas"
    event = read(sample("release__forge"), "releases")
    assert (event.project, event.refs, event.actor) == ("lumen/atlas", ("lumen/atlas",), "mira")
    feed = {
        "url": "https://pypi.lumen.example/rss/project/atlas/releases.xml",
        "entries": "release",
        "project": "lumen/maps",
    }
    settings = msgspec.convert({"kind": "feeds", "feeds": [feed]}, FEEDS.settings)
    event = read(sample("release__pypi"), feeds=settings.feeds)
    assert (event.kind, event.project) == ("artifact.published", "lumen/maps")


def test_the_same_entry_is_the_same_event_and_a_changed_one_is_another() -> None:
    first, again = read(sample("article__blog-post")), read(sample("article__blog-post"), url="https://planet.example")
    assert first.id == again.id != read(sample("article__updated")).id


def test_old_entries_of_a_new_feed_are_no_news() -> None:
    late = datetime(2025, 12, 1, tzinfo=UTC)
    assert verdict(sample("article__blog-post"), received=late) == source.Ignored("old")
    assert not isinstance(verdict(sample("article__blog-post"), received=late, oldest_days=0), source.Ignored)


ATOM = """<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Lumen</title><id>x</id>
<link href="https://blog.lumen.example/"/>
<entry><id>urn:2</id><title>Second</title><link href="https://blog.lumen.example/2"/>
<updated>2025-10-09T11:20:00+02:00</updated>
<published>2025-10-09T09:20:00Z</published><author><name>Tomas</name></author>
<content type="html">&lt;p onclick="x()"&gt;Hi&lt;/p&gt;</content></entry>
<entry><id>urn:1</id><title>First</title><updated>2025-10-08T09:20:00Z</updated></entry></feed>"""
RSS = """<rss version="2.0"><channel><title>Lumen</title>
<item><title>Second</title><guid>2</guid><pubDate>Thu, 09 Oct 2025 09:20:00 GMT</pubDate></item>
<item><title>First</title><guid>1</guid><pubDate>Wed, 08 Oct 2025 09:20:00 GMT</pubDate></item></channel></rss>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="x"><title>Lumen</title></channel>
<item rdf:about="2"><title>Second</title><dc:date>2025-10-09T09:20:00Z</dc:date></item>
<item rdf:about="1"><title>First</title><dc:date>2025-10-08T09:20:00Z</dc:date></item></rdf:RDF>"""


@pytest.mark.parametrize("document", [ATOM, RSS, RDF], ids=["atom", "rss", "rdf"])
def test_every_dialect_gives_the_same_entries_oldest_first(document: str) -> None:
    found = [json.loads(one) for one in entries(document.encode(), URL)]
    assert [one["entry"]["title"] for one in found] == ["First", "Second"]
    assert {one["feed"]["title"] for one in found} == {"Lumen"}
    assert [(one["entry"]["published"] or one["entry"]["updated"])[:19] for one in found] == [
        "2025-10-08T09:20:00", "2025-10-09T09:20:00",
    ]  # fmt: skip
    assert "onclick" not in json.dumps(found)


@pytest.mark.parametrize("document", [b"", b"<html><body>no</body></html>", b"{}", b"\x00\xff"])
def test_what_is_no_feed_is_said(document: bytes) -> None:
    with pytest.raises(Refused, match="no RSS or Atom feed"):
        entries(document, URL)


def test_entities_of_a_document_are_not_fetched_or_blown_up() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname"><!ENTITY b "ha"><!ENTITY c "&b;&b;&b;">]>'
    document = bomb + b'<rss version="2.0"><channel><item><title>&a;&c;</title></item></channel></rss>'
    assert Path("/etc/hostname").read_text().strip() not in b"".join(entries(document, URL)).decode()


@pytest.mark.parametrize(
    ("link", "title", "about"),
    [
        ("https://www.npmjs.com/package/@lumen/atlas/v/1.0.0", "", "package/npm/@lumen/atlas@1.0.0"),
        ("https://crates.io/crates/atlas/0.3.1", "", "package/cargo/atlas@0.3.1"),
        ("https://gitlab.lumen.example/lumen/maps/atlas/-/tags/v1%2B2", "", "release/lumen/maps/atlas/v1%2B2"),
        ("https://codeberg.org/lumen/atlas/src/tag/v2", "", "release/lumen/atlas/v2"),
        ("https://lists.lumen.example/1", "atlas 2.4.0 released", "package/atlas@2.4.0"),
        ("https://lists.lumen.example/1", "We are hiring", None),
    ],
)
def test_a_release_is_found_in_address_or_title(link: str, title: str, about: str | None) -> None:
    found = package(link, title)
    assert (found.subject if found else None) == about
