"""Zuul: enqueue, dequeue and promote by its REST API."""

from firehose.sinks.zuul.zuul import SINK

__all__ = ["SINK"]
