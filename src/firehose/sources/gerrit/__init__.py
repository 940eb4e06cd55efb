"""Gerrit Code Review."""

from firehose.sources.gerrit.gerrit import SOURCE

__all__ = ["SOURCE"]
