"""Feeds from a real web server into a hub: asked conditionally, each entry once, over a restart too."""

from __future__ import annotations

from datetime import timedelta

from tests.journeys.reader import everywhere, listening, search, sink, source, until
from tests.servers.feed import FeedServer
from tests.servers.hook import Receiver

from firehose.plumbing.clock import now
from firehose.testing import StartHub

SETTINGS = """
[sources.planet]
kind = "feeds"
every = 1
feeds = ["{url}/planet.xml", {{url = "{url}/moved.xml"}}, {{url = "{url}/gone.xml"}}, {{url = "{url}/page.html"}}]
[sources.releases]
kind = "releases"
every = 1
feeds = ["{url}/releases.xml"]
"""
WHEN = (now() - timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")


def rss(*titles: str, link: str) -> bytes:
    items = "".join(
        f"<item><title>{title}</title><link>{link}{title}/</link><pubDate>{WHEN}</pubDate></item>" for title in titles
    )
    return f'<rss version="2.0"><channel><title>Lumen</title>{items}</channel></rss>'.encode()


def test_entries_arrive_once_and_nothing_is_fetched_in_vain(
    start_hub: StartHub, feed_server: FeedServer, receiver: Receiver
) -> None:
    feed = feed_server
    feed.documents["/planet.xml"] = rss("two", "one", link="https://planet.lumen.example/")
    feed.documents["/releases.xml"] = rss("2.4.0", link="https://pypi.lumen.example/project/atlas/")
    feed.documents["/page.html"] = b"<html><body>no feed</body></html>"
    feed.answers["/moved.xml"] = (301, {"Location": "https://elsewhere.lumen.example/feed"})
    feed.answers["/gone.xml"] = (410, {})
    hub = start_hub(SETTINGS.format(url=feed.url) + sink(receiver))
    with listening(hub, "events/planet/#", "events/releases/#") as reader:
        # What came before the subscription is in the history; what comes now is live.
        search(hub, "source:planet", 2)
        feed.documents["/planet.xml"] = rss("three", "two", "one", link="https://planet.lumen.example/")
        (live,) = reader.wait(1, subject="article/https://planet.lumen.example/three/")
    assert everywhere(live, reader, receiver) == (
        "article.published", "", "", "Lumen: three", "https://planet.lumen.example/three/", "",
    )  # fmt: skip
    until(lambda: feed.count("/planet.xml", 304) >= 2 or None, "two conditional requests")
    assert feed.count("/planet.xml", 200) == 2
    assert feed.count("/gone.xml", 410) == 1
    assert [event["summary"] for event in search(hub, "source:planet", 3)] == [
        "Lumen: one",
        "Lumen: two",
        "Lumen: three",
    ]
    (release,) = search(hub, "kind:artifact.published")
    assert (release["project"], release["subject"]) == ("atlas", "package/pypi/atlas@2.4.0")
    told = source(hub, "planet")
    assert told["state"] == "healthy"
    assert "elsewhere.lumen.example" in told["connection"]
    assert "gone for good" in told["connection"]
    assert "no RSS or Atom feed" in told["connection"]

    before = feed.count("/planet.xml", 200)
    hub.stop()
    hub.start()
    until(lambda: feed.asked[-1][0] == "/releases.xml" or None, "the next round")
    feed.documents["/planet.xml"] = rss("four", "three", "two", "one", link="https://planet.lumen.example/")
    assert [event["summary"] for event in search(hub, "source:planet", 4)][3:] == ["Lumen: four"]
    assert feed.count("/planet.xml", 200) == before + 1
    assert source(hub, "planet")["verdicts"]["duplicate"] == 0
