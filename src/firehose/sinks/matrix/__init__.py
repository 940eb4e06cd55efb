"""Matrix rooms, told in notices."""

from firehose.sinks.matrix.matrix import SINK

__all__ = ["SINK"]
