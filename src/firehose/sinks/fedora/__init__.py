"""Fedora's message bus, outgoing."""

from firehose.sinks.fedora.fedora import SINK

__all__ = ["SINK"]
