"""RSS and Atom feeds, of news and of releases."""

from firehose.sources.feeds.feeds import SOURCE

__all__ = ["SOURCE"]
