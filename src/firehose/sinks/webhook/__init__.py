"""Webhooks, signed as Standard Webhooks asks."""

from firehose.sinks.webhook.webhook import SINK

__all__ = ["SINK"]
