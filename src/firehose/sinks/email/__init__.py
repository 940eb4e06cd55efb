"""Mail, each event by itself or as a digest."""

from firehose.sinks.email.email import SINK

__all__ = ["SINK"]
