"""GitHub, by its webhooks."""

from firehose.sources.github.github import SOURCE

__all__ = ["SOURCE"]
