"""IRC channels, told in lines."""

from firehose.sinks.irc.irc import SINK

__all__ = ["SINK"]
