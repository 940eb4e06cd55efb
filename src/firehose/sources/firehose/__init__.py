"""Another Firehose hub, by its stream."""

from firehose.sources.firehose.firehose import SOURCE

__all__ = ["SOURCE"]
