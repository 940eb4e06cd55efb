"""About 150 ways to notify, by Apprise."""

from firehose.sinks.apprise.apprise import SINK

__all__ = ["SINK"]
