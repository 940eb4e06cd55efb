"""Zuul, by its own MQTT reporter."""

from firehose.sources.zuul.zuul import SOURCE

__all__ = ["SOURCE"]
