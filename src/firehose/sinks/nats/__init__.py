"""Any other NATS server."""

from firehose.sinks.nats.nats import SINK

__all__ = ["SINK"]
