"""Any CloudEvent, and plain JSON with rules."""

from firehose.sources.inbox.inbox import SOURCE

__all__ = ["SOURCE"]
